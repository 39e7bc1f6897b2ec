from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_utils.data.dataset_plots import PARTS, parts_of, plot_gains, plot_query_parts, plot_rows
from course_utils.data.prepare import Prepared

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close() -> object:
    yield
    plt.close("all")


def row(db_id: str, seen: bool, difficulty: str = "easy") -> dict[str, object]:
    return {"db_id": db_id, "seen": seen, "difficulty": difficulty}


def test_bars_add_up_to_the_rows_and_unseen_databases_are_marked(tmp_path: Path) -> None:
    prepared = Prepared(
        train=[row("shop", True)] * 5 + [row("shop", True, "medium")] * 2,
        validation=[row("shop", True, "simple")],
        test=[row("zoo", False)] * 3,
        schemas={},
    )
    axes = plot_rows(prepared)
    assert sum(patch.get_width() for patch in axes.patches) == 11
    assert [label.get_text() for label in axes.get_yticklabels()] == ["shop", "zoo (unseen)"]
    assert " ".join(axes.figure.get_suptitle().split()) == "11 rows about 2 databases, 1 of them unseen in training"


def test_of_very_many_databases_those_with_most_rows_are_shown() -> None:
    few = [row(f"few{number}", True) for number in range(2_500)]
    prepared = Prepared(train=[*few, *[row("many", True)] * 2], validation=[], test=[row("few7", True)], schemas={})
    axes = plot_rows(prepared)
    assert {"many", "few7"} < {label.get_text() for label in axes.get_yticklabels()}
    title = " ".join(axes.figure.get_suptitle().split())
    assert title == "2,503 rows about 2501 databases, 0 of them unseen in training; the 60 with most rows"
    axes.figure.canvas.draw()  # raises for an image of 2^16 pixels and more


def test_every_gain_is_drawn_and_the_title_names_the_span_of_each_kind() -> None:
    gains = {"scattered": [(0.05, -0.01, 0.1), (0.025, -0.03, 0.09)], "this run": [tuple(np.array([0.3, 0.2, 0.4]))]}
    axes = plot_gains(gains)
    assert len(axes.containers) == 3
    assert [label.get_text() for label in axes.get_yticklabels()] == list(gains)
    title = " ".join(axes.figure.get_suptitle().split())
    assert title == "Cleaning gains, in points: +2 to +5 (scattered), +30 (this run)"


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("SELECT name FROM shop", set()),
        ("SELECT name FROM shop WHERE city = 'GROUP BY EXISTS CASE'", {"condition"}),
        ("SELECT a.x FROM a JOIN b ON a.i = b.i JOIN c ON b.j = c.j", {"two tables", "three or more tables"}),
        ("SELECT x, COUNT(*) FROM a GROUP BY x HAVING COUNT(*) > 2", {"group", "condition on groups"}),
        ("SELECT x FROM a WHERE i IN (SELECT i FROM b)", {"condition", "nested query"}),
        ("SELECT x FROM a WHERE NOT EXISTS (SELECT 1 FROM b)", {"condition", "nested query", "exists"}),
        ("SELECT DISTINCT x FROM a UNION SELECT x FROM b", {"distinct", "set operation"}),
        ("SELECT COALESCE(x, 0) FROM a WHERE y IS NOT NULL", {"condition", "missing values"}),
        ("SELECT strftime('%Y', day) FROM a ORDER BY day LIMIT 3", {"dates", "order", "limit"}),
        ("SELECT datetime(day), time(day) FROM a", {"dates"}),
        ("SELECT IFNULL(x, 0) FROM a WHERE y NOTNULL", {"condition", "missing values"}),
        ("SELECT CASE WHEN x > 1 THEN 'a' ELSE 'b' END, RANK() OVER (ORDER BY x) FROM a", {"case", "window", "order"}),
        ("SELECT order_date, distinct_x FROM a", set()),
    ],
)
def test_parts_are_found_in_the_sql_alone(query: str, parts: set[str]) -> None:
    assert parts_of(query) == parts


def test_the_bars_are_shares_of_each_split() -> None:
    queries = ["SELECT x FROM a WHERE x = 1", "SELECT x FROM a", "SELECT x FROM a WHERE x = 2"]
    axes = plot_query_parts({"train": [{"query": query} for query in queries], "test": [{"query": queries[1]}]})
    widths = [bar.get_width() for bars in axes.containers for bar in bars]
    assert len(widths) == 2 * len(PARTS)
    assert widths[0] == pytest.approx(200 / 3)
    assert sum(widths[len(PARTS) :]) == 0


def test_the_title_counts_the_parts_that_no_query_uses() -> None:
    axes = plot_query_parts({"train": [{"query": "SELECT x FROM a WHERE x = 1"}], "test": []})
    assert axes.figure.get_suptitle() == f"Parts that no query uses: {len(PARTS) - 1} of {len(PARTS)}"
