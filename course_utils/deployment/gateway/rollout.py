"""Put another model in the place of the one that answers, while requests go on: shadow, canary, promote, roll back.

The models are those of the settings, so nobody can name another server at run time. State lies in this process: of
several gateways each is told, and a restart begins with the settings.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.metrics import NOTES, GatewayMetrics
from course_utils.deployment.gateway.model_client import ModelClient
from course_utils.deployment.gateway.sql_answers import SqlAnswer
from course_utils.proportion import wilson_interval
from course_utils.sql import same_rows

LOOKS = frozenset(20 * 2**k for k in range(20))
"""Numbers of answers after which a candidate is judged: the fewer looks, the fewer good ones go by chance."""
CONFIDENCE = 0.99
"""Of the interval of either model's share of failures; the candidate goes when its own lies wholly above the other."""
OUTCOMES = ("answered", "invalid", "failed")
_MAX_SHADOWS = 8
Ask = Callable[[ModelClient], Awaitable[Any]]


class Trial(BaseModel, extra="forbid"):
    """A candidate and what it is given.

    As ``shadow`` it gets a copy of a share of the requests to ``/v1/sql``, and its answers are compared and counted; as
    ``canary`` it answers a share of the callers, who stay with it.
    """

    model: str
    """A model of the settings, other than the one that answers now."""
    version: Annotated[str, Field(pattern=r"^[\w.:-]{1,80}$")]
    """What its server has now, such as the hash of a file."""
    mode: Literal["shadow", "canary"]
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Of the requests or callers, 0 to 0.5: beyond, too few are left to compare with."""

    def takes(self, key: str) -> bool:
        """Whether a caller or request is of the share, which it is each time."""
        number = int.from_bytes(hashlib.sha256(f"{self.model} {self.version} {key}".encode()).digest()[:8])
        return number < self.share * 2**64


class Rollout:
    """Which model answers to the gateway's own model name, and which one wants to."""

    def __init__(self, models: Mapping[str, ModelClient], first: str, metrics: GatewayMetrics) -> None:
        self._models, self._metrics = models, metrics
        self.current, self.previous = models[first], models[first]
        self.trial: Trial | None = None
        self.why = ""
        self._asked: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._shadows: set[asyncio.Task[None]] = set()
        for name in models:  # a counter that is absent until its first event cannot show a rate
            for outcome in OUTCOMES:
                metrics.model_answers.labels(name, outcome)
        self._show_versions()

    def describe(self) -> dict[str, Any]:
        """Who answers, who wants to, the failures of both since that began, and why the last candidate went."""
        trial = self.trial.model_dump() if self.trial else None
        counts = {name: {"answers": self._asked[name], "failures": self._failed[name]} for name in self._asked}
        current = {"model": self.current.name, "version": self.current.version}
        return {"current": current, "trial": trial, "counts": counts, "rolled_back": self.why}

    def __str__(self) -> str:
        """The same in a line, for whoever asks whether the gateway is ready."""
        trial = f"; {self.trial.mode} of {self.trial.model}, {self.trial.share:.0%}" if self.trial else ""
        return f"{self.current.name} answers{trial}{self.why and f'; rolled back: {self.why}'}"

    def start(self, trial: Trial) -> None:
        """Give a candidate its share, in the place of one that has it now.

        Raises:
            ApiError: 404 if the settings have no such model, 409 if it answers already.
        """
        if trial.model not in self._models:
            message = f"no model {trial.model!r}; COURSE_MODELS names {', '.join(self._models)}"
            raise ApiError(404, message, code="model_not_found", param="model")
        if trial.model == self.current.name:
            raise ApiError(409, f"{trial.model!r} answers already", code="rollout_conflict", param="model")
        self._models[trial.model].version = trial.version
        self.trial, self.why = trial, ""
        self._asked.clear()
        self._failed.clear()
        self._show_versions()

    def promote(self) -> None:
        """Let the candidate answer everybody; requests on their way end where they began. ApiError 409 without one."""
        if self.trial is None:
            raise ApiError(409, "there is no candidate", code="rollout_conflict")
        self.previous, self.current, self.trial = self.current, self._models[self.trial.model], None

    def roll_back(self, why: str) -> None:
        """Send the candidate away or, where there is none, let the model before this one answer again."""
        self.why = f"{self.trial.model if self.trial else self.current.name}: {why}"
        self._metrics.rollbacks.inc()
        if self.trial is None:
            self.previous, self.current = self.current, self.previous
        self.trial = None

    async def answer(self, ask: Ask, shadow: Ask | None = None) -> Any:
        """What ``ask`` makes of the model whose turn it is.

        A canary that fails is not seen to: the current model answers instead.

        Raises:
            ApiError: As the current model answers or fails to.
        """
        current, trial, notes = self.current, self.trial, NOTES.get()
        # Where everybody is the same caller, requests are told apart.
        is_taken = trial is not None and trial.takes(notes["caller"].replace("admin", "") or notes["request_id"])
        if is_taken and trial and trial.mode == "canary":
            with suppress(ApiError):
                return await self._ask(self._models[trial.model], ask)
        answer = await self._ask(current, ask)
        if is_taken and trial and trial.mode == "shadow" and shadow and len(self._shadows) < _MAX_SHADOWS:
            task = asyncio.create_task(self._compare(self._models[trial.model], shadow, answer))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)
        return answer

    async def close(self) -> None:
        """End what no caller waits for."""
        for task in self._shadows:
            task.cancel()
        await asyncio.gather(*self._shadows, return_exceptions=True)

    async def _ask(self, model: ModelClient, ask: Ask) -> Any:
        try:
            answer = await ask(model)
        except ApiError as error:
            if error.code.startswith("model_server"):  # all else is the caller's fault or the gateway's
                self._count(model.name, "failed")
            raise
        self._count(model.name, "invalid" if isinstance(answer, SqlAnswer) and answer.error else "answered")
        return answer

    async def _compare(self, model: ModelClient, ask: Ask, answer: SqlAnswer) -> None:
        NOTES.set({**NOTES.get()})  # its tokens are not the caller's
        found = "failed"
        with suppress(ApiError):
            other: SqlAnswer = await self._ask(model, ask)
            is_same = not (other.error or answer.error) and same_rows(
                [tuple(row) for row in answer.rows], [tuple(row) for row in other.rows]
            )
            found = "same" if is_same else "different"
        self._metrics.shadows.labels(found).inc()

    def _count(self, name: str, outcome: str) -> None:
        self._metrics.model_answers.labels(name, outcome).inc()
        self._asked[name] += 1
        self._failed[name] += outcome != "answered"
        usual = self.current.name
        if self.trial and name == self.trial.model and self._asked[name] in LOOKS and self._asked[usual]:
            new, old = (wilson_interval(self._failed[each], self._asked[each], CONFIDENCE) for each in (name, usual))
            if new.low > old.high:
                self.roll_back(f"{new} of {new.n} answers failed, and {old} of {old.n} of {usual}")

    def _show_versions(self) -> None:
        self._metrics.versions.clear()
        for name, model in self._models.items():
            self._metrics.versions.labels(name, model.version).set(1)
