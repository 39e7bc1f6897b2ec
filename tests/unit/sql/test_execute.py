"""The one safe way to run SQL: reads what it should, and nothing else, in bounded time and memory."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from course_utils.errors import QueryError
from course_utils.sql import QueryLimits, QueryResult, run_queries, run_query
from tests.sqlite_files import write_database


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_database(
        tmp_path / "shop.sqlite",
        """CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL);
        INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'book', 12.0), (3, NULL, NULL), (4, 'ink; pen', 3);
        CREATE VIRTUAL TABLE note USING fts5 (body); INSERT INTO note VALUES ('blue ink');
        CREATE VIRTUAL TABLE old USING fts4 (body); INSERT INTO old VALUES ('on paper');
        CREATE VIRTUAL TABLE place USING rtree (id, low, high); INSERT INTO place VALUES (1, 1, 2);
        CREATE VIEW cheap AS SELECT name FROM item WHERE price < 5;""",
    )


def test_rows_columns_and_order_are_sqlites(database: Path) -> None:
    query = "SELECT name AS n, price FROM item ORDER BY price DESC"
    result = run_query(database, query)
    with sqlite3.connect(database) as connection:
        assert result.rows == connection.execute(query).fetchall()
    assert result.columns == ("n", "price")
    assert not result.truncated
    assert 0 < result.seconds < 5


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT COUNT(*) FROM item;; ;", [(4,)]),
        ("  -- how many\n SELECT COUNT(*) FROM item  ", [(4,)]),
        ("WITH few AS (SELECT * FROM item LIMIT 2) SELECT COUNT(*) FROM few", [(2,)]),
        ("SELECT COUNT(*) FROM cheap", [(2,)]),
        ("VALUES (1, 'a')", [(1, "a")]),
        ("SELECT name FROM item WHERE name = 'ink; pen'", [("ink; pen",)]),
        ("SELECT strftime('%Y', '2026-11-22'), upper('a'), round(2.5)", [("2026", "A", 3.0)]),
        ("SELECT 1 WHERE 0", []),
        ("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5) SELECT SUM(n) FROM c", [(15,)]),
        ("SELECT value FROM item, json_each('[5, 6]') WHERE item.id = 1", [(5,), (6,)]),
        ("SELECT name FROM note('ink') JOIN item ON item.id = note.rowid ORDER BY rank", [("pen",)]),
        ("SELECT snippet(old, '[', ']') FROM old WHERE old MATCH 'paper'", [("on [paper]",)]),
        ("SELECT id FROM place WHERE low < 2", [(1,)]),
    ],
)
def test_reading_statements_run(database: Path, query: str, rows: list[tuple[object, ...]]) -> None:
    assert run_query(database, query).rows == rows


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO item VALUES (9, 'x', 1)",
        "INSERT INTO item VALUES (9, 'x', 1) RETURNING id",
        "UPDATE item SET price = 0",
        "INSERT INTO note VALUES ('x')",
        "DELETE FROM place_node",
        "UPDATE sqlite_schema SET name = 'x'",
        "DELETE FROM item",
        "DROP TABLE item",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "ATTACH DATABASE 'other.sqlite' AS other",
        "VACUUM INTO 'copy.sqlite'",
        "PRAGMA writable_schema = 1",
        "PRAGMA user_version",
        "SELECT * FROM pragma_database_list",
        "BEGIN",
        "SAVEPOINT s",
        "SELECT load_extension('x')",
        "SELECT readfile('shop.sqlite')",
        "SELECT writefile('x', 'y')",
        "SELECT 1; DROP TABLE item",
        "SELECT 1; SELECT 2",
    ],
)
def test_everything_else_is_refused_and_changes_nothing(
    database: Path, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(database.parent)
    before = database.read_bytes()
    with pytest.raises(QueryError):
        run_query(database, query)
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == ["shop.sqlite"]


@pytest.mark.parametrize("table", ["sqlite_stmt", "SQLITE_STMT", '"sqlite_stmt"', "main.sqlite_stmt"])
def test_no_query_can_read_the_ones_before_it(database: Path, table: str) -> None:
    secret, spy = run_queries(database, ["SELECT 'a secret'", f"SELECT sql FROM {table}"])
    assert isinstance(secret, QueryResult)
    assert isinstance(spy, QueryError)
    assert spy.kind in ("not allowed", "no such table")  # not every SQLite has this table
    count = next(run_queries(database, [f"SELECT COUNT(*) FROM {table}"]))
    assert isinstance(count, QueryError)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        *(
            (query, "syntax")
            for query in ("", "  \n", "-- nothing", ";", "SELEC 1", "SELECT FROM", "SELECT (1", "SELECT '")
        ),
        *((query, "syntax") for query in ("SELECT 1\0", "SELECT '\ud800'", "SELECT ?")),
        ("SELECT price_eur FROM item", "no such column"),
        ('SELECT "no such table: x".id FROM item', "no such column"),
        ("SELECT 1 FROM items", "no such table"),
        ("SELECT name FROM item prohibited by law", "syntax"),
        ("DROP TABLE item", "not allowed"),
        ("SELECT 1; SELECT 2", "not allowed"),
        ("SELECT * FROM pragma_database_list", "not allowed"),
        ("SELECT length(zeroblob(900000000))", "too large"),
        ("SELECT nofunction(1)", "other"),
        ("SELECT id FROM item a JOIN item b", "other"),
    ],
)
def test_an_error_says_its_kind_and_not_the_query(database: Path, query: str, kind: str) -> None:
    with pytest.raises(QueryError) as error:
        run_query(database, query)
    assert error.value.kind == kind
    assert ("1,000,000 bytes" in str(error.value)) == (kind == "too large"), "the limit is said"
    assert not query.strip() or query.strip() not in str(error.value).replace(";", "")


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT COUNT(*) FROM c",
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT SUM(length(hex(zeroblob(4e5)))) FROM c",
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3000) SELECT COUNT(*) FROM c a, c b, c d",
    ],
)
def test_an_endless_query_is_stopped(database: Path, query: str) -> None:
    began = time.perf_counter()
    with pytest.raises(QueryError, match=r"longer than 0\.3 s") as error:
        run_query(database, query, QueryLimits(timeout_s=0.3))
    assert error.value.kind == "timeout"
    assert time.perf_counter() - began < 20  # far from forever, on a busy machine too


@pytest.mark.parametrize(
    "query",
    [
        "SELECT length(zeroblob(900000000))",
        "SELECT length(hex(zeroblob(400000000)))",
        "SELECT printf('%.*c', 900000000, 'x')",
        "SELECT replace(hex(zeroblob(900000)), '0', hex(zeroblob(400)))",
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 900) SELECT randomblob(900000) FROM c",
    ],
)
def test_no_query_builds_gigabytes(database: Path, query: str) -> None:
    with pytest.raises(QueryError) as error:
        run_query(database, query, QueryLimits(timeout_s=1))
    assert error.value.kind in ("too large", "timeout")


@pytest.mark.parametrize("condition", ["1", "0"])
def test_the_names_of_columns_count_too(database: Path, condition: str) -> None:
    query = f'WITH c AS (SELECT 1 AS "{"a" * 10_000}") SELECT {", ".join(["c.*"] * 900)} FROM c WHERE {condition}'
    with pytest.raises(QueryError, match="more than 8 MB") as error:
        run_query(database, query, QueryLimits(max_bytes=8_000_000))
    assert error.value.kind == "too large"
    assert len(run_query(database, query, QueryLimits(max_bytes=20_000_000)).columns) == 900


@pytest.mark.parametrize(
    "call",
    [
        "printf('%.2f and %05d %s', 3.14159, 42, 'x')",
        "format('%d%%', 5)",
        "printf('%.1f%% (2024)', 3.14159)",
        "printf('%,d', 1234567)",
        "printf(NULL)",
    ],
)
def test_printf_is_sqlites_own(database: Path, call: str) -> None:
    with sqlite3.connect(":memory:") as connection:
        try:
            wanted = connection.execute(f"SELECT {call}").fetchall()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite has no format()")
    assert run_query(database, f"SELECT {call}").rows == wanted


def test_more_rows_than_asked_for_are_cut_and_said_so(database: Path) -> None:
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 10) SELECT n FROM c"
    result = run_query(database, numbers, QueryLimits(max_rows=4))
    assert result.rows == [(1,), (2,), (3,), (4,)]
    assert result.truncated
    assert not run_query(database, numbers, QueryLimits(max_rows=10)).truncated


def test_text_that_is_not_utf8_is_shown_by_its_bytes(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO item VALUES (7, CAST(x'ff41' AS TEXT), 0)")
    connection.close()
    assert run_query(database, "SELECT name FROM item WHERE id = 7").rows == [(r"\xffA",)]


def test_the_same_query_can_run_in_a_read_only_folder(database: Path) -> None:
    database.chmod(0o444)
    database.parent.chmod(0o555)
    try:
        assert isinstance(run_query(database, "SELECT * FROM item"), QueryResult)
    finally:
        database.parent.chmod(0o755)


def test_a_missing_database_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="there is no such database"):
        run_query(tmp_path / "none.sqlite", "SELECT 1")
    assert list(tmp_path.iterdir()) == []


def test_a_corrupt_database_is_a_query_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"this is no database, but long enough to be read as one " * 100)
    with pytest.raises(QueryError, match="not a database"):
        run_query(path, "SELECT * FROM sqlite_master")


def test_a_name_with_url_characters_opens(tmp_path: Path) -> None:
    path = tmp_path / "50% of #1?.sqlite"
    sqlite3.connect(path).close()
    path.write_bytes(b"")
    assert run_query(path, "SELECT 1").rows == [(1,)]


def test_many_queries_on_one_connection_answer_as_each_alone(database: Path) -> None:
    queries = ["SELECT 1", "SELECT nothing", "", "SELECT 1; SELECT 2", "DROP TABLE item", "SELECT 2, 3"]
    together = list(run_queries(database, queries))
    assert len(together) == len(queries)
    for query, found in zip(queries, together, strict=True):
        if isinstance(found, QueryError):
            with pytest.raises(QueryError) as error:
                run_query(database, query)
            assert str(found) == str(error.value)
        else:
            alone = run_query(database, query)
            assert (found.columns, found.rows) == (alone.columns, alone.rows)
    assert [isinstance(found, QueryResult) for found in together] == [True, False, False, False, False, True]


def test_a_query_that_runs_too_long_does_not_shorten_the_next(database: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
    slow, quick = run_queries(database, [endless, "SELECT 1"], QueryLimits(timeout_s=0.2))
    assert "ran longer than 0.2 s" in str(slow)
    assert isinstance(quick, QueryResult)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
LONG = "replace(hex(zeroblob(490000)), '0', 'a')"
SLACK_S = 0.1 if os.getloadavg()[0] < (os.cpu_count() or 1) else 20.0
"""To wake up and to kill; whoever shares its cores waits for others too."""


@pytest.mark.parametrize(
    "query",
    [
        f"{ENDLESS} SELECT COUNT(*) FROM n",
        "SELECT COUNT(*) FROM many a, many b, many c",
        f"SELECT {LONG} LIKE '%' || replace(hex(zeroblob(24000)), '0', 'a') || 'b'",
        f"SELECT SUM({LONG} GLOB '*a*a*a*b' || id) FROM many",
        "SELECT SUM(length(printf('%9999d', a.id))) FROM many a, many b",
        f"{ENDLESS} SELECT SUM(length(hex(zeroblob(400000)))) FROM n",
        f"{ENDLESS} SELECT length(group_concat(i)) FROM n",
        "SELECT a.id FROM many a, many b ORDER BY a.id || b.id",
    ],
)
def test_a_limit_is_all_the_time_that_is_waited(tmp_path: Path, query: str) -> None:
    path, limits = tmp_path / "many.sqlite", QueryLimits(timeout_s=0.5)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE many (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO many VALUES (?)", ((n,) for n in range(20_000)))
    run_query(path, "SELECT 1")  # so that a worker is there
    began = time.perf_counter()
    with pytest.raises(QueryError) as error:
        run_query(path, query, limits)
    assert error.value.kind in ("timeout", "too large")
    assert time.perf_counter() - began < limits.timeout_s + SLACK_S
