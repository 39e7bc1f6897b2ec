"""A validation report for a terminal."""

from typing import TYPE_CHECKING

from course_utils.data.finding import SEVERITIES, Severity
from course_utils.data.validation.report import ValidationReport

if TYPE_CHECKING:
    from rich.console import Group

STYLES: dict[Severity, str] = {"error": "red", "warning": "yellow", "note": "blue"}
N_SHOWN = 5
"""Findings of each check that are listed."""


def render_table(report: ValidationReport, n_shown: int = N_SHOWN) -> "Group":
    """Counts by check, then the first findings of each, errors first.

    Args:
        report: What validation found.
        n_shown: Findings to list of each check.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    read = ", ".join(f"{n:,} {split}" for split, n in report.n_read_by_split.items())
    table = Table(title=f"{report.n_read:,} rows read ({read}), {len(report.rejected):,} of them with an error")
    table.add_column("check")
    for severity in SEVERITIES:
        table.add_column(f"{severity}s", justify="right", style=STYLES[severity])
    for check, levels in report.counts.items():
        table.add_row(check, *(f"{n:,}" if n else "" for n in levels.values()))
    lines = []
    for check in report.counts:
        found = sorted(report.of_check(check), key=lambda finding: SEVERITIES.index(finding.severity))
        lines += [Text(f"{check}: {finding}", style=STYLES[finding.severity]) for finding in found[:n_shown]]
        if len(found) > n_shown:
            lines.append(Text(f"{check}: ... and {len(found) - n_shown:,} more"))
    lines += [Text(f"{check}: not checked, {why}") for check, why in report.skipped.items()]
    return Group(table, *lines)
