import pytest

from course_utils.errors import DataError
from course_utils.evaluation import Outcome, Scores, Verdict, compare


def scores(name: str, right: list[bool], *, start: int = 0) -> Scores:
    rows = [{"id": str(start + i), "seen": i % 2 == 0, "difficulty": "easy"} for i in range(len(right))]
    verdicts = [Verdict(ok, True, "" if ok else "wrong rows", "", False, False) for ok in right]
    return Scores(name, tuple(map(Outcome, rows, verdicts)))


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
