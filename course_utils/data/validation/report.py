"""What validation found: for people as HTML in a notebook, for machines as JSON."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from course_utils.data.finding import CHECKS, SEVERITIES, Finding, Severity
from course_utils.data.formats.record import Record
from course_utils.data.validation.rows import SPLITS, Row, complete_row
from course_utils.errors import DataError

MAX_LISTED = 20
"""Reasons that ``raise_if_bad`` lists."""
MAX_PLACES = 5
"""Rows that it names for each."""


@dataclass(frozen=True)
class Rejected:
    """A row with at least one error, and the errors."""

    record: Record
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """Every error and its remedy in one line."""
        return "; ".join(f"{finding.reason}; {finding.fix}" for finding in self.findings)

    def __str__(self) -> str:
        return f"{self.record.place}: {self.reason}"

    def to_row(self) -> Row:
        """The row as ``rejected.jsonl`` keeps it: its fields, its place and why it was rejected."""
        checks = list(dict.fromkeys(finding.check for finding in self.findings))
        about = {"split": self.record.split, "place": self.record.place, "checks": checks, "reason": self.reason}
        fields = self.record.fields
        # A field of the same name must not be lost.
        return {**fields, **about} if fields.keys().isdisjoint(about) else {"row": fields, **about}


@dataclass(frozen=True)
class ValidationReport:
    """Findings, and the rows they are about. Accepted and rejected rows together are all that were read."""

    records: Sequence[Record] = field(repr=False)
    findings: Sequence[Finding] = field(repr=False)
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Checks that did not run, and why."""
    seconds: float = 0.0

    @property
    def n_read(self) -> int:
        """Rows read, good and bad."""
        return len(self.records)

    @property
    def n_read_by_split(self) -> dict[str, int]:
        """Rows read of each split."""
        return dict(Counter(record.split for record in self.records))

    @cached_property
    def rejected(self) -> list[Rejected]:
        """Rows with an error, in the order of the files."""
        errors: dict[tuple[str, int], list[Finding]] = defaultdict(list)
        for finding in self.findings:
            if finding.severity == "error":
                errors[finding.split, finding.number].append(finding)
        rows = ((record, errors.get((record.split, record.number))) for record in self.records)
        return [Rejected(record, tuple(found)) for record, found in rows if found]

    @cached_property
    def accepted(self) -> list[Record]:
        """Rows without an error, in the order of the files."""
        bad = {(row.record.split, row.record.number) for row in self.rejected}
        return [record for record in self.records if (record.split, record.number) not in bad]

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

    def of_check(self, check: str) -> list[Finding]:
        """Findings of one check, in the order of the rows."""
        return [finding for finding in self.findings if finding.check == check]

    def at_least(self, severity: Severity) -> list[Finding]:
        """Findings of this severity and worse."""
        wanted = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return [finding for finding in self.findings if finding.severity in wanted]

    def raise_if_bad(self) -> None:
        """Stop at rows with errors.

        Raises:
            DataError: There are some; lists the first ``MAX_LISTED`` reasons, each with its first ``MAX_PLACES`` rows.
        """
        if self.rejected:
            by_reason: dict[str, list[Rejected]] = defaultdict(list)
            for row in self.rejected:
                by_reason[row.reason].append(row)
            lines = [_line(rows) for rows in by_reason.values()]
            n_more = sum(len(rows) for rows in list(by_reason.values())[MAX_LISTED:])
            more = [f"... and {n_more} more"] if n_more else []
            raise DataError("\n".join([f"{len(self.rejected)} bad rows:", *lines[:MAX_LISTED], *more]))

    def to_json(self) -> dict[str, Any]:
        """Everything but the rows themselves, for ``json.dumps``."""
        return {
            "n_read": self.n_read_by_split,
            "n_accepted": len(self.accepted),
            "n_rejected": len(self.rejected),
            "counts": self.counts,
            "skipped": dict(self.skipped),
            "seconds": round(self.seconds, 2),
            "findings": [asdict(finding) for finding in self.findings],
        }

    def _repr_html_(self) -> str:
        from course_utils.data.validation.report_html import render_html

        return render_html(self)


def _line(rows: list[Rejected]) -> str:
    """Rows that are bad for one reason, such as a broken database, in one line."""
    places = ", ".join(row.record.place for row in rows[:MAX_PLACES])
    others = f" and {len(rows) - MAX_PLACES:,} rows more" if len(rows) > MAX_PLACES else ""
    return f"{places}{others}: {rows[0].reason}"
