"""Run queries in this process, each on its own connection, as the course did before it had worker processes.

This is the baseline of ``sql_workers``. It is not safe against statements that SQLite's own limits cannot stop.
"""

import sqlite3
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from course_utils.sql import QueryResult, find_difference
from course_utils.sql.compare import MAX_COMPARED_ROWS

TIMEOUT_S = 5.0
MAX_ROWS = 10_000
MAX_VALUE_BYTES = 1_000_000
MAX_RESULT_BYTES = 64_000_000
STEPS_BETWEEN_CHECKS = 1_000
READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
FORBIDDEN = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}


def run_query(database: Path, query: str, max_rows: int = MAX_ROWS) -> QueryResult:
    """Open, restrict, execute, fetch and close."""
    with closing(_open(database)) as connection:
        return _run(connection, query, max_rows)


def run_queries(database: Path, queries: list[str]) -> list[QueryResult]:
    """Many on one connection."""
    with closing(_open(database)) as connection:
        return [_run(connection, query, MAX_ROWS) for query in queries]


def judge(database: Path, query: str, predicted: str) -> bool:
    """Run gold and prediction, and say whether their answers are the same."""
    gold = run_query(database, query, MAX_COMPARED_ROWS)
    try:
        found = run_query(database, predicted, MAX_COMPARED_ROWS)
    except (sqlite3.Error, sqlite3.Warning, ValueError):
        return False
    return find_difference(gold, found, query) is None


def _open(database: Path) -> sqlite3.Connection:
    if not database.is_file():
        raise FileNotFoundError(database)
    connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    for name in ("printf", "format"):
        connection.create_function(name, -1, _format, deterministic=True)
    connection.set_authorizer(_authorize)
    return connection


def _run(connection: sqlite3.Connection, query: str, max_rows: int) -> QueryResult:
    if not query.strip():
        raise ValueError("the query is empty")
    began = time.perf_counter()
    connection.set_progress_handler(lambda: int(time.perf_counter() - began > TIMEOUT_S), STEPS_BETWEEN_CHECKS)
    with closing(connection.execute(query)) as cursor:
        if cursor.description is None:
            raise ValueError("the query returns no rows")
        rows: list[tuple[object, ...]] = []
        n_bytes = 0
        for row in islice(cursor, max_rows + 1):
            n_bytes += sum(len(value) for value in row if isinstance(value, str | bytes))
            if n_bytes > MAX_RESULT_BYTES:
                raise ValueError("the query returns too much")
            rows.append(row)
        columns = tuple(column[0] for column in cursor.description)
    return QueryResult(columns, rows[:max_rows], time.perf_counter() - began, len(rows) > max_rows)


def _format(template: object, *values: object) -> Any:
    with closing(sqlite3.connect(":memory:")) as connection:
        marks = ", ".join("?" * (len(values) + 1))
        return connection.execute(f"SELECT printf({marks})", (template, *values)).fetchone()[0]


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FORBIDDEN:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY
