"""Run SQL safely: one read-only statement, in a worker process that is killed at its limits of time and memory."""

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from sys import getsizeof
from typing import Any, NamedTuple

from course_utils.errors import QueryError, QueryErrorKind
from course_utils.sql.opening import MAX_VALUE_BYTES, open_database
from course_utils.sql.query_forms import clean_query
from course_utils.sql.worker import WorkerDiedError, limit_time, run_each

TIMEOUT_S = 5.0
GRACE_S = 0.2
"""Seconds before the time limit, or a tenth of it if less, at which SQLite is asked to stop; the limit itself kills."""
STEPS_BETWEEN_CHECKS = 1_000
"""Instructions of SQLite's virtual machine between two checks of the clock."""
_ROWS_AT_ONCE = 16
_KIND_BY_MESSAGE: tuple[tuple[str, QueryErrorKind], ...] = (
    (r"no such table: .*", "no such table"),
    (r"no such column: .*", "no such column"),
    (r"not authorized.*|authorization denied|access to .* is prohibited", "not allowed"),
    (r"attempt to write a readonly database|table \S+ may not be modified", "not allowed"),
    (r"You can only execute one statement at a time\.", "not allowed"),
    (r"near .*: syntax error|incomplete input|unrecognized token: .*", "syntax"),
    (r"string or blob too big|query string is too large", "too large"),
)
"""Kinds by SQLite's message, because SQLite has one error code for nearly all that is wrong with a query."""


class QueryLimits(NamedTuple):
    """The limits of one query."""

    timeout_s: float = TIMEOUT_S  # wall clock, including the time to stop the query
    max_rows: int = 10_000  # rows to fetch; the rest are not read, and the result is truncated
    max_bytes: int = 64_000_000  # memory of the fetched rows and the columns' names; more is an error


USUAL = QueryLimits()


@dataclass(frozen=True)
class QueryResult:
    """The rows of a query, in the order in which the database returned them; ``seconds`` is the wall-clock time."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    seconds: float
    truncated: bool
    """True when there were more rows than the limit."""

    @property
    def is_empty(self) -> bool:
        """Whether there are no values other than NULL; many wrong queries give the same empty answer."""
        return all(value is None for row in self.rows for value in row)


def run_query(database: Path, query: str, limits: QueryLimits = USUAL) -> QueryResult:
    """Execute one SELECT and return its rows.

    A worker process runs it: the file is opened read-only, an authorizer denies everything but reading, and the worker
    is killed if SQLite does not stop at a limit.

    Raises:
        QueryError: The query is empty, does not parse or execute, is not read-only, takes too long or
            returns more than ``max_bytes``; its ``kind`` says which.
    """
    (result,) = run_queries(database, [query], limits)
    if isinstance(result, QueryError):
        raise result
    return result


def run_queries(
    database: Path, queries: Iterable[str], limits: QueryLimits = USUAL
) -> Iterator[QueryResult | QueryError]:
    """``run_query`` for many queries in one worker: a fifth of the time if each is quick.

    A query's QueryError is yielded, not raised, so that later queries run too. ``limits`` hold for each query.

    Raises:
        QueryError: The database cannot be opened.
    """
    for result in run_each(_execute_each, database.resolve(), limits, items=queries):
        yield to_query_error(result, limits.timeout_s) if isinstance(result, WorkerDiedError) else result


def to_query_error(error: WorkerDiedError, timeout_s: float) -> QueryError:
    """The QueryError for a query with a limit of ``timeout_s`` seconds that ended its worker."""
    known = {"timeout": f"the query ran longer than {timeout_s:g} s", "too large": f"the query {error}; select less"}
    return QueryError(known.get(error.kind, f"the query does not run: {error}"), error.kind)


def _execute_each(database: Path, limits: QueryLimits, queries: Iterable[str]) -> Iterator[QueryResult | QueryError]:
    """Run ``run_queries`` in the worker, with the same arguments and errors."""
    connection = open_database(database)
    for query in queries:
        try:
            yield execute(connection, query, limits)
        except QueryError as error:
            yield error


def execute(connection: sqlite3.Connection, query: str, limits: QueryLimits) -> QueryResult:
    """Run one query on a connection of ``open_database``, in a worker; raises as ``run_query``, or MemoryError."""
    if not (query := clean_query(query)):
        raise QueryError("the query is empty", "syntax")
    began = time.perf_counter()
    stop_s = limits.timeout_s - min(GRACE_S, limits.timeout_s / 10)
    limit_time(max(limits.timeout_s, stop_s + GRACE_S / 4))

    def is_late() -> bool:
        return time.perf_counter() - began > stop_s

    connection.set_progress_handler(is_late, STEPS_BETWEEN_CHECKS)
    try:
        with closing(connection.execute(query)) as cursor:
            if cursor.description is None:
                raise QueryError("the query returns no rows, so it is not a SELECT", "syntax")
            result = fetch_result(cursor, limits, began)
    except (sqlite3.Error, UnicodeError) as error:
        if not is_late():
            kind, reason = _kind_of(error), str(error)
            reason += f" (at most {MAX_VALUE_BYTES:,} bytes a value)" * (kind == "too large")
            reading = f"only one statement that reads is run: {reason.rstrip('.')}"
            raise QueryError(reading if kind == "not allowed" else reason, kind) from error
    if is_late():
        raise QueryError(f"the query ran longer than {limits.timeout_s:g} s", "timeout")
    return result


def _kind_of(error: Exception) -> QueryErrorKind:
    # An error without SQLite's code comes from Python: a null character, a lone surrogate or a missing parameter.
    unknown: QueryErrorKind = "other" if hasattr(error, "sqlite_errorcode") else "syntax"
    matches = (kind for words, kind in _KIND_BY_MESSAGE if re.fullmatch(words, str(error), re.DOTALL))
    return next(matches, unknown)


def fetch_result(cursor: Any, limits: QueryLimits, began: float) -> QueryResult:
    """Fetch a query's answer from a cursor of any database; QueryError if it takes more than ``max_bytes``.

    ``began`` is the query's start by ``time.perf_counter``.
    """
    columns = tuple(column[0] for column in cursor.description)
    rows, chunk = list[tuple[object, ...]](), [columns]  # the names, which may be long, count too
    n_bytes, n_rows = 0, limits.max_rows + 1  # one more, to know whether there are more
    while chunk:
        n_bytes += sum(map(getsizeof, chain(chunk, *chunk)))
        if n_bytes > limits.max_bytes:
            raise QueryError(f"the query returns more than {limits.max_bytes / 1e6:g} MB; select less", "too large")
        chunk = cursor.fetchmany(min(_ROWS_AT_ONCE, n_rows - len(rows))) if len(rows) < n_rows else []
        rows += chunk
    return QueryResult(columns, rows[: limits.max_rows], time.perf_counter() - began, len(rows) > limits.max_rows)
