"""Is one model better than another on the same rows? Paired tests and intervals of the difference."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from course_utils.errors import DataError
from course_utils.evaluation.intervals import CONFIDENCE
from course_utils.evaluation.scores import Scores

N_RESAMPLES = 9_999


@dataclass(frozen=True)
class PairedDifference:
    """Two models on the same rows; accuracies and their difference lie in 0 to 1."""

    group: str
    n: int
    first: float
    second: float
    low: float
    """Lower end of the bootstrap interval of ``second - first``."""
    high: float
    n_gained: int
    """Rows that only the second model gets right."""
    n_lost: int
    """Rows that only the first model gets right."""
    p_value: float
    """Of McNemar's exact test: how often chance alone would part the changed rows at least so unevenly."""

    @property
    def difference(self) -> float:
        """Accuracy of the second model minus that of the first."""
        return (self.n_gained - self.n_lost) / self.n


@dataclass(frozen=True)
class Comparison:
    """The paired differences of every group of rows."""

    first_name: str
    second_name: str
    groups: tuple[PairedDifference, ...] = field(repr=False)

    @property
    def whole(self) -> PairedDifference:
        """The difference over all rows."""
        return self.groups[0]

    def summary(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {group.group: {**asdict(group), "difference": group.difference} for group in self.groups}

    def _repr_html_(self) -> str:
        from course_utils.evaluation.tables import comparison_table

        return comparison_table(self)._repr_html_()


def compare(first: Scores, second: Scores, *, seed: int = 0) -> Comparison:
    """Compare two models row by row, over all rows and over each group.

    Raises:
        DataError: The two were not scored on the same rows in the same order.
    """
    differing = [(a.id, b.id) for a, b in zip(first.outcomes, second.outcomes, strict=False) if a.id != b.id]
    if first.n != second.n or differing:
        where = f"for example {differing[0]}" if differing else f"{first.n} and {second.n} rows"
        raise DataError(f"{first.name} and {second.name} answered different rows ({where}); predict the same rows")
    before = [outcome.verdict.correct for outcome in first.outcomes]
    after = [outcome.verdict.correct for outcome in second.outcomes]
    groups = first.groups().items()
    differences = [_difference(name, [before[i] for i in at], [after[i] for i in at], seed) for name, at in groups]
    return Comparison(first.name, second.name, tuple(differences))


def _difference(group: str, first: list[bool], second: list[bool], seed: int) -> PairedDifference:
    n = len(first)
    low, high = bootstrap_difference(first, second, seed=seed)
    gained = sum(after and not before for before, after in zip(first, second, strict=True))
    lost = sum(before and not after for before, after in zip(first, second, strict=True))
    return PairedDifference(
        group, n, sum(first) / n, sum(second) / n, low, high, gained, lost, mcnemar_p_value(gained, lost)
    )


def mcnemar_p_value(n_gained: int, n_lost: int) -> float:
    """Two-sided p-value of McNemar's exact test.

    Rows on which both models are right, or both wrong, say nothing about which is better. If neither
    were better, each of the others would be a fair coin's toss: the p-value is binomial. 0 to 1.

    Source: McNemar (1947), Psychometrika 12, 153-157.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    if n_gained + n_lost == 0:
        return 1.0
    return min(1.0, float(mcnemar([[0, n_lost], [n_gained, 0]], exact=True).pvalue))


def bootstrap_difference(
    first: Sequence[float], second: Sequence[float], *, seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Ends of the paired bootstrap interval of ``mean(second) - mean(first)``, by percentiles.

    Rows are drawn with replacement, and both models' verdicts on a row stay together. A row's verdict is true or
    false, or the share of several runs that are right on it, where the models were trained with several seeds.

    Source: Efron (1979), Annals of Statistics 7, 1-26.
    """
    import numpy as np
    from scipy.stats import bootstrap

    differences = np.array(second, dtype=float) - np.array(first, dtype=float)  # (n_rows,)
    if len(differences) < 2 or np.all(differences == differences[0]):
        return float(differences.mean()), float(differences.mean())
    result = bootstrap(
        (np.array(first, dtype=float), np.array(second, dtype=float)),
        lambda before, after, axis: after.mean(axis=axis) - before.mean(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=N_RESAMPLES,
        confidence_level=confidence,
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
