import pytest

from course_utils.data.query_parts import PARTS, parts_of, plot_query_parts


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
