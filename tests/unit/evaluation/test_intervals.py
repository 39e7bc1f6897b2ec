import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from course_utils.evaluation.intervals import bootstrap_difference, mcnemar_p_value


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
