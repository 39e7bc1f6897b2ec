"""Does the served file answer as the trained model does? Ask both the same questions and compare."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from course_utils.deployment.stack import MODEL_NAME
from course_utils.errors import ServiceError
from course_utils.prompts import TEMPLATE_OPTIONS, Message
from course_utils.proportion import Proportion, wilson_interval
from course_utils.tables import Table, text_table

_TIMEOUT_S = 120.0
_N_AT_A_TIME = 4


@dataclass(frozen=True)
class Parity:
    """Replies of two engines to the same conversations, in the same order."""

    first: list[str]
    second: list[str]

    @property
    def n(self) -> int:
        """Conversations compared."""
        return len(self.first)

    @property
    def n_equal(self) -> int:
        """Replies that are the same text, but for white space around it."""
        return sum(a.strip() == b.strip() for a, b in zip(self.first, self.second, strict=True))

    @property
    def share(self) -> float:
        """``n_equal / n``, between 0 and 1; higher is better."""
        return self.n_equal / self.n if self.n else 0.0

    @property
    def interval(self) -> Proportion:
        """``share`` with its 95 % interval: a few questions cannot show that all replies are equal."""
        return wilson_interval(self.n_equal, self.n)

    def differences(self, first: str, second: str, limit: int = 3) -> Table:
        """The first replies that differ, side by side under the names of the engines."""
        pairs = enumerate(zip(self.first, self.second, strict=True))
        rows = [(str(index), a, b) for index, (a, b) in pairs if a.strip() != b.strip()]
        return text_table(("question", first, second), rows[:limit], f"{len(rows)} of {self.n} replies differ")

    def _repr_html_(self) -> str:
        return f"<b>{self.n_equal} of {self.n}</b> replies are equal, letter by letter: {self.interval}"


def answer_over_http(url: str, conversations: Sequence[list[Message]], *, max_new_tokens: int) -> list[str]:
    """Greedy replies of an OpenAI-compatible model server, in order; a few are asked for at a time.

    Raises:
        ServiceError: The server does not answer, or answers with an error.
    """
    import httpx

    with httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False) as client:

        def ask(messages: list[Message]) -> str:
            body: dict[str, Any] = {"model": MODEL_NAME, "messages": messages, "temperature": 0}
            body |= {"max_tokens": max_new_tokens, "chat_template_kwargs": TEMPLATE_OPTIONS}
            try:
                response = client.post("/v1/chat/completions", json=body).raise_for_status()
            except httpx.HTTPError as error:
                raise ServiceError(f"{url}: {error}; is the model server running?") from error
            return str(response.json()["choices"][0]["message"]["content"] or "")

        with ThreadPoolExecutor(_N_AT_A_TIME) as pool:
            return list(pool.map(ask, conversations))
