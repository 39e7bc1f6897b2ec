"""What a model costs: a dated table of what services charge, a count of what they bill, the price of a right answer."""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TOKENS_OF_MESSAGE = 4
"""What a chat format adds around a message, about."""
_PIECE = re.compile(r"[A-Za-z]{1,7}|\w|[^\w\s]+|\n+")


@cache
def known_services() -> dict[str, dict[str, Any]]:
    """The limits and prices of every service by its name, as ``prices.toml`` explains them."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def count_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """About as many tokens as a chat has, whatever the tokenizer: pieces of up to seven letters, digits, runs of marks.

    Of English schemas, questions and queries that is 93 to 106 per cent of SmolLM2's count. Services with a larger
    vocabulary count fewer; a letter beyond ASCII counts as one, which is rather too many.
    """
    return sum(len(_PIECE.findall(message["content"])) + TOKENS_OF_MESSAGE for message in messages)


@dataclass(frozen=True)
class Serving:
    """One way to have questions answered, and its price in USD."""

    name: str
    usd_per_hour: float = 0.0
    """Paid whether anybody asks or not."""
    usd_per_question: float = 0.0
    accuracy: float = 1.0
    """Share of its answers that are right, in (0, 1]."""

    def usd_per_1000_right(self, per_hour: float) -> float:
        """Price of a thousand right answers at so many questions an hour; lower is better."""
        return 1000 * (self.usd_per_hour / per_hour + self.usd_per_question) / self.accuracy


def break_even_per_hour(own: Serving, service: Serving) -> float:
    """Questions an hour above which ``own`` is the cheaper one per right answer; 0 if it always is, inf if at none.

    With prices h by the hour and q by the question, and accuracy a, both cost the same at n questions an hour:
    (h1 / n + q1) / a1 = (h2 / n + q2) / a2, so n = (h1 / a1 - h2 / a2) / (q2 / a2 - q1 / a1).
    """
    fixed = own.usd_per_hour / own.accuracy - service.usd_per_hour / service.accuracy
    saved = service.usd_per_question / service.accuracy - own.usd_per_question / own.accuracy
    if saved <= 0:
        return 0.0 if saved == 0 and fixed < 0 else math.inf
    return max(0.0, fixed / saved)
