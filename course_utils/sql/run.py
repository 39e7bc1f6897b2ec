"""Run one query safely: read-only, one statement, bounded in time and rows."""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import QueryError

TIMEOUT_S = 5.0
MAX_ROWS = 10_000
READ_ACTIONS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_STEPS_BETWEEN_CHECKS = 10_000


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
        QueryError: The query is empty, does not parse or execute, is not read-only, or takes too long.
    """
    if not query.strip():
        raise QueryError("the query is empty")
    began = time.perf_counter()
    connection = _connect(database)
    try:
        connection.set_progress_handler(lambda: int(time.perf_counter() - began > timeout_s), _STEPS_BETWEEN_CHECKS)
        cursor = connection.execute(query)
        if cursor.description is None:
            raise QueryError(f"the query returns no rows, so it is not a SELECT: {query}")
        rows = cursor.fetchmany(max_rows + 1)
        columns = tuple(column[0] for column in cursor.description)
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        if time.perf_counter() - began > timeout_s:
            raise QueryError(f"the query ran longer than {timeout_s:g} s: {query}") from error
        raise QueryError(f"{error}: {query}") from error
    finally:
        connection.close()
    return QueryResult(columns, rows[:max_rows], time.perf_counter() - began, len(rows) > max_rows)


def _connect(database: Path) -> sqlite3.Connection:
    if not database.is_file():
        raise QueryError(f"{database}: there is no such database")
    uri = f"{database.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=1.0)
    connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in READ_ACTIONS else sqlite3.SQLITE_DENY
