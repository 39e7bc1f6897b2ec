"""Does the served file answer as the trained model does? Ask both the same questions and compare."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from course_utils.deployment.stack import MODEL_NAME
from course_utils.errors import ServiceError
from course_utils.prompts import TEMPLATE_OPTIONS, Message
from course_utils.proportion import Proportion, wilson_interval

_TIMEOUT_S = 120.0
_N_AT_A_TIME = 4


def equal_replies(first: Sequence[str], second: Sequence[str]) -> Proportion:
    """The share of replies of two engines to the same conversations that are one text, but for white space around it.

    Higher is better. Its interval says what a few questions cannot show: that all replies are equal.

    Raises:
        DataError: There are no replies.
    """
    equal = [one.strip() == other.strip() for one, other in zip(first, second, strict=True)]
    return wilson_interval(sum(equal), len(equal))


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
