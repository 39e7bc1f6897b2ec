"""The report of a validation: for people as a table in a notebook or a terminal, for machines as JSON."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from course_utils.data.formats.record import Record
from course_utils.data.validation.rows import CHECKS, complete_row
from course_utils.errors import DataError
from course_utils.files import SPLITS, Row
from course_utils.finding import SEVERITIES, Finding, Severity, findings_table, listed
from course_utils.tables import Table

if TYPE_CHECKING:
    from rich.console import Group

N_SHOWN = 2
"""Findings of each check that a notebook or a terminal shows; JSON has all."""
_STYLES: dict[Severity, str] = {"error": "red", "warning": "yellow", "note": "blue"}


@dataclass(frozen=True)
class Rejected:
    """A row with at least one error, and the errors."""

    record: Record
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """All errors and their fixes, in one line."""
        return "; ".join(f"{finding.reason}; {finding.fix}" for finding in self.findings)

    def to_row(self) -> Row:
        """The row as ``rejected.jsonl`` keeps it: its fields, its place and why it was rejected."""
        checks = list(dict.fromkeys(finding.check for finding in self.findings))
        about = {"split": self.record.split, "place": self.record.place, "checks": checks, "reason": self.reason}
        about |= {"raw": self.record.raw} if self.record.fault else {}
        fields = self.record.fields
        # A row may have a field of the same name, which must not be overwritten.
        return {**fields, **about} if fields.keys().isdisjoint(about) else {"row": fields, **about}


@dataclass(frozen=True)
class ValidationReport:
    """The rows that were read and the findings about them; every row is either accepted or rejected."""

    records: Sequence[Record] = field(repr=False)
    findings: Sequence[Finding] = field(repr=False)

    @cached_property
    def rejected(self) -> list[Rejected]:
        """Rows with an error, in the order of the files."""
        errors: dict[tuple[str, int], list[Finding]] = defaultdict(list)
        for finding in self.at_least("error"):
            errors[finding.split, finding.number].append(finding)
        rows = ((record, errors.get((record.split, record.number))) for record in self.records)
        return [Rejected(record, tuple(found)) for record, found in rows if found]

    @cached_property
    def accepted(self) -> list[Record]:
        """Rows without an error, in the order of the files."""
        bad = {id(row.record) for row in self.rejected}
        return [record for record in self.records if id(record) not in bad]

    @cached_property
    def splits(self) -> dict[str, list[Row]]:
        """The accepted rows by split, with defaults filled in."""
        rows: dict[str, list[Row]] = {split: [] for split in SPLITS}
        for record in self.accepted:
            rows.setdefault(record.split, []).append(complete_row(record))
        return rows

    @property
    def counts(self) -> dict[str, dict[Severity, int]]:
        """Findings by check and severity, for the checks that found something."""
        found = Counter((finding.check, finding.severity) for finding in self.findings)
        by_check = {check: {level: found[check, level] for level in SEVERITIES} for check in CHECKS}
        return {check: levels for check, levels in by_check.items() if any(levels.values())}

    def at_least(self, severity: Severity) -> list[Finding]:
        """Findings of this severity or a worse one."""
        wanted = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return [finding for finding in self.findings if finding.severity in wanted]

    def only(self, checks: Collection[str]) -> "ValidationReport":
        """The report with the findings of these checks only, and those of rows that could not be read."""
        unread = {(record.split, record.number) for record in self.records if record.fault}
        kept = [found for found in self.findings if found.check in checks or (found.split, found.number) in unread]
        return ValidationReport(self.records, kept)

    def raise_if_bad(self) -> None:
        """Refuse rows with errors.

        Raises:
            DataError: Rows have errors; lists each reason with its first row and the number of others.
        """
        by_reason: dict[str, list[str]] = defaultdict(list)
        for row in self.rejected:
            by_reason[row.reason].append(row.record.place)
        others = {reason: f" and {len(places) - 1:,} more" * (len(places) > 1) for reason, places in by_reason.items()}
        if by_reason:
            lines = [f"{places[0]}{others[reason]}: {reason}" for reason, places in by_reason.items()]
            raise DataError(listed(f"{len(self.rejected)} bad rows", lines))

    def to_json(self) -> dict[str, Any]:
        """Everything but the rows themselves, for ``json.dumps``."""
        return {
            "n_read": Counter(record.split for record in self.records),
            "n_accepted": len(self.accepted),
            "n_rejected": len(self.rejected),
            "counts": self.counts,
            "findings": [asdict(finding) for finding in self.findings],
        }

    def table(self) -> Table:
        """The number of findings by check and severity."""
        read = ", ".join(f"{n:,} {split}" for split, n in Counter(record.split for record in self.records).items())
        verdict = f"{len(self.rejected):,} of them must not be used" if self.rejected else "none of them has an error"
        lines = ((check, *(f"{n:,}" if n else "" for n in levels.values())) for check, levels in self.counts.items())
        columns = ("check", *(f"{level}s" for level in SEVERITIES))
        caption = f"{len(self.records):,} rows read ({read}); {verdict}."
        return Table(caption, columns, tuple(lines), frozenset({"check"}))

    def _repr_html_(self) -> str:
        """The table, and folded below it the first findings of each check."""
        shown = findings_table(self._first())._repr_html_()
        summary = f"The first {N_SHOWN} findings of each check, the worst first"
        details = f"<details><summary>{summary}</summary>{shown}</details>"
        return f"<div>{self.table()._repr_html_()}{details if self.findings else ''}</div>"

    def __rich__(self) -> "Group":
        """The same for a terminal, unfolded: one line per finding, with its check and place first."""
        from rich.console import Group
        from rich.text import Text

        lines = [Text(f"{each.check}: {each}", style=_STYLES[each.severity]) for each in self._first()]
        return Group(self.table().__rich__(), *lines)

    def _first(self) -> Iterator[Finding]:
        """The first ``N_SHOWN`` findings of each check, errors before warnings before notes."""
        ranked = sorted(self.findings, key=lambda finding: SEVERITIES.index(finding.severity))
        for check in self.counts:
            yield from [finding for finding in ranked if finding.check == check][:N_SHOWN]
