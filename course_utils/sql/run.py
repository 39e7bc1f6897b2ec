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

from course_utils.errors import QueryError, QueryErrorKind

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
STEPS_BETWEEN_CHECKS = 1_000
"""SQLite's own steps between two looks at the clock."""
_LONG_WIDTH = re.compile(r"%[^%a-zA-Z]*(\*|\d{4})")
_KIND_BY_MESSAGE: tuple[tuple[str, QueryErrorKind], ...] = (
    (r"no such table: .*", "no such table"),
    (r"no such column: .*", "no such column"),
    (r"not authorized.*|access to .* is prohibited", "not allowed"),
    (r"near .*: syntax error|incomplete input|unrecognized token: .*", "syntax"),
    (r"string or blob too big", "too large"),
)
"""SQLite has one code for nearly all that is wrong with a query, so its words must tell the kinds apart."""


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
            returns too much; its ``kind`` says which.
    """
    (result,) = run_queries(database, [query], timeout_s=timeout_s, max_rows=max_rows)
    if isinstance(result, QueryError):
        raise result
    return result


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
    if not database.is_file():
        raise QueryError(f"{database}: there is no such database")
    try:
        connection = open_read_only(database)
    except sqlite3.Error as error:
        raise QueryError(f"{database}: cannot be opened ({error})") from error
    try:
        _restrict(connection)
        for query in queries:
            try:
                yield _run(connection, query, timeout_s, max_rows)
            except QueryError as error:
                yield error
    finally:
        connection.close()


def open_read_only(database: Path, busy_s: float = 1.0) -> sqlite3.Connection:
    """Open a database so that nothing can write to it.

    Args:
        database: A SQLite file; one that is not there is not created.
        busy_s: How long to wait for another program's lock, in seconds.

    Raises:
        sqlite3.Error: It cannot be opened.
    """
    return sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=busy_s)


def _restrict(connection: sqlite3.Connection) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    for name in ("printf", "format"):
        connection.create_function(name, -1, _format, deterministic=True)
    connection.set_authorizer(_authorize)


def _run(connection: sqlite3.Connection, query: str, timeout_s: float, max_rows: int) -> QueryResult:
    if not query.strip():
        raise QueryError("the query is empty", "syntax")
    began = time.perf_counter()
    connection.set_progress_handler(lambda: int(time.perf_counter() - began > timeout_s), STEPS_BETWEEN_CHECKS)
    try:
        with closing(connection.execute(query)) as cursor:
            if cursor.description is None:
                raise QueryError("the query returns no rows, so it is not a SELECT", "syntax")
            rows = _fetch(cursor, max_rows + 1)
            columns = tuple(column[0] for column in cursor.description)
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        if time.perf_counter() - began > timeout_s:
            raise QueryError(f"the query ran longer than {timeout_s:g} s", "timeout") from error
        raise QueryError(str(error), _kind_of(error)) from error
    return QueryResult(columns, rows[:max_rows], time.perf_counter() - began, len(rows) > max_rows)


def _kind_of(error: Exception) -> QueryErrorKind:
    if not hasattr(error, "sqlite_errorcode"):  # Python refused the text: two statements, a null or half a character
        return "syntax"
    matches = (kind for words, kind in _KIND_BY_MESSAGE if re.fullmatch(words, str(error), re.DOTALL))
    return next(matches, "other")


def _fetch(cursor: sqlite3.Cursor, n_rows: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    n_bytes = 0
    for row in islice(cursor, n_rows):
        n_bytes += sum(len(value) for value in row if isinstance(value, str | bytes))
        if n_bytes > MAX_RESULT_BYTES:
            raise QueryError(f"the query returns more than {MAX_RESULT_BYTES // 10**6} MB; select less", "too large")
        rows.append(row)
    return rows


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
