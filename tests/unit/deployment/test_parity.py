import pytest

from course_utils.deployment import equal_replies
from course_utils.errors import DataError


def test_counts_equal_replies_but_for_outer_space() -> None:
    replies = ["SELECT 1", " SELECT 2", "SELECT 3", "SELECT 4"]
    parity = equal_replies(replies, ["SELECT 1", "SELECT 2\n", "SELECT  3", "SELECT 5"])
    assert (parity.n, parity.n_true, parity.value) == (4, 2, 0.5)
    assert (parity.low, parity.high) == pytest.approx((0.150, 0.850), abs=5e-4)


def test_nothing_compared_is_no_parity() -> None:
    with pytest.raises(DataError):
        equal_replies([], [])
