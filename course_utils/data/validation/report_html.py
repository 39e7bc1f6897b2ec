"""A validation report as HTML that fits a notebook: a table of checks, and the first findings of each, folded.

Colours are transparent over the page's own, so that light and dark themes both stay readable.
"""

from collections import defaultdict
from html import escape
from typing import TYPE_CHECKING

from course_utils.data.finding import SEVERITIES, Finding, Severity

if TYPE_CHECKING:
    from course_utils.data.validation.report import ValidationReport

MAX_BYTES = 24_000
COLOURS: dict[Severity, str] = {"error": "220,50,47", "warning": "203,150,0", "note": "38,139,210"}
_MAX_REASON = 260
_LEFT = 'style="text-align:left"'


def render_html(report: "ValidationReport") -> str:
    """The report; the fewer findings of a check are shown, the more there are of long ones."""
    by_check: dict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(report.findings, key=lambda finding: SEVERITIES.index(finding.severity)):
        by_check[finding.check].append(finding)
    for n_shown in (5, 3, 2, 1):
        page = _page(report, by_check, n_shown)
        if len(page.encode("utf-8", "replace")) <= MAX_BYTES:
            break
    return page


def _page(report: "ValidationReport", by_check: dict[str, list[Finding]], n_shown: int) -> str:
    head = "".join(f"<th {_LEFT}>{name}</th>" for name in ("check", *(f"{level}s" for level in SEVERITIES)))
    lines = [f"<tr><td {_LEFT}>{check}</td>{_cells(levels)}</tr>" for check, levels in report.counts.items()]
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>" if lines else ""
    folded = "".join(_folded(check, by_check[check], n_shown) for check in report.counts)
    skipped = "".join(f"<br>Not checked: {escape(check)}, {escape(why)}." for check, why in report.skipped.items())
    return f"<div><p>{_summary(report)}{skipped}</p>{table}{folded}</div>"


def _summary(report: "ValidationReport") -> str:
    read = ", ".join(f"{n:,} {escape(split)}" for split, n in report.n_read_by_split.items())
    n_bad = len(report.rejected)
    verdict = f"{n_bad:,} of them must not be used" if n_bad else "none of them has an error"
    return f"<b>{report.n_read:,} rows read</b> ({read}); {verdict}."


def _cells(levels: dict[Severity, int]) -> str:
    cells = []
    for level, n in levels.items():
        background = f"background:rgba({COLOURS[level]},0.25)" if n else "opacity:0.4"
        cells.append(f'<td style="text-align:right;{background}">{n:,}</td>')
    return "".join(cells)


def _folded(check: str, findings: list[Finding], n_shown: int) -> str:
    items = "".join(_item(finding) for finding in findings[:n_shown])
    more = f"<li>... and {len(findings) - n_shown:,} more</li>" if len(findings) > n_shown else ""
    return f"<details><summary>{check} ({len(findings):,})</summary><ul>{items}{more}</ul></details>"


def _item(finding: Finding) -> str:
    reason = finding.reason if len(finding.reason) <= _MAX_REASON else f"{finding.reason[:_MAX_REASON]} ..."
    edge = f"border-left:4px solid rgb({COLOURS[finding.severity]});padding-left:6px"
    place = f"<code>{escape(finding.place)}</code>"
    return f'<li style="{edge}">{place} {escape(reason)}. <i>{escape(finding.fix[:_MAX_REASON])}.</i></li>'
