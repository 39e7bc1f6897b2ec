from html.parser import HTMLParser

import pytest

from course_utils.evaluation.execution import Verdict
from course_utils.evaluation.plots import plot_accuracy, plot_by_difficulty
from course_utils.evaluation.scores import Outcome, Scores
from course_utils.evaluation.tables import accuracy_table, error_table, wrong_answers
from course_utils.tables import Table


class Cells(HTMLParser):
    """Collects the text of each cell of a table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


def scores(name: str, problems: list[str]) -> Scores:
    outcomes = []
    for number, problem in enumerate(problems):
        row = {"id": str(number), "db_id": "shop", "question": f"question {number}", "query": "SELECT 1 < 2"}
        row |= {"predicted": "", "seen": number % 2 == 0, "difficulty": "easy" if number < 2 else "hard"}
        verdict = Verdict(not problem, problem != "syntax error", problem, problem and "detail", False, False)
        outcomes.append(Outcome(row, verdict))
    return Scores(name, tuple(outcomes))


BASE = scores("base", ["syntax error"] * 4)
TUNED = scores("tuned", ["", "wrong rows", "wrong rows", "syntax error"])


def test_cells_are_escaped() -> None:
    table = Table("<b>", ("<script>",), (("a < b & c",),))
    assert Cells(table._repr_html_()).rows == [["<script>"], ["a < b & c"]]
    assert "<script>" not in table._repr_html_()


def test_the_accuracy_table_has_a_row_for_each_group() -> None:
    rows = Cells(accuracy_table(BASE, TUNED)._repr_html_()).rows
    assert rows[0] == ["measure", "rows", "base", "tuned"]
    assert rows[1] == ["validity, all rows", "4", "0.0% [0.0%, 49.0%]", "75.0% [30.1%, 95.4%]"]
    assert [row[:2] for row in rows[2:]] == [
        ["accuracy, all rows", "4"],
        ["accuracy, seen databases", "2"],
        ["accuracy, unseen databases", "2"],
        ["accuracy, easy", "2"],
        ["accuracy, hard", "2"],
    ]


def test_the_error_table_adds_up() -> None:
    rows = Cells(error_table(BASE, TUNED)._repr_html_()).rows[1:]
    assert rows == [["right", "0", "1"], ["wrong rows", "0", "2"], ["syntax error", "4", "1"]]


def test_wrong_answers_take_turns_between_kinds() -> None:
    table = wrong_answers(TUNED, n_rows=2)
    assert [row[4] for row in table.rows] == ["wrong rows", "syntax error"]
    assert table.rows[0][3] == "(nothing)"
    assert table.caption == "2 of 3 wrong answers of tuned"


@pytest.mark.parametrize(("plot", "groups"), [(plot_accuracy, 3), (plot_by_difficulty, 2)])
def test_plots_draw_each_accuracy_with_its_interval(plot: object, groups: int) -> None:
    import matplotlib

    matplotlib.use("Agg")
    axes = plot(BASE, TUNED)  # type: ignore[operator]
    bars = [bar for container in axes.containers if hasattr(container, "patches") for bar in container.patches]
    assert len(bars) == 2 * groups
    assert len(axes.get_yticklabels()) == groups
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["base", "tuned"]
    segments = axes.collections[-1].get_segments()
    expected = list(TUNED.accuracy_by_group().values())
    shares = expected[:3] if plot is plot_accuracy else expected[3:]
    assert [(s[0][0], s[1][0]) for s in segments] == [pytest.approx((x.low, x.high)) for x in shares]
