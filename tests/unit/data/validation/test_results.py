import sqlite3
from pathlib import Path

import pytest

from course_utils.data.validation.results import examine_queries, largest_table, query_problems
from course_utils.data.validation.rows import Row


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE shop (id INTEGER, city TEXT, size REAL)")
        rows = [(i, ("Lyon", "Turin")[i % 2], i / 4) for i in range(40)]
        connection.executemany("INSERT INTO shop VALUES (?, ?, ?)", rows)
        connection.execute("CREATE TABLE city (name TEXT)")
        connection.executemany("INSERT INTO city VALUES (?)", [("Lyon",), ("Turin",)])
    connection.close()
    return path


def problems_of(database: Path, query: str, **fields: object) -> list[tuple[str, str]]:
    row: Row = {"db_id": "shop", "question": "?", "query": query, **fields}
    found = query_problems(row, examine_queries(database, [query])[query], {"shop": largest_table(database)})
    return [(problem.check, problem.severity) for problem in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT city FROM shop", []),
        ("SELECT ctiy FROM shop", [("execution", "error")]),
        ("SELECT city FROM shops", [("execution", "error")]),
        ("SELECT MAX(a, b, c FROM shop", [("syntax", "error")]),
        ("SELECT city FROM shop WHERE", [("syntax", "error")]),
        ("SELECT city FROM shop; SELECT 1", [("syntax", "error")]),
        ("DROP TABLE shop", [("execution", "error")]),
        ("SELECT city FROM shop WHERE id < 0", [("empty-result", "warning")]),
        ("SELECT MAX(size) FROM shop WHERE id < 0", [("empty-result", "warning")]),
        ("SELECT 42", [("constant-result", "warning")]),
        ("SELECT id FROM shop UNION ALL SELECT id FROM shop WHERE id < 15", []),
        ("SELECT shop.city FROM shop, city", [("enormous-result", "warning")]),
        ("SELECT a.id FROM shop AS a, shop AS b", [("enormous-result", "warning")]),
    ],
)
def test_each_trouble_has_its_check(database: Path, query: str, expected: list[tuple[str, str]]) -> None:
    assert problems_of(database, query) == expected


def test_marks_excuse_what_they_say_and_nothing_else(database: Path) -> None:
    nothing = "SELECT city FROM shop WHERE id < 0"
    assert problems_of(database, nothing, empty=True) == []
    assert problems_of(database, "SELECT city FROM shop", empty=True) == [("empty-result", "warning")]
    assert problems_of(database, "SELECT 'unanswerable'", answerable=False) == []
    assert problems_of(database, "SELECT 'unanswerable", answerable=False) == [("syntax", "error")]
    assert problems_of(database, "SELECT 'unanswerable'", answerable=True) == [("constant-result", "warning")]


def test_equal_answers_have_equal_digests(database: Path) -> None:
    facts = examine_queries(
        database,
        [
            "SELECT name FROM city",
            "SELECT DISTINCT city FROM shop",
            "SELECT city FROM shop GROUP BY city ORDER BY city DESC",
            "SELECT city FROM shop GROUP BY city ORDER BY city ASC",
            "SELECT name FROM city UNION ALL SELECT 'Lyon'",
            "SELECT COUNT(*) FROM city",
            "SELECT 2.0",
            "SELECT '2'",
        ],
    )
    names, cities, falling, rising, more, two, float_two, text_two = facts.values()
    assert names.digest == cities.digest == falling.digest == rising.digest != more.digest
    assert falling.sequence != rising.sequence
    assert names.sequence == ""
    assert two.digest == float_two.digest != text_two.digest


def test_the_largest_table_is_counted(database: Path) -> None:
    assert largest_table(database) == 40
