import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from course_utils.evaluation.intervals import adjust_holm, bootstrap_difference, mcnemar_p_value, rows_needed


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (5, 5), (12, 3), (160, 2), (0, 7), (30, 31)])
def test_mcnemar_is_another_librarys_exact_test(gained: int, lost: int) -> None:
    wanted = min(1.0, mcnemar([[0, lost], [gained, 0]], exact=True).pvalue)
    assert mcnemar_p_value(gained, lost) == pytest.approx(wanted, rel=1e-9)


def test_mcnemar_of_equal_verdicts_is_one() -> None:
    assert mcnemar_p_value(0, 0) == 1.0


def test_the_bootstrap_agrees_with_the_normal_approximation_of_paired_differences() -> None:
    rng = np.random.default_rng(3)
    first, second = (rng.random(400) < 0.3).tolist(), (rng.random(400) < 0.6).tolist()
    differences = np.array(second, float) - np.array(first, float)
    half = 1.96 * differences.std(ddof=1) / np.sqrt(400)
    low, high = bootstrap_difference(first, second)
    assert low == pytest.approx(differences.mean() - half, abs=0.01)
    assert high == pytest.approx(differences.mean() + half, abs=0.01)
    assert (low, high) == bootstrap_difference(first, second)


@pytest.mark.parametrize(("first", "second", "value"), [([False] * 5, [True] * 5, 1.0), ([True], [True], 0.0)])
def test_the_bootstrap_of_one_constant_difference_is_that_difference(
    first: list[bool], second: list[bool], value: float
) -> None:
    assert bootstrap_difference(first, second) == (value, value)


def test_pairing_narrows_the_interval_where_models_agree() -> None:
    right = [True, False] * 50
    better = [True, True, *right[2:]]
    low, high = bootstrap_difference(right, better)
    assert 0 <= low <= 0.01 <= high < 0.05  # unpaired: 0.01 give or take 0.14


@pytest.mark.parametrize("p_values", [[0.01], [0.04, 0.01, 0.03, 0.2], [0.5, 0.5, 0.9], [0.0, 1.0, 0.02, 0.02]])
def test_holm_is_another_librarys(p_values: list[float]) -> None:
    assert adjust_holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@pytest.mark.parametrize(("difference", "changed"), [(0.05, 0.1), (0.02, 0.1), (0.1, 0.3), (0.3, 0.4)])
def test_so_many_rows_find_the_difference_four_times_in_five(difference: float, changed: float) -> None:
    n, n_runs, rng = rows_needed(difference, changed), 4_000, np.random.default_rng(1)
    shares = [(changed + difference) / 2, (changed - difference) / 2, 1 - changed]
    gained, lost, _ = rng.multinomial(n, shares, size=n_runs).T
    power = np.mean(2 * binom.cdf(np.minimum(gained, lost), gained + lost, 0.5) < 0.05)
    assert 0.72 < power < 0.84  # the exact test is somewhat weaker than the formula's


@pytest.mark.parametrize(("difference", "changed"), [(0.0, 0.1), (0.2, 0.1), (0.5, 1.2)])
def test_a_difference_that_cannot_be_is_refused(difference: float, changed: float) -> None:
    with pytest.raises(ValueError, match="share of rows that change"):
        rows_needed(difference, changed)
