from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from sklearn import metrics

from course_utils.errors import DataError
from course_utils.evaluation.confusion import NO_CLASS, ConfusionMatrix, confusion_matrix, plot_confusion

GOLD = ["bug", "bug", "bug", "how_to", "how_to", "refund"]
FOUND = ["bug", "bug", "how_to", "how_to", None, "Refund"]
CLASSES = ("bug", "how_to", "refund")


@pytest.fixture
def matrix() -> ConfusionMatrix:
    return confusion_matrix(GOLD, FOUND, CLASSES)


def test_counts_worked_by_hand(matrix: ConfusionMatrix) -> None:
    assert matrix.counts == ((2, 1, 0, 0), (0, 1, 0, 1), (0, 0, 0, 1))
    assert matrix.n == 6
    assert sorted(matrix.confused()) == [("bug", "how_to", 1), ("how_to", NO_CLASS, 1), ("refund", NO_CLASS, 1)]


def test_another_library_counts_the_same() -> None:
    rng = np.random.default_rng(1)
    gold, found = (rng.choice(CLASSES, 200).tolist() for _ in range(2))
    counts = np.array(confusion_matrix(gold, found, CLASSES).counts)
    assert (counts[:, :3] == metrics.confusion_matrix(gold, found, labels=CLASSES)).all()
    assert counts[:, 3].sum() == 0


def test_the_interval_of_a_share_is_as_wide_as_theory_says() -> None:
    gold = ["bug"] * 400
    found = ["bug"] * 300 + ["how_to"] * 100
    share = confusion_matrix(gold, found, CLASSES).estimate(lambda counts: counts[:, 0, 0] / counts.sum(axis=(1, 2)))
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert share.value == 0.75
    assert (share.low, share.high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.005)
    assert str(share).startswith("0.750 [0.70")


def test_wrong_input_is_named() -> None:
    with pytest.raises(DataError, match="no rows"):
        confusion_matrix([], [], CLASSES)
    with pytest.raises(DataError, match="later, sooner"):
        confusion_matrix(["sooner", "bug", "later"], [None] * 3, CLASSES)


def test_it_shows_as_a_table(matrix: ConfusionMatrix) -> None:
    html = matrix._repr_html_()
    assert html.count("<tr>") == 4
    assert NO_CLASS in html


def test_the_plot_names_every_class_and_writes_every_count(matrix: ConfusionMatrix) -> None:
    mpl.use("agg")
    axes = plot_confusion(matrix, title="tuned")
    assert [text.get_text() for text in axes.get_xticklabels()] == [*CLASSES, NO_CLASS]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["bug (3)", "how_to (2)", "refund (1)"]
    assert sorted(text.get_text() for text in axes.texts) == ["1", "1", "1", "1", "2"]
    assert axes.get_title() == "tuned"
    axes.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.get_yticklabels()]
    assert not any(first.overlaps(second) for first, second in pairwise(boxes))
