"""How sure a measurement is: the interval of one share, and the interval and test of a paired difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from course_utils.errors import DataError

CONFIDENCE = 0.95
N_RESAMPLES = 9_999


@dataclass(frozen=True)
class Proportion:
    """A share of rows with its confidence interval; everything lies in 0 to 1."""

    n_true: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """``n_true / n``."""
        return self.n_true / self.n

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"

    def _repr_html_(self) -> str:
        return f"{self.n_true} of {self.n} rows: {self}"


def wilson_interval(n_true: int, n: int, confidence: float = CONFIDENCE) -> Proportion:
    """A share and its Wilson score interval.

    With p = n_true / n and z the normal quantile of the confidence, the ends are
    ``(p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)``. Unlike ``p ± z·sqrt(p(1-p)/n)`` it stays
    inside 0 to 1 and keeps a width where nothing or everything is right.

    Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212.

    Raises:
        DataError: There are no rows.
    """
    if n == 0:
        raise DataError("no rows to score; the share of nothing has no value: give at least one row")
    p, z = n_true / n, NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # Rounding may leave an end a hair inside the share, or outside of 0 to 1, where nothing or everything is right.
    return Proportion(n_true, n, max(0.0, min(centre - half, p)), min(1.0, max(centre + half, p)))


def mcnemar_p_value(n_gained: int, n_lost: int) -> float:
    """Two-sided p-value of McNemar's exact test.

    Rows on which both models are right, or both wrong, say nothing about which is better. If neither
    were better, each of the others would be a fair coin's toss: the p-value is binomial. 0 to 1.

    Source: McNemar (1947), Psychometrika 12, 153-157.
    """
    from scipy.stats import binomtest

    return float(binomtest(n_gained, n_gained + n_lost).pvalue) if n_gained + n_lost else 1.0


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

    before, after = np.array(first, dtype=float), np.array(second, dtype=float)  # (n_rows,)
    differences = after - before
    if len(differences) < 2 or np.all(differences == differences[0]):
        return float(differences.mean()), float(differences.mean())
    result = bootstrap(
        (before, after),
        lambda before, after, axis: after.mean(axis=axis) - before.mean(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=N_RESAMPLES,
        confidence_level=confidence,
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
