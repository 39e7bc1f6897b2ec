import math

import pytest

from course_utils.errors import DataError
from course_utils.evaluation.intervals import wilson_interval


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


@pytest.mark.parametrize(("n_true", "n"), [(0, 1), (1, 1), (0, 240), (240, 240), (168, 240)])
def test_the_ends_solve_wilsons_equation_and_enclose_the_share(n_true: int, n: int) -> None:
    share = wilson_interval(n_true, n)
    assert 0 <= share.low <= share.value <= share.high <= 1
    for end in (share.low, share.high):
        if 0 < end < 1:  # |p - end| = z * sqrt(end * (1 - end) / n)
            assert abs(share.value - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / n), rel=1e-5)


def test_no_rows_have_no_share() -> None:
    with pytest.raises(DataError, match="at least one row"):
        wilson_interval(0, 0)


def test_a_share_reads_as_a_percentage_with_its_interval() -> None:
    assert str(wilson_interval(15, 148)) == "10.1% [6.2%, 16.0%]"
