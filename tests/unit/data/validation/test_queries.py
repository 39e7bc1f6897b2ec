import sqlite3
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.validation.queries import count_largest, query_findings
from course_utils.sql import QueryResult, run_queries
from tests.sqlite_files import write_database


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


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT city FROM shop WHERE id < 0", "is empty, so every query without rows counts as right"),
        ("SELECT MAX(size) FROM shop WHERE id < 0", "has nothing but NULL"),
        ("SELECT a.id FROM shop AS a, shop AS b", "has 1,600 rows; the largest table of shop has 40"),
        ("SELECT a.id FROM shop AS a, shop AS b, shop AS c", "has more than 10,000 rows; the largest table of shop"),
    ],
)
def test_the_reason_is_what_the_result_shows(database: Path, query: str, reason: str) -> None:
    (result,) = run_queries(database, [query])
    (finding,) = query_findings({"db_id": "shop", "query": query}, result, count_largest(database))
    assert finding.reason.startswith(f"the result {reason}")


@pytest.mark.parametrize(
    ("n_rows", "n_largest", "is_enormous"),
    [(20, 0, False), (21, 0, True), (60, 40, False), (61, 40, True), (1_000, 9_999, False), (1_001, 9_999, True)],
)
def test_a_result_is_enormous_beside_the_largest_table(n_rows: int, n_largest: int, is_enormous: bool) -> None:
    result = QueryResult(("id",), [(1,)] * n_rows, 0.0, truncated=False)
    found = query_findings({"db_id": "shop", "query": "SELECT id FROM shop"}, result, n_largest)
    assert [finding.check for finding in found] == ["enormous-result"] * is_enormous


def test_a_database_without_tables_has_no_largest(tmp_path: Path) -> None:
    assert count_largest(write_database(tmp_path / "bare.sqlite", "PRAGMA user_version = 1")) == 0


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
