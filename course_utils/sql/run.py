"""Run one query safely: read-only, one statement, bounded in time, rows and bytes."""

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from course_utils.errors import QueryError

TIMEOUT_S = 5.0
MAX_ROWS = 10_000
MAX_VALUE_BYTES = 1_000_000
"""Longest text or blob. One instruction of SQLite cannot be interrupted, so none may build gigabytes."""
MAX_RESULT_BYTES = 64_000_000
READ_ACTIONS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_STEPS_BETWEEN_CHECKS = 1_000
_LONG_WIDTH = re.compile(r"%[^%a-zA-Z]*(\*|\d{4})")


@dataclass(frozen=True)
class QueryResult:
    """Rows of a query, in the order in which the database gave them."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    seconds: float
    truncated: bool
    """True when there were more rows than ``max_rows``."""


def run_query(database: Path, query: str, *, timeout_s: float = TIMEOUT_S, max_rows: int = MAX_ROWS) -> QueryResult:
    """Execute one SELECT and return its rows.

    The file is opened read-only, an authorizer denies everything but reading, and a progress handler
    stops the query at the time limit.

    Args:
        database: A SQLite file.
        query: One statement.
        timeout_s: Wall-clock limit in seconds.
        max_rows: Rows to fetch at most.

    Raises:
        QueryError: The query is empty, does not parse or execute, is not read-only, takes too long or
            returns too much.
    """
    connection = _connect(database)
    try:
        return _run(connection, query, timeout_s, max_rows)
    finally:
        connection.close()


def run_queries(
    database: Path, queries: Iterable[str], *, timeout_s: float = TIMEOUT_S, max_rows: int = MAX_ROWS
) -> Iterator[QueryResult | QueryError]:
    """``run_query`` for many queries on one connection, which costs a quarter of the time where each is quick.

    An error is given and not raised, so that the queries behind it run too.

    Args:
        database: A SQLite file.
        queries: Each is one statement.
        timeout_s: Wall-clock limit of each in seconds.
        max_rows: Rows to fetch of each at most.

    Raises:
        QueryError: The database cannot be opened.
    """
    connection = _connect(database)
    try:
        for query in queries:
            try:
                yield _run(connection, query, timeout_s, max_rows)
            except QueryError as error:
                yield error
    finally:
        connection.close()


def _run(connection: sqlite3.Connection, query: str, timeout_s: float, max_rows: int) -> QueryResult:
    if not query.strip():
        raise QueryError("the query is empty")
    began = time.perf_counter()
    connection.set_progress_handler(lambda: int(time.perf_counter() - began > timeout_s), _STEPS_BETWEEN_CHECKS)
    try:
        with closing(connection.execute(query)) as cursor:
            if cursor.description is None:
                raise QueryError(f"the query returns no rows, so it is not a SELECT: {query}")
            rows = _fetch(cursor, max_rows + 1)
            columns = tuple(column[0] for column in cursor.description)
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        if time.perf_counter() - began > timeout_s:
            raise QueryError(f"the query ran longer than {timeout_s:g} s: {query}") from error
        raise QueryError(f"{error}: {query}") from error
    return QueryResult(columns, rows[:max_rows], time.perf_counter() - began, len(rows) > max_rows)


def _fetch(cursor: sqlite3.Cursor, n_rows: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    n_bytes = 0
    for row in islice(cursor, n_rows):
        n_bytes += sum(len(value) for value in row if isinstance(value, str | bytes))
        if n_bytes > MAX_RESULT_BYTES:
            raise QueryError(f"the query returns more than {MAX_RESULT_BYTES // 10**6} MB; select less")
        rows.append(row)
    return rows


def _connect(database: Path) -> sqlite3.Connection:
    if not database.is_file():
        raise QueryError(f"{database}: there is no such database")
    uri = f"{database.resolve().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=1.0)
    except sqlite3.Error as error:
        raise QueryError(f"{database}: cannot be opened ({error})") from error
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    for name in ("printf", "format"):
        connection.create_function(name, -1, _format, deterministic=True)
    connection.set_authorizer(_authorize)
    return connection


def _format(template: object, *values: object) -> Any:
    """SQLite's own ``printf`` for moderate widths; ``printf('%.*c', 1000000000, 'x')`` cannot be interrupted."""
    if _LONG_WIDTH.search(str(template)):
        raise ValueError("width or precision is too large")
    with closing(sqlite3.connect(":memory:")) as connection:
        marks = ", ".join("?" * (len(values) + 1))
        return connection.execute(f"SELECT printf({marks})", (template, *values)).fetchone()[0]


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in READ_ACTIONS else sqlite3.SQLITE_DENY
