import numpy as np
import pytest
from scipy.stats import binomtest

from course_utils.errors import DataError
from course_utils.evaluation.comparison import bootstrap_difference, compare, mcnemar_p_value
from course_utils.evaluation.execution import Verdict
from course_utils.evaluation.scores import Outcome, Scores


def scores(name: str, right: list[bool], *, start: int = 0) -> Scores:
    rows = [{"id": str(start + i), "seen": i % 2 == 0, "difficulty": "easy"} for i in range(len(right))]
    verdicts = [Verdict(ok, True, "" if ok else "wrong rows", "", False, False) for ok in right]
    return Scores(name, tuple(map(Outcome, rows, verdicts)))


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (5, 5), (12, 3), (160, 2), (0, 7), (30, 31)])
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int) -> None:
    assert mcnemar_p_value(gained, lost) == pytest.approx(binomtest(gained, gained + lost).pvalue, rel=1e-9)


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


def test_compare_counts_gains_and_losses_in_every_group() -> None:
    comparison = compare(scores("a", [True, False, False, False]), scores("b", [False, True, True, False]))
    found = {group.group: (group.n, group.n_gained, group.n_lost) for group in comparison.groups}
    assert found == {
        "all rows": (4, 2, 1),
        "seen databases": (2, 1, 1),
        "unseen databases": (2, 1, 0),
        "easy": (4, 2, 1),
    }
    assert comparison.whole.difference == pytest.approx(comparison.whole.second - comparison.whole.first)
    assert comparison.summary()["all rows"]["difference"] == 0.25
    assert "+25.0%" in comparison._repr_html_()


@pytest.mark.parametrize("other", [scores("b", [True]), scores("b", [True, True], start=5)])
def test_compare_refuses_different_rows(other: Scores) -> None:
    with pytest.raises(DataError, match="predict the same rows"):
        compare(scores("a", [True, True]), other)
