import pytest

from course_utils.evaluation import Outcome, Scores, Verdict, plot_accuracy, plot_by_difficulty


def known(name: str, verdicts: list[bool]) -> Scores:
    rows = [{"id": str(n), "seen": n % 2 == 0, "difficulty": "easy" if n < 2 else "hard"} for n in range(len(verdicts))]
    found = (Verdict(ok, True, "", "", False, False) for ok in verdicts)
    return Scores(name, tuple(map(Outcome, rows, found)))


BASE, TUNED = known("base", [False] * 4), known("tuned", [True, False, False, False])


@pytest.mark.parametrize(
    ("plot", "groups", "title"),
    [
        (plot_accuracy, 3, "Right answers to 4 questions: 0 % for base, 25 % for tuned"),
        (plot_by_difficulty, 2, "tuned answers 50 % of easy, 0 % of hard questions right"),
    ],
)
def test_plots_draw_each_accuracy_with_its_interval(plot: object, groups: int, title: str) -> None:
    axes = plot(BASE, TUNED)  # type: ignore[operator]
    assert axes.figure.get_suptitle().replace("\n", " ") == title
    bars = [bar for container in axes.containers if hasattr(container, "patches") for bar in container.patches]
    assert len(bars) == 2 * groups
    assert len(axes.get_yticklabels()) == groups
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["base", "tuned"]
    *_, intervals, ends = (drawn.get_segments() for drawn in axes.collections)
    expected = list(TUNED.accuracy_by_group().values())
    shares = expected[:3] if plot is plot_accuracy else expected[3:]
    assert [(s[0][0], s[1][0]) for s in intervals] == [pytest.approx((x.low, x.high)) for x in shares]
    assert [line[0][0] for line in ends] == [share.value for share in shares]


def test_a_bar_of_nothing_is_there_to_see() -> None:
    axes = plot_accuracy(BASE)
    (bars,) = (container for container in axes.containers if hasattr(container, "patches"))
    assert {bar.get_width() for bar in bars} == {0}
    assert [text.get_text() for text in axes.texts] == ["0", "0", "0"]
    for bar, ((x, low), (_, high)) in zip(bars, axes.collections[-1].get_segments(), strict=True):
        assert (x, high - low) == (0, pytest.approx(bar.get_height()))
