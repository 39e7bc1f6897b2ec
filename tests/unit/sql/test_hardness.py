import pytest

from course_utils.errors import QueryError
from course_utils.sql.query_forms import count_parts, hardness

SPIDER_FIGURE_3 = [
    ("easy", "SELECT COUNT(*) FROM cars_data WHERE cylinders > 4"),
    (
        "medium",
        "SELECT T2.name, COUNT(*) FROM concert AS T1 JOIN stadium AS T2 ON T1.stadium_id = T2.stadium_id "
        "GROUP BY T1.stadium_id",
    ),
    (
        "extra",
        "SELECT AVG(life_expectancy) FROM country WHERE name NOT IN (SELECT T1.name FROM country AS T1 JOIN "
        "country_language AS T2 ON T1.code = T2.country_code WHERE T2.language = 'English' AND T2.is_official = 'T')",
    ),
]


@pytest.mark.parametrize(("level", "query"), SPIDER_FIGURE_3)
def test_the_examples_that_spider_publishes(level: str, query: str) -> None:
    """Yu et al. 2018, figure 3; its hard example is left out, because the released evaluation.py calls it extra."""
    assert hardness(query) == level


@pytest.mark.parametrize(
    ("counts", "query"),
    [
        ((0, 0, 0), "SELECT a FROM t"),
        ((1, 0, 0), "SELECT a FROM t WHERE b BETWEEN 1 AND 2"),
        ((2, 1, 0), "SELECT a FROM t WHERE b = 1 OR c = 2"),
        ((2, 0, 0), "SELECT a FROM t WHERE b LIKE '%x%'"),
        ((2, 0, 0), "SELECT a FROM t ORDER BY b LIMIT 1"),
        ((0, 2, 0), "SELECT MIN(a), MAX(a) FROM t"),
        ((3, 0, 0), "SELECT a FROM t GROUP BY a ORDER BY COUNT(*) LIMIT 1"),
        ((1, 0, 1), "SELECT a FROM t WHERE b > (SELECT AVG(b) FROM t WHERE c LIKE 'x' OR c = 'y')"),
        ((1, 0, 1), "SELECT a FROM t WHERE b = 1 UNION SELECT a FROM u WHERE b = 2 OR b = 3"),
        ((1, 1, 0), "SELECT a FROM t GROUP BY a, b"),
        ((1, 0, 1), "SELECT a FROM t WHERE b IN (SELECT c FROM u UNION SELECT d FROM u)"),
    ],
)
def test_parts_are_counted_by_hand(counts: tuple[int, int, int], query: str) -> None:
    assert count_parts(query) == counts


def test_the_hard_levels() -> None:
    assert hardness("SELECT a FROM t WHERE b > (SELECT AVG(b) FROM t)") == "hard"
    assert hardness("SELECT a FROM t GROUP BY a ORDER BY COUNT(*) DESC LIMIT 1") == "hard"
    assert hardness("SELECT u.b FROM t JOIN u ON t.c = u.c GROUP BY u.b ORDER BY COUNT(*) DESC LIMIT 1") == "extra"


@pytest.mark.parametrize(
    "query",
    [
        "SELEC a FROM t",
        "SELECT FROM WHERE",
        "DROP TABLE t",
        "",
        "SELECT a FROM t; SELECT b FROM t",
        f"SELECT a FROM t WHERE {'(' * 300}b{')' * 300}",  # deeper than Python recurses
    ],
)
def test_what_is_not_one_select_is_refused(query: str) -> None:
    with pytest.raises(QueryError):
        hardness(query)
