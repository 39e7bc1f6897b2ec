"""How sure a paired difference is: its test, its interval, and the rows that it takes.

The interval of one share is in ``proportion``.
"""

from collections.abc import Sequence
from math import ceil, sqrt
from statistics import NormalDist

from course_utils.proportion import CONFIDENCE

N_RESAMPLES = 9_999


def mcnemar_p_value(n_gained: int, n_lost: int) -> float:
    """Two-sided p-value of McNemar's exact test.

    Rows on which both models are right, or both wrong, say nothing about which is better. If neither
    were better, each of the others would be a fair coin's toss: the p-value is binomial. 0 to 1.

    Source: McNemar (1947), Psychometrika 12, 153-157.
    """
    from scipy.stats import binomtest

    return float(binomtest(n_gained, n_gained + n_lost).pvalue) if n_gained + n_lost else 1.0


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several tests, raised so that the chance of one false alarm among them stays as for one test.

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        adjusted[index] = largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
    return adjusted


def rows_needed(difference: float, changed: float, *, power: float = 0.8, confidence: float = CONFIDENCE) -> int:
    """Rows on which McNemar's test finds a difference with probability ``power``, the exact test somewhat less often.

    Args:
        difference: Between the two accuracies, above 0 and up to ``changed``.
        changed: Share of the rows on which the verdicts differ, from 0 to 1.
        power: Between 0 and 1.
        confidence: 1 minus the error of the two-sided test.

    Raises:
        ValueError: The accuracies cannot lie so far apart, for too few rows change.

    Source: Connor (1987), Biometrics 43, 207-211.
    """
    if not 0 < difference <= changed <= 1:
        raise ValueError(f"difference must lie above 0 and up to changed={changed:g}, the share of rows that change it")
    z_error, z_power = NormalDist().inv_cdf((1 + confidence) / 2), NormalDist().inv_cdf(power)
    return ceil(((z_error * sqrt(changed) + z_power * sqrt(changed - difference**2)) / difference) ** 2)


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
