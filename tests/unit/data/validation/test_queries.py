import sqlite3
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.validation.queries import count_largest, query_findings
from course_utils.sql import run_queries


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("queries") / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE shop (id INTEGER, city TEXT, size REAL)")
    rows = [(i, ("Lyon", "Turin")[i % 2], i / 4) for i in range(40)]
    connection.executemany("INSERT INTO shop VALUES (?, ?, ?)", rows)
    connection.executescript("CREATE TABLE city (name TEXT); INSERT INTO city VALUES ('Lyon'), ('Turin')")
    connection.commit()
    connection.close()
    return path


def found_in(database: Path, query: str, **fields: Any) -> list[tuple[str, str]]:
    row = {"db_id": "shop", "question": "?", "query": query, **fields}
    (result,) = run_queries(database, [query])
    return [(finding.check, finding.severity) for finding in query_findings(row, result, count_largest(database))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT city FROM shop", []),
        ("SELECT ctiy FROM shop", [("execution", "error")]),
        ("SELECT city FROM shops", [("execution", "error")]),
        ("SELECT MAX(a, b, c FROM shop", [("syntax", "error")]),
        ("SELECT city FROM shop WHERE", [("syntax", "error")]),
        ("SELECT city FROM shop; SELECT 1", [("execution", "error")]),
        ("DROP TABLE shop", [("execution", "error")]),
        ("SELECT city FROM shop WHERE id < 0", [("empty-result", "warning")]),
        ("SELECT MAX(size) FROM shop WHERE id < 0", [("empty-result", "warning")]),
        ("SELECT id FROM shop UNION ALL SELECT id FROM shop WHERE id < 15", []),
        ("SELECT shop.city FROM shop, city", [("enormous-result", "warning")]),
        ("SELECT a.id FROM shop AS a, shop AS b", [("enormous-result", "warning")]),
    ],
)
def test_each_trouble_has_its_check(database: Path, query: str, expected: list[tuple[str, str]]) -> None:
    assert found_in(database, query) == expected


CONSTANT = (
    "SELECT 1",
    "SELECT 2 + 3 AS five",
    "VALUES (1, 2)",
    "SELECT DATE('now')",
    "SELECT 'yes' FROM shop",
    "SELECT 'yes' AS answer, (2 * -3) FROM shop",
    "SELECT 1 FROM shop WHERE city = 'Lyon'",
)
VARYING = (
    "SELECT COUNT(1) FROM shop",
    "SELECT * FROM shop",
    "SELECT 1, * FROM shop",
    "SELECT s.city, 1 FROM shop AS s",
    "SELECT (SELECT MAX(id) FROM shop)",
    "SELECT EXISTS (SELECT 1 FROM shop WHERE city = 'Lyon')",
    "SELECT ROW_NUMBER() OVER () FROM shop",
    "WITH a AS (SELECT city FROM shop) SELECT city FROM a",
    "SELECT 'none' FROM shop UNION SELECT city FROM shop",
    "SELECT CASE WHEN COUNT(*) > 3 THEN 'many' ELSE 'few' END FROM shop",
)


@pytest.mark.parametrize("query", [*CONSTANT, *VARYING])
def test_only_answers_that_need_no_data_are_constant(database: Path, query: str) -> None:
    assert found_in(database, query) == ([("constant-result", "warning")] if query in CONSTANT else [])


def test_marks_excuse_what_they_say_and_nothing_else(database: Path) -> None:
    nothing = "SELECT city FROM shop WHERE id < 0"
    assert found_in(database, nothing, empty=True) == []
    assert found_in(database, "SELECT city FROM shop", empty=True) == [("empty-result", "warning")]
    assert found_in(database, "SELECT 'unanswerable'", answerable=False) == []
    assert found_in(database, "SELECT 'unanswerable", answerable=False) == [("syntax", "error")]
    assert found_in(database, "SELECT 'unanswerable'", answerable=True) == [("constant-result", "warning")]
