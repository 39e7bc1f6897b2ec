"""The one type of result for every check of the course: what was checked, how severe it is, why, and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from course_utils.tables import Table, text_table, without_control

Severity = Literal["error", "warning", "note"]
"""error: has to be fixed; warning: look at it; note: good to know."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From worst to least."""

MAX_LENGTH = 1_000
"""Most characters of a reason, fix or place; the rest is cut off."""
MAX_LINES = 20
"""Most bad rows that one error lists; it counts the others."""


@dataclass(frozen=True)
class Finding:
    """One result of a check on a text, a row, a split or a machine."""

    check: str
    severity: Severity
    reason: str  # what is wrong, with the evidence
    fix: str = ""  # what to do
    place: str = ""  # "data/train.jsonl:17", for people
    split: str = ""
    number: int = 0  # row number in its split, from 1; 0 means the whole split, or no row

    def __post_init__(self) -> None:
        # Evidence and place may quote untrusted data, whose control characters must not reach the terminal.
        for name in ("reason", "fix", "place"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.place, "; ".join(filter(None, [self.reason, self.fix]))]))


class Findings(list[Finding]):
    """A list of findings that a notebook displays as a table."""

    def _repr_html_(self) -> str:
        return findings_table(self)._repr_html_() if self else "<p>Nothing found.</p>"


def findings_table(findings: Iterable[Finding]) -> Table:
    """One row per finding: check, severity, place, reason (each unless it is empty in all rows), and fix."""
    found = [*findings]
    names = [name for name in ("check", "severity", "place", "reason") if any(getattr(each, name) for each in found)]
    return text_table([*names, "what to do"], [[*(getattr(each, name) for name in names), each.fix] for each in found])


def listed(title: str, lines: Sequence[str]) -> str:
    """An error text: the title, the first ``MAX_LINES`` of ``lines``, and how many more there are."""
    more = [f"... and {len(lines) - MAX_LINES:,} more"] if len(lines) > MAX_LINES else []
    return "\n".join([f"{title}:", *lines[:MAX_LINES], *more])


def printable(text: str) -> str:
    """Cut a text after ``MAX_LENGTH`` characters and escape control characters, which could steer a terminal."""
    return without_control(text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]} ...")


def quoted(text: str) -> str:
    """A text as evidence: on one line, in quotes, with its middle left out beyond 80 characters."""
    line = " ".join(text.split())
    if len(line) > 80:
        line = f"{line[:53]} ... {line[-20:]}"
    return f'"{line}"'
