import numpy as np
import pytest
from sklearn import metrics

from course_utils.errors import DataError
from course_utils.evaluation.confusion import confusion_matrix
from course_utils.evaluation.ordinal import quadratic_kappa, score_order

SCALE = ("low", "normal", "high", "urgent")


def test_another_library_finds_the_same_kappa() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        gold = rng.integers(0, 4, 60)
        found = np.clip(gold + rng.integers(-1, 2, 60), 0, 3)
        scores = score_order(confusion_matrix([SCALE[i] for i in gold], [SCALE[i] for i in found], SCALE))
        assert scores.kappa.value == pytest.approx(metrics.cohen_kappa_score(gold, found, weights="quadratic"))


def test_kappa_worked_by_hand() -> None:
    counts = np.array([[[1.0, 0, 0, 5], [0, 1, 0, 5], [1, 0, 1, 5]]])  # gold by predicted; one row two steps too low
    # Expected: gold 1, 1, 2 and predicted 2, 1, 1 of 4 rows; Σ wE = (1·1 + 1·4 + 1·2 + 1·1 + 2·2·4 + 2·1) / 4 = 26/4
    assert quadratic_kappa(counts)[0] == pytest.approx(1 - 4 / (26 / 4))


@pytest.mark.parametrize("found", ["normal", "high"])
def test_a_constant_answer_has_no_kappa(found: str) -> None:
    gold = ["low", "normal", "normal", "urgent"]
    assert score_order(confusion_matrix(gold, [found] * 4, SCALE)).kappa.value == pytest.approx(0.0)
    assert score_order(confusion_matrix([found] * 4, [found] * 4, SCALE)).kappa.value == 0.0


def test_two_steps_off_cost_more_than_one() -> None:
    gold = [*SCALE, *SCALE]
    one, two = ([*gold[:7], SCALE[place]] for place in (2, 1))
    assert score_order(confusion_matrix(gold, one, SCALE)).kappa.value > (
        score_order(confusion_matrix(gold, two, SCALE)).kappa.value
    )


def test_steps_are_counted_and_what_is_off_the_scale_apart() -> None:
    gold = ["urgent", "urgent", "urgent", "low", "normal"]
    scores = score_order(confusion_matrix(gold, ["low", "high", None, "normal", "normal"], SCALE))
    assert (scores.within_one.n_true, scores.within_one.n) == (3, 4)
    assert (scores.too_low.n_true, scores.n_off_scale) == (2, 1)
    assert "quadratic kappa" in str(scores)


def test_nothing_on_the_scale_is_refused() -> None:
    with pytest.raises(DataError, match="0 predictions"):
        score_order(confusion_matrix(["low"], [None], SCALE))
