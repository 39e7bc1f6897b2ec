import pytest

from course_utils.deployment import equal_replies, plot_frontier
from course_utils.errors import DataError
from course_utils.proportion import wilson_interval


def test_counts_equal_replies_but_for_outer_space() -> None:
    replies = ["SELECT 1", " SELECT 2", "SELECT 3", "SELECT 4"]
    parity = equal_replies(replies, ["SELECT 1", "SELECT 2\n", "SELECT  3", "SELECT 5"])
    assert (parity.n, parity.n_true, parity.value) == (4, 2, 0.5)
    assert (parity.low, parity.high) == pytest.approx((0.150, 0.850), abs=5e-4)


def test_no_replies_are_an_error() -> None:
    with pytest.raises(DataError):
        equal_replies([], [])


def test_the_frontier_leaves_out_forms_that_a_smaller_one_equals() -> None:
    n_right = {"F16": (5.6, 88), "Q8_0": (3.0, 88), "Q4_K_M": (1.8, 86), "adapter": (2.3, 85)}
    axes = plot_frontier({name: (mib, wilson_interval(n, 100)) for name, (mib, n) in n_right.items()})
    line = next(line for line in axes.get_lines() if line.get_label() == "frontier")
    assert line.get_xydata().tolist() == [[1.8, 86], [3.0, 88], [5.6, 88]]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["frontier", "Q4_K_M", "adapter", "Q8_0", "F16"]


def test_the_frontier_shows_as_many_forms_as_there_are() -> None:
    names = [f"form {number}" for number in range(20)]
    axes = plot_frontier({name: (float(mib), wilson_interval(mib, 20)) for mib, name in enumerate(names)})
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["frontier", *names]
