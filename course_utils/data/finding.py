"""One finding of the validation: which check, which row, how bad, why, and what to do.

The words of the whole validation meet here; the checks themselves are one module each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]
"""error: must not be trained or tested on; warning: look at it; note: good to know."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Worst first."""

CHECKS: tuple[str, ...] = (
    "schema",
    "encoding",
    "template",
    "syntax",
    "execution",
    "empty-result",
    "constant-result",
    "enormous-result",
    "exact-duplicate",
    "near-duplicate",
    "leak-exact",
    "leak-near",
    "leak-skeleton",
    "contradiction",
    "personal-data",
    "profanity",
    "length",
    "label-balance",
    "diversity",
)
"""Every check's name; the list is closed."""


MAX_LENGTH = 1_000
"""Characters of a reason or a fix."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Finding:
    """One thing that a check found in one row (or in a split as a whole, `number` 0)."""

    check: str  # one of CHECKS
    severity: Severity
    split: str
    number: int  # row number in its split, from 1; 0 speaks of the whole split
    place: str  # "data/train.jsonl:17", for people
    reason: str  # what is wrong, with the evidence
    fix: str  # what to do

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}; {self.fix}"


class Problem(NamedTuple):
    """What a check of one text or one query says; it does not know yet where that stands."""

    check: str
    severity: Severity
    reason: str
    fix: str

    def at(self, split: str, number: int, place: str) -> Finding:
        """The finding for one row that has this problem."""
        return Finding(self.check, self.severity, split, number, place, printable(self.reason), printable(self.fix))


def printable(text: str) -> str:
    """A text of bounded length without control characters, which could steer the terminal that shows it."""
    shown = text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]} ..."
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", shown)


def quoted(text: str, limit: int = 80) -> str:
    """A text as evidence: one line, in quotes, with its middle left out if it is long."""
    line = " ".join(text.split())
    if len(line) > limit:
        line = f"{line[: limit * 2 // 3]} ... {line[-(limit // 4) :]}"
    return f'"{line}"'
