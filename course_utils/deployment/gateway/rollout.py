"""Replace the model that answers while requests go on: by way of shadow and canary to all, or back.

Only models of the settings take part, so that nobody can name another server at run time. The state is in this process:
each of several gateways must be told, and a restart begins with the settings.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field

from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.metrics import NOTES, GatewayMetrics
from course_utils.deployment.gateway.model_client import ModelClient
from course_utils.deployment.gateway.settings import Version
from course_utils.deployment.gateway.sql_answers import SqlAnswer
from course_utils.proportion import wilson_interval
from course_utils.sql import find_difference

LOOKS = frozenset(20 * 2**k for k in range(20))
"""Numbers of its answers at which a candidate is judged: few, because each look may reject a good one by chance."""
CONFIDENCE = 0.99
"""Level of the intervals of both models' shares of failures; a candidate wholly above the other is rolled back."""
_MAX_SHADOWS = 8
T = TypeVar("T")
Ask = Callable[[ModelClient, GatewayMetrics], Awaitable[T]]
"""A function that asks a model and counts its answer in the metrics."""


class Switch(BaseModel, extra="forbid", strict=True, use_attribute_docstrings=True):
    """The role of a model: answer ``all``, be a candidate (``shadow``, ``canary``), or stop being one (``off``).

    A ``shadow`` gets a copy of a share of the requests to ``/v1/sql``; its answers are compared with the current
    model's and counted. A ``canary`` answers a share of the callers, who stay with it.
    """

    model: str
    """The name of a model in the settings."""
    mode: Literal["shadow", "canary", "all", "off"]
    version: Version | None = None
    """The version that its server has now, such as a file's hash; None leaves it as it was."""
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Share of the callers, or of an admin's requests; at most a half, or too few are left to compare with."""

    def takes(self, key: str) -> bool:
        """Whether a caller or request belongs to the share: the same for one key each time."""
        return Random(f"{self.model} {self.version} {key}").random() < self.share


class Rollout:
    """Which model answers by the gateway's own model name, and which candidate is on trial."""

    def __init__(self, models: Mapping[str, ModelClient], first: str, metrics: GatewayMetrics) -> None:
        self.models, self._first, self._metrics, self.current = models, first, metrics, models[first]
        self.trial: Switch | None = None
        self.why = ""
        self._asked, self._failed = Counter[str](), Counter[str]()
        self._shadows: set[asyncio.Task[None]] = set()
        self._uncounted = GatewayMetrics()  # a shadow's answers reach nobody
        self._tell_versions()

    def _tell_versions(self) -> None:
        self._metrics.versions.clear()
        for name, model in self.models.items():
            self._metrics.versions.labels(name, model.version).set(1)

    def __str__(self) -> str:
        """The current model, the candidate, and why the last candidate was rolled back."""
        trial = f"; {self.trial.mode} of {self.trial.model}, {self.trial.share:.0%}" if self.trial else ""
        return f"{self.current.name} answers{trial}{self.why and f'; rolled back: {self.why}'}"

    def find(self, name: str) -> ModelClient:
        """A model by its name in the settings; ApiError 404 if there is none."""
        if name not in self.models:
            message = f"no model {name!r}; this server has {', '.join(map(repr, self.models))}"
            raise ApiError(404, message, code="model_not_found", param="model")
        return self.models[name]

    def switch(self, wanted: Switch) -> None:
        """Give a model a role; running requests end at the model where they began.

        Raises:
            ApiError: 404 if the settings have no such model, 409 if it is the current one, or to end another's trial.
        """
        model, found = self.find(wanted.model), ""
        if model is self.current:
            found = "is the current model already; name another"
        elif wanted.mode == "off" and self.trial and self.trial.model != wanted.model:
            found = f"is no candidate; {self.trial.model!r} is"
        if found:
            raise ApiError(409, f"{wanted.model!r} {found}", code="rollout_conflict", param="model")
        model.version = wanted.version or model.version
        self.trial, self.why = wanted if wanted.mode in ("shadow", "canary") else None, ""
        self.current = model if wanted.mode == "all" else self.current
        self._asked, self._failed = Counter(), Counter()
        self._tell_versions()

    async def answer(self, name: str | None, ask: Ask[T]) -> T:
        """Ask a model by its name; by the gateway's own name, the current model or a canary, each for its callers.

        If a canary gives none, the current model answers instead. A shadow is asked afterwards, in the background.

        Raises:
            ApiError: 404 if there is no such model; else as ``ask``.
        """
        if name and name != self._first:
            return await ask(self.find(name), self._metrics)
        current, trial, notes = self.current, self.trial, NOTES.get()
        # All admins by ``api_key`` are one caller, so the share is of their requests.
        if trial is None or not trial.takes(notes["caller"].replace("admin", "") or notes["request_id"]):
            return await self._ask(current, ask)
        candidate, refused = self.models[trial.model], False
        if trial.mode == "canary":
            try:
                return await self._ask(candidate, ask)
            except ApiError as error:
                refused = error.code == "model_server_refused"
        answer = await self._ask(current, ask)
        if refused:  # by its own fault, for the current model has answered the same request
            self._count(candidate.name, "failed")
        if trial.mode == "shadow" and isinstance(answer, SqlAnswer) and len(self._shadows) < _MAX_SHADOWS:
            task = asyncio.create_task(self._compare(candidate, ask, answer))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)
        return answer

    async def _ask(self, model: ModelClient, ask: Ask[T], metrics: GatewayMetrics | None = None) -> T:
        try:
            answer = await ask(model, metrics or self._metrics)
        except ApiError as error:
            if error.code.startswith("model_server") and error.status_code >= 500:  # others may be the request's fault
                self._count(model.name, "failed")
            raise
        self._count(model.name, "invalid" if isinstance(answer, SqlAnswer) and answer.error else "answered")
        return answer

    async def _compare(self, model: ModelClient, ask: Ask[Any], answer: SqlAnswer) -> None:
        NOTES.set({**NOTES.get()})  # a copy, because the caller does not pay for its tokens
        with suppress(ApiError):
            other: SqlAnswer = await self._ask(model, ask, self._uncounted)
            runs = not (other.error or answer.error)
            is_same = runs and find_difference(answer.result, other.result, answer.query) is None
            self._metrics.shadows.labels("same" if is_same else "different").inc()

    def _count(self, name: str, outcome: str) -> None:
        self._metrics.model_answers.labels(name, outcome).inc()
        self._asked[name] += 1
        self._failed[name] += outcome != "answered"
        usual = self.current.name
        if self.trial and name == self.trial.model and self._asked[name] in LOOKS and self._asked[usual]:
            new, old = (wilson_interval(self._failed[each], self._asked[each], CONFIDENCE) for each in (name, usual))
            if new.low > old.high:
                self.trial, self.why = None, f"{name}: {new} of {new.n} answers failed, and {old} of {old.n} of {usual}"
                self._metrics.rollbacks.inc()
