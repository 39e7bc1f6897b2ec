import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.tasks import class_scores, macro_f1

CLASSES = ("a", "b", "c")
pairs = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=30)


def test_scores_worked_by_hand() -> None:
    gold = ["a", "a", "a", "b", "b", "c"]
    predicted = ["a", "a", "b", "b", None, "zebra"]
    a, b, c = class_scores(gold, predicted, CLASSES)
    assert (a.n_gold, a.n_predicted, a.n_right) == (3, 2, 2)
    assert (a.precision, a.recall, a.f1) == pytest.approx((1.0, 2 / 3, 0.8))
    assert (b.precision, b.recall, b.f1) == pytest.approx((0.5, 0.5, 0.5))
    assert (c.precision, c.recall, c.f1) == (0.0, 0.0, 0.0)
    assert macro_f1([a, b, c]) == pytest.approx((0.8 + 0.5 + 0.0) / 3)


def test_a_class_that_never_occurs_does_not_count() -> None:
    assert macro_f1(class_scores(["a", "b"], ["a", "b"], CLASSES)) == 1.0
    assert macro_f1(class_scores([], [], CLASSES)) == 0.0


@settings(deadline=None, max_examples=25)
@given(pairs)
def test_another_library_counts_the_same(rows: list[tuple[str, str]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold, predicted = zip(*rows, strict=True)
    found = class_scores(gold, predicted, CLASSES)
    precision, recall, f1, n_gold = metrics.precision_recall_fscore_support(
        gold, predicted, labels=CLASSES, zero_division=0.0
    )
    assert [score.precision for score in found] == pytest.approx(precision)
    assert [score.recall for score in found] == pytest.approx(recall)
    assert [score.f1 for score in found] == pytest.approx(f1)
    assert [score.n_gold for score in found] == list(n_gold)
    assert macro_f1(found) == pytest.approx(metrics.f1_score(gold, predicted, average="macro"))
