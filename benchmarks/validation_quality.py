"""Does the validation find what is wrong, and only that? Planted defects found, and false alarms on clean data.

The rows are the course's own. Each seed chooses other rows to spoil and other ways of spoiling them. The kinds are
those that the checks are made for: this measures that none slips through, and says nothing about other kinds of
mistakes, such as a query that runs and answers another question.
"""

import json
import logging
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import resolve
from course_utils.data.planted import DEFECTS, count_found, false_alarms, plant
from course_utils.data.validation.options import ValidationOptions
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.validate import validate_dataset, validate_rows
from course_utils.models import load_tokenizer
from course_utils.setup import probe_machine
from course_utils.sql import find_database, list_databases

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
SEEDS = (0, 1, 2, 3, 4)
N_EACH = 10
MAX_LENGTH = 2048


def measure(seeds: tuple[int, ...] = SEEDS, data: str = "data") -> dict[str, Any]:
    """Validate the clean rows, and the rows with planted defects of each seed.

    Args:
        seeds: Each plants ``N_EACH`` defects of every kind.
        data: The dataset's folder.

    Returns:
        Found and planted defects by kind; false alarms in the clean rows and in the untouched ones of spoiled datasets.
    """
    folder = resolve(data)
    options = ValidationOptions(tokenizers=(load_tokenizer(resolve("data/tiny_base")),), max_length=MAX_LENGTH)
    with tempfile.TemporaryDirectory() as build_in:
        clean = validate_dataset(folder, Path(build_in), options)
        databases = {name: find_database(folder, name, Path(build_in)) for name in list_databases(folder)}
        runs = []
        for seed in seeds:
            rows, planted = plant(clean.splits, n_each=N_EACH, seed=seed)
            report = validate_rows(rows, databases, options)
            runs.append((count_found(planted, report.findings), _share(report, false_alarms(planted, report.findings))))
            logger.info("seed %d: %s", seed, {kind: f"{found}/{n}" for kind, (found, n) in runs[-1][0].items()})
    kinds = {kind: [sum(run[0][kind][i] for run in runs) for i in (0, 1)] for kind in DEFECTS}
    return {
        "benchmark": "validation_quality",
        "machine": json.loads(json.dumps(asdict(probe_machine()), default=str)),
        "n_rows": clean.n_read,
        "n_planted": sum(n for _, n in kinds.values()),
        "found_share": sum(found for found, _ in kinds.values()) / sum(n for _, n in kinds.values()),
        "found_by_kind": kinds,
        "false_alarms_clean": _share(clean, false_alarms([], clean.findings)),
        "false_alarms_among_planted": [share for _, share in runs],
        "false_alarms_by_check": {
            check: {level: levels[level] for level in ("error", "warning")} for check, levels in clean.counts.items()
        },
        "skipped": dict(clean.skipped),
    }


def _share(report: ValidationReport, alarms: list[Any]) -> float:
    """Rows with an alarm as a share of all, 0 to 1, lower is better."""
    return round(len({(alarm.split, alarm.number) for alarm in alarms}) / report.n_read, 5)


def plot(result: dict[str, Any]) -> "Axes":
    """Share of the planted defects that were found, by kind, with 95 % Wilson intervals."""
    from matplotlib import pyplot

    from course_utils.evaluation import wilson_interval

    axes: Axes = pyplot.subplots(figsize=(7, 6), layout="constrained")[1]
    shares = {kind: wilson_interval(found, n) for kind, (found, n) in result["found_by_kind"].items()}
    for place, share in enumerate(shares.values()):
        ends = [[100 * (share.value - share.low)], [100 * (share.high - share.value)]]
        axes.errorbar([100 * share.value], [place], xerr=ends, fmt="o", capsize=3, color="C0")
    axes.set_yticks(range(len(shares)), list(shares))
    axes.invert_yaxis()
    axes.set(xlabel="planted defects found (%)", xlim=(79, 101))
    axes.set_title(
        f"{result['found_share']:.1%} of {result['n_planted']:,} found; "
        f"false alarms on clean rows {result['false_alarms_clean']:.2%}",
        fontsize="medium",
    )
    axes.grid(axis="x", alpha=0.3)
    return axes
