import pytest

from course_utils.deployment import Parity


def test_counts_equal_replies_but_for_outer_space() -> None:
    parity = Parity(
        ["SELECT 1", " SELECT 2", "SELECT 3", "SELECT 4"], ["SELECT 1", "SELECT 2\n", "SELECT  3", "SELECT 5"]
    )
    assert (parity.n, parity.n_equal, parity.share) == (4, 2, 0.5)
    differences = parity.differences("F32", "Q8_0", limit=1)
    assert (differences.caption, differences.rows) == ("2 of 4 replies differ", (("2", "SELECT 3", "SELECT  3"),))
    assert "2 of 4" in parity._repr_html_()
    assert (parity.interval.low, parity.interval.high) == pytest.approx((0.150, 0.850), abs=5e-4)


def test_nothing_compared_is_no_parity() -> None:
    assert Parity([], []).share == 0
