"""One finding: what was looked at, how bad it is, why, and what to do. Every check of the course speaks in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from course_utils.tables import Table, text_table, without_control

Severity = Literal["error", "warning", "note"]
"""error: must be mended; warning: look at it; note: good to know."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Worst first."""

MAX_LENGTH = 1_000
"""Characters of a reason or a fix."""
MAX_LINES = 20
"""Lines of an error that lists bad rows."""


@dataclass(frozen=True)
class Finding:
    """What a check says of a text, a row, a split or a machine."""

    check: str
    severity: Severity
    reason: str  # what is wrong, with the evidence
    fix: str = ""  # what to do
    place: str = ""  # "data/train.jsonl:17", for people
    split: str = ""
    number: int = 0  # row number in its split, from 1; 0 speaks of the whole split, or of no row

    def __post_init__(self) -> None:
        # Evidence and place may come from a stranger: no control character of them may steer the terminal.
        for name in ("reason", "fix", "place"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.place, "; ".join(filter(None, [self.reason, self.fix]))]))


class Findings(list[Finding]):
    """Findings that show themselves as a table in a notebook."""

    def _repr_html_(self) -> str:
        return findings_table(self)._repr_html_() if self else "<p>Nothing found.</p>"


def findings_table(findings: Iterable[Finding]) -> Table:
    """One line a finding: its check, severity, place, reason and fix; the place only where one has it."""
    found = [*findings]
    names = [name for name in ("check", "severity", "place", "reason") if any(getattr(each, name) for each in found)]
    return text_table([*names, "what to do"], [[*(getattr(each, name) for name in names), each.fix] for each in found])


def listed(title: str, lines: Sequence[str]) -> str:
    """The text of an error that lists what is wrong: the first ``MAX_LINES`` lines, and how many more there are."""
    more = [f"... and {len(lines) - MAX_LINES:,} more"] if len(lines) > MAX_LINES else []
    return "\n".join([f"{title}:", *lines[:MAX_LINES], *more])


def printable(text: str) -> str:
    """A text of bounded length without control characters, which could steer the terminal that shows it."""
    return without_control(text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]} ...")


def quoted(text: str) -> str:
    """A text as evidence: one line, in quotes, with its middle left out if it is long."""
    line = " ".join(text.split())
    if len(line) > 80:
        line = f"{line[:53]} ... {line[-20:]}"
    return f'"{line}"'
