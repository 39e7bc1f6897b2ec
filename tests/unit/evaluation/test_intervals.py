import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from course_utils.errors import DataError
from course_utils.evaluation.intervals import bootstrap_difference, mcnemar_p_value, wilson_interval


def test_wilson_gives_the_published_example() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, Table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (n_true, n), (low, high) in published.items():
        share = wilson_interval(n_true, n)
        assert (round(share.low, 4), round(share.high, 4)) == (low, high)


@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_wilson_agrees_with_another_library_and_encloses_the_share(confidence: float) -> None:
    for n in (1, 2, 7, 29, 240, 12_345):
        for n_true in {0, 1, n // 3, n - 1, n}:
            share = wilson_interval(n_true, n, confidence)
            wanted = proportion_confint(n_true, n, alpha=1 - confidence, method="wilson")
            assert (share.low, share.high) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
            assert 0 <= share.low <= share.value <= share.high <= 1


def test_no_rows_have_no_share() -> None:
    with pytest.raises(DataError, match="at least one row"):
        wilson_interval(0, 0)


def test_a_share_reads_as_a_percentage_with_its_interval() -> None:
    assert str(wilson_interval(15, 148)) == "10.1% [6.2%, 16.0%]"


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
