"""Does the validation find what is wrong, and only that? Injected defects found, and false alarms on clean data.

The rows are the course's own. Each seed chooses other rows, and other ways to corrupt them. The kinds of defects are
those that the checks are made for. So this measures how many of them are missed, and says nothing about other mistakes,
such as a query that runs but answers another question.
"""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.more_defects import every_defect
from course_utils.artifacts import open_course
from course_utils.data.inject import Injection, inject_defects
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.validate import ValidationOptions, validate_dataset, validate_rows
from course_utils.figures import PALETTE, course_style, new_axes
from course_utils.files import resolve
from course_utils.finding import Finding
from course_utils.setup import probe_machine
from course_utils.sql import find_database, list_databases

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
SEEDS = (0, 1, 2, 3, 4)
N_EACH = 10
MAX_LENGTH = 2048


def measure(seeds: tuple[int, ...] = SEEDS, data: str = "data") -> dict[str, Any]:
    """Validate the clean rows, and the rows with injected defects of each seed.

    Args:
        seeds: Each injects ``N_EACH`` defects of every kind.
        data: The dataset's folder.

    Returns:
        Found and injected defects by kind; false alarms in the clean rows and in the untouched ones of the others.
    """
    folder = resolve(data)
    course = open_course("smoke")
    options = ValidationOptions(
        course=replace(course, profile=replace(course.profile, name="every row", max_length=MAX_LENGTH))
    )
    with tempfile.TemporaryDirectory() as build_in:
        clean = validate_dataset(folder, Path(build_in), options)
        databases = {name: find_database(folder, name, Path(build_in)) for name in list_databases(folder)}
        runs, defects = [], every_defect(clean.splits)
        for seed in seeds:
            injection = inject_defects(clean.splits, defects, N_EACH, seed)
            report = validate_rows(injection.splits, databases, options)
            counts = injection.count_found(report.findings)
            runs.append((counts, _share(report, false_alarms(report.findings, injection))))
            logger.info("seed %d: %s", seed, counts)
    kinds = {kind: [sum(run[0][kind][name] for run in runs) for name in ("found", "injected")] for kind in defects}
    return {
        "machine": asdict(probe_machine()),
        "n_rows": len(clean.records),
        "n_injected": sum(n for _, n in kinds.values()),
        "found_share": sum(found for found, _ in kinds.values()) / sum(n for _, n in kinds.values()),
        "found_by_kind": kinds,
        "false_alarms_clean": _share(clean, false_alarms(clean.findings)),
        "false_alarms_among_injected": [share for _, share in runs],
        "false_alarms_by_check": {
            check: {level: levels[level] for level in ("error", "warning")} for check, levels in clean.counts.items()
        },
    }


def false_alarms(findings: Sequence[Finding], injection: Injection | None = None) -> list[Finding]:
    """Errors and warnings about rows that have no injected defect, and whose question no such row has copied."""
    splits, defects = (injection.splits, injection.defects) if injection else ({}, [])
    corrupted = [splits[defect.split][defect.number - 1] for defect in defects]
    questions = {str(row.get("question")) for row in corrupted}
    places = {
        (split, number)
        for split, rows in splits.items()
        for number, row in enumerate(rows, 1)
        if str(row.get("question")) in questions
    }
    return [f for f in findings if f.severity != "note" and f.number and (f.split, f.number) not in places]


def _share(report: ValidationReport, alarms: list[Any]) -> float:
    """Rows with an alarm as a share of all, 0 to 1, lower is better."""
    return round(len({(alarm.split, alarm.number) for alarm in alarms}) / len(report.records), 5)


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Share of the injected defects that were found, by kind, with 95 % Wilson intervals."""
    from course_utils.evaluation import wilson_interval

    found_share, false_alarms_clean = 100 * result["found_share"], 100 * result["false_alarms_clean"]
    title = f"{found_share:.1f} % of {result['n_injected']:,} defects found; "
    title += f"false alarms at {false_alarms_clean:.2f} % of the clean rows"
    axes = new_axes(title, height=6)
    shares = {kind: wilson_interval(found, n) for kind, (found, n) in result["found_by_kind"].items()}
    for place, share in enumerate(shares.values()):
        ends = [[100 * (share.value - share.low)], [100 * (share.high - share.value)]]
        axes.errorbar([100 * share.value], [place], xerr=ends, fmt="o", capsize=3, color=PALETTE[0])
    axes.set_yticks(range(len(shares)), list(shares))
    axes.invert_yaxis()
    axes.set(xlabel="injected defects found (%)", xlim=(79, 101))
    return axes
