"""Does the served file answer as the trained model does? Ask both the same questions and compare."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.errors import ServiceError
from course_utils.models import generate, load_model, load_tokenizer
from course_utils.prompts import Message, encode_prompt

if TYPE_CHECKING:
    import pandas as pd

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
        """Replies that are the same text."""
        return sum(a == b for a, b in zip(self.first, self.second, strict=True))

    @property
    def share(self) -> float:
        """``n_equal / n``, between 0 and 1; higher is better."""
        return self.n_equal / self.n if self.n else 0.0

    def differences(self) -> "pd.DataFrame":
        """The replies that differ, side by side."""
        import pandas as pd

        pairs = enumerate(zip(self.first, self.second, strict=True))
        rows = [{"question": index, "first": a, "second": b} for index, (a, b) in pairs if a != b]
        return pd.DataFrame(rows, columns=["question", "first", "second"])

    def _repr_html_(self) -> str:
        return f"<b>{self.n_equal} of {self.n}</b> replies are equal, letter by letter ({self.share:.1%})"


def compare_engines(
    folder: Path, url: str, conversations: Sequence[list[Message]], *, max_new_tokens: int, batch_size: int = 16
) -> Parity:
    """Greedy replies of Transformers (first) and of a model server (second).

    Args:
        folder: The merged model.
        url: An OpenAI-compatible server of the same model.
        conversations: As ``prompts.to_messages`` makes them.
        max_new_tokens: Tokens of a reply at most.
        batch_size: Prompts that Transformers takes at once.

    Raises:
        ModelError: The folder holds no model.
        ServiceError: The server does not answer, or answers with an error.
    """
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    prompts = [encode_prompt(tokenizer, messages) for messages in conversations]
    first = generate(model, tokenizer, prompts, max_new_tokens=max_new_tokens, batch_size=batch_size)
    second = ask_greedily(url, conversations, max_new_tokens=max_new_tokens)
    return Parity([reply.strip() for reply in first], [reply.strip() for reply in second])


def ask_greedily(url: str, conversations: Sequence[list[Message]], *, max_new_tokens: int) -> list[str]:
    """Replies of a model server at temperature 0, in order; a few are asked for at a time.

    Raises:
        ServiceError: The server does not answer, or answers with an error.
    """
    import httpx

    with httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False) as client:

        def ask(messages: list[Message]) -> str:
            body: dict[str, Any] = {"messages": messages, "temperature": 0, "max_tokens": max_new_tokens}
            try:
                response = client.post("/v1/chat/completions", json=body).raise_for_status()
            except httpx.HTTPError as error:
                raise ServiceError(f"{url}: {error}; is the model server running?") from error
            return str(response.json()["choices"][0]["message"]["content"] or "")

        with ThreadPoolExecutor(_N_AT_A_TIME) as pool:
            return list(pool.map(ask, conversations))
