"""How often are our intervals and tests wrong? Measured on simulated models, whose true accuracy is known.

A 95 % interval should contain the true value in 94 to 96 % of the simulations, and a test of two equally good models
should find a difference in 4 to 6 %. Counts are discrete, so tests cannot reach 5 % exactly: McNemar's exact p-value
stays below it, the mid-p near it.
"""

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from course_utils.evaluation import rows_needed, sequential_evidence, wilson_interval
from course_utils.evaluation.comparison import bootstrap_difference, mcnemar_p_values
from course_utils.figures import course_style, new_axes
from course_utils.setup import probe_machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_RUNS, N_ROWS = 10_000, 240
ACCURACIES = (0.25, 0.5, 0.85)
PAIRS = {"equally good": (0.05, 0.05), "8 points apart": (0.12, 0.04)}
"""Shares of rows that only the second model gets right, and that only the first one does."""
LOOK = 20
"""Rows between two looks."""


def measure() -> dict[str, Any]:
    """Coverage of the intervals, false alarms of the tests, and their power; each a share of ``N_RUNS`` simulations."""
    coverage = {f"Wilson, accuracy {accuracy:.0%}": _cover_accuracy(accuracy) for accuracy in ACCURACIES}
    coverage |= {f"paired bootstrap, {name}": _cover_difference(*shares) for name, shares in PAIRS.items()}
    n = rows_needed(0.05, 0.1)
    return {
        "machine": asdict(probe_machine()),
        "n_runs": N_RUNS,
        "n_rows": N_ROWS,
        "coverage": coverage,
        "false_alarms": _found(*PAIRS["equally good"], N_ROWS),
        "power": {"n_rows": n, "difference": 0.05, "changed": 0.1} | _found(0.075, 0.025, n),
    }


def _cover_accuracy(accuracy: float) -> float:
    import numpy as np

    counts = np.random.default_rng(0).binomial(N_ROWS, accuracy, N_RUNS)
    found = {n: wilson_interval(n, N_ROWS) for n in set(counts.tolist())}
    return sum(found[n].low <= accuracy <= found[n].high for n in counts.tolist()) / N_RUNS


@cache
def _interval(n_gained: int, n_lost: int, n_rows: int) -> tuple[float, float]:
    """The bootstrap knows a row by nothing but its two verdicts, so that the counts say it all."""
    same = n_rows - n_gained - n_lost
    first, second = [False] * n_gained + [True] * n_lost, [True] * n_gained + [False] * n_lost
    return bootstrap_difference(first + [True] * same, second + [True] * same)


def _cover_difference(gains: float, loses: float) -> float:
    import numpy as np

    counts = np.random.default_rng(1).multinomial(N_ROWS, [gains, loses, 1 - gains - loses], N_RUNS)
    found = [_interval(gained, lost, N_ROWS) for gained, lost, _ in counts.tolist()]
    return sum(low <= gains - loses <= high for low, high in found) / N_RUNS


def _found(gains: float, loses: float, n_rows: int) -> dict[str, float]:
    """How often each test finds a difference between two models, 85 % of whose other answers are right."""
    import numpy as np
    from scipy.stats import norm

    rng = np.random.default_rng(2)
    kinds = rng.choice(4, (N_RUNS, n_rows), p=[gains, loses, *((1 - gains - loses) * np.array([0.85, 0.15]))])
    gained, lost, right = kinds == 0, kinds == 1, kinds == 2
    first, second = (right | lost).mean(axis=1), (right | gained).mean(axis=1)
    error = np.sqrt((first * (1 - first) + second * (1 - second)) / n_rows)
    counts = [rows.cumsum(axis=1)[:, LOOK - 1 :: LOOK] for rows in (gained, lost)]
    ends = list(zip(*(rows.sum(axis=1).tolist() for rows in (gained, lost)), strict=True))
    p_values = np.vectorize(cache(mcnemar_p_values))
    _, looks = p_values(*counts)
    p_exact, p_mid = p_values(*np.array(ends).T)
    ways = {
        "McNemar's test, exact p": p_exact < 0.05,
        "McNemar's test, mid-p": p_mid < 0.05,
        "paired bootstrap without zero": np.array([not low <= 0 <= high for low, high in _all_intervals(ends, n_rows)]),
        "unpaired test": 2 * norm.sf(abs(second - first) / error) < 0.05,
        f"McNemar's mid-p after every {LOOK} rows": (looks < 0.05).any(axis=1),
        "sequential test after every row": (sequential_evidence(lost, gained) >= 20).any(axis=1),
    }
    return {name: float(found.mean()) for name, found in ways.items()}


def _all_intervals(counts: list[tuple[int, int]], n_rows: int) -> list[tuple[float, float]]:
    return [_interval(gained, lost, n_rows) for gained, lost in counts]


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """False alarms of each test, beside the 5 % that were meant."""
    found = result["false_alarms"]
    worst = max(found, key=found.__getitem__)
    axes = new_axes(f"False alarms: {100 * found[worst]:.0f} % by {worst}")
    axes.barh(list(found), [100 * share for share in found.values()])
    axes.invert_yaxis()
    axes.axvline(5, linestyle="--", color="0.4", label="5 %, as meant")
    axes.set_xlabel(f"false alarms (% of {result['n_runs']:,} simulations)")
    axes.legend(loc="lower right")
    return axes
