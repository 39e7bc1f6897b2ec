import pytest
from matplotlib import pyplot

from course_utils.evaluation import Scores, plot_accuracy, plot_evidence

from .verdicts import scores_of


def known(name: str, verdicts: list[bool]) -> Scores:
    rows = [{"id": str(n), "seen": n % 2 == 0, "difficulty": "easy" if n < 2 else "hard"} for n in range(len(verdicts))]
    return scores_of(name, rows, verdicts)


BASE, TUNED = known("base", [False] * 4), known("tuned", [True, False, False, False])


def test_the_plot_draws_each_accuracy_with_its_interval() -> None:
    axes = plot_accuracy(BASE, TUNED)
    title = "Right answers to 4 questions: 0 % for base, 25 % for tuned"
    assert axes.figure.get_suptitle().replace("\n", " ") == title
    bars = [bar for container in axes.containers if hasattr(container, "patches") for bar in container.patches]
    assert len(bars) == 2 * 3
    assert len(axes.get_yticklabels()) == 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["base", "tuned"]
    *_, intervals, ends = (drawn.get_segments() for drawn in axes.collections)
    shares = TUNED.accuracy_by_group(["seen"]).values()
    assert [(s[0][0], s[1][0]) for s in intervals] == [pytest.approx((x.low, x.high)) for x in shares]
    assert [line[0][0] for line in ends] == [share.value for share in shares]


def test_a_bar_of_nothing_is_there_to_see() -> None:
    axes = plot_accuracy(BASE)
    (bars,) = (container for container in axes.containers if hasattr(container, "patches"))
    assert {bar.get_width() for bar in bars} == {0}
    assert [text.get_text() for text in axes.texts] == ["0", "0", "0"]
    for bar, ((x, low), (_, high)) in zip(bars, axes.collections[-1].get_segments(), strict=True):
        assert (x, high - low) == (0, pytest.approx(bar.get_height()))


def test_the_evidence_says_where_a_test_may_stop() -> None:
    rows = [{"id": str(n)} for n in range(100)]
    wrong, right = (scores_of("model", rows, [verdict] * 100) for verdict in (False, True))
    assert "stops after 8 rows" in plot_evidence(wrong, right).figure.get_suptitle()
    assert "open after 100 rows" in plot_evidence(wrong, wrong).figure.get_suptitle()
    pyplot.close("all")
