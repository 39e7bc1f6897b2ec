import pytest
from statsmodels.stats.proportion import proportion_confint

from course_utils.errors import DataError
from course_utils.proportion import wilson_interval


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
