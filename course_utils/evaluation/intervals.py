"""How sure a paired difference is: its test and its interval. The interval of one share is in ``proportion``."""

from collections.abc import Sequence

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
