"""One finding of the validation: which check, which row, how bad, why, and what to do.

The words of the whole validation meet here; the checks themselves are one module each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
