"""What a worker does with SQL: open the database so that nothing can write, and run one reading statement at a time."""

import re
import sqlite3
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from glob import escape
from itertools import chain
from pathlib import Path
from sys import getsizeof

from course_utils.errors import DataError, QueryError, QueryErrorKind
from course_utils.sql.settle import copy_database, has_log, is_unsettled, read_only_uri
from course_utils.sql.worker import MEMORY_BYTES, limit_time, more_room

MAX_VALUE_BYTES = 1_000_000
"""Longest text or blob, and longest query."""
MAX_RESULT_BYTES = 64_000_000
"""What the fetched rows may take in memory."""
GRACE_S = 0.2
"""A query that SQLite does not stop at its limit is killed so much later."""
OPEN_S = 30.0
"""Time to copy a database whose last rows are in its log."""
STEPS_BETWEEN_CHECKS = 1_000
"""SQLite's own steps between two looks at the clock."""
BUSY_S = 1.0
"""How long to wait for another program's lock, in seconds."""
MAX_OPEN = 8
_decode = partial(str, encoding="utf-8", errors="replace")
_ROWS_AT_ONCE = 16
FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_CHANGING = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_INTERNAL_TABLES = re.compile(r"sqlite_(?:temp_)?(?:master|schema)|.*_(?:node|rowid|parent)", re.IGNORECASE)
"""What virtual tables prepare to change when they are opened: the schema to declare themselves, R-Tree its parts.

Whether anything is changed is not the authorizer's to say: the file is open for reading alone."""
_INTERNAL_PRAGMAS = {"data_version", "page_size"}  # what FTS reads before it searches
_KIND_BY_MESSAGE: tuple[tuple[str, QueryErrorKind], ...] = (
    (r"no such table: .*", "no such table"),
    (r"no such column: .*", "no such column"),
    (r"not authorized.*|authorization denied|access to .* is prohibited", "not allowed"),
    (r"attempt to write a readonly database|table \S+ may not be modified", "not allowed"),
    (r"You can only execute one statement at a time\.", "not allowed"),
    (r"near .*: syntax error|incomplete input|unrecognized token: .*", "syntax"),
    (r"string or blob too big|query string is too large", "too large"),
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


def execute_queries(
    database: Path, timeout_s: float, max_rows: int, max_bytes: int, queries: Iterable[str]
) -> Iterator[QueryResult | QueryError]:
    """Run each query, for ``run_queries``; the arguments and errors are its own."""
    connection = open_database(database)
    for query in queries:
        try:
            yield execute(connection, query, timeout_s, max_rows, max_bytes)
        except QueryError as error:
            yield error


def execute(
    connection: sqlite3.Connection, query: str, timeout_s: float, max_rows: int, max_bytes: int = MAX_RESULT_BYTES
) -> QueryResult:
    """Run one query on a connection of ``open_database``; errors are those of ``run_query``, or MemoryError."""
    if not query.strip():
        raise QueryError("the query is empty", "syntax")
    began = time.perf_counter()
    limit_time(timeout_s + GRACE_S)

    def is_late() -> bool:
        return time.perf_counter() - began > timeout_s

    connection.set_progress_handler(is_late, STEPS_BETWEEN_CHECKS)
    try:
        with closing(connection.execute(query)) as cursor:
            if cursor.description is None:
                raise QueryError("the query returns no rows, so it is not a SELECT", "syntax")
            rows = _fetch(cursor, max_rows + 1, max_bytes)
            columns = tuple(column[0] for column in cursor.description)
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        if not is_late():
            kind, reason = _kind_of(error), str(error)
            reading = f"only one statement that reads is run: {reason.rstrip('.')}"
            raise QueryError(reading if kind == "not allowed" else reason, kind) from error
    if is_late():
        raise QueryError(f"the query ran longer than {timeout_s:g} s", "timeout")
    return QueryResult(columns, rows[:max_rows], time.perf_counter() - began, len(rows) > max_rows)


def _kind_of(error: Exception) -> QueryErrorKind:
    # What has no code of SQLite's was refused by Python: a null, half a character or a parameter.
    unknown: QueryErrorKind = "other" if hasattr(error, "sqlite_errorcode") else "syntax"
    matches = (kind for words, kind in _KIND_BY_MESSAGE if re.fullmatch(words, str(error), re.DOTALL))
    return next(matches, unknown)


def _fetch(cursor: sqlite3.Cursor, n_rows: int, max_bytes: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    n_bytes = 0
    while len(rows) < n_rows and (chunk := cursor.fetchmany(min(_ROWS_AT_ONCE, n_rows - len(rows)))):
        n_bytes += sum(map(getsizeof, chain(chunk, *chunk)))
        if n_bytes > max_bytes:
            raise QueryError(f"the query returns more than {max_bytes / 1e6:g} MB; select less", "too large")
        rows += chunk
    return rows


_open: "OrderedDict[tuple[object, ...], sqlite3.Connection]" = OrderedDict()


def open_database(database: Path) -> sqlite3.Connection:
    """A connection that reads alone, kept for the next query, within this worker's limits; QueryError without one."""
    try:
        key = (database, *_state_of(database))
        if key in _open:
            _open.move_to_end(key)
            return _open[key]
        connection = connect(database)
    except FileNotFoundError as error:
        raise QueryError(f"{database}: there is no such database") from error
    except (OSError, DataError, sqlite3.Error) as error:
        raise QueryError(f"{database}: cannot be opened ({error})") from error
    _open[key] = _restrict(connection)
    if len(_open) > MAX_OPEN:
        _open.popitem(last=False)[1].close()
    return connection


def open_image(image: bytes, *, in_reverse: bool = False) -> sqlite3.Connection:
    """A connection to the database that the bytes of a SQLite file hold, in memory and within the same limits.

    ``in_reverse`` scans tables from their end, so that what depends on where rows lie comes out differently.
    """
    connection = _prepare(sqlite3.connect(":memory:", isolation_level=None))
    connection.deserialize(image)
    connection.execute(f"PRAGMA reverse_unordered_selects = {in_reverse}")
    return _restrict(connection)


def _restrict(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_VALUE_BYTES)
    connection.text_factory = _decode
    connection.set_authorizer(_authorize)
    return connection


def _state_of(database: Path) -> tuple[object, ...]:
    """What changes when another file takes this place, or this one or its log is written."""
    files = database, database.with_name(f"{database.name}-wal")
    found = [file.stat() for file in files if file is database or file.exists()]
    return tuple((each.st_dev, each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def connect(database: Path, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """A new connection that reads alone, for this module's own statements: what they are is not restricted.

    A file that is not there is not created, and one that another program locks is waited for, ``busy_s`` seconds.
    Raises OSError or sqlite3.Error, or DataError if it cannot be copied to where its log can be read.
    """
    if not has_log(database):
        return _connect(database, busy_s)
    limit_time(OPEN_S)
    # No honest copy with all logs is larger than its parts, and its index is small.
    room = 2 * sum(part.stat().st_size for part in database.parent.glob(f"{escape(database.name)}*")) + 2**20
    with more_room(MEMORY_BYTES, room), tempfile.TemporaryDirectory() as folder:
        if is_unsettled(database):
            database = copy_database(database, Path(folder) / database.name)
        connection = _connect(database, busy_s)
        connection.execute("SELECT 1 FROM sqlite_master").fetchall()  # opens the file: its name may go, its log is read
    return connection


def _connect(database: Path, busy_s: float) -> sqlite3.Connection:
    return _prepare(sqlite3.connect(read_only_uri(database), uri=True, timeout=busy_s, isolation_level=None))


def _prepare(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute(f"PRAGMA hard_heap_limit = {MEMORY_BYTES // 2}")
    connection.execute("PRAGMA temp_store = MEMORY")  # what a sort needs counts as memory, and no file is left
    return connection


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() not in FORBIDDEN_FUNCTIONS
    elif action in _CHANGING:
        allowed = bool(_INTERNAL_TABLES.fullmatch(first or ""))
    elif action == sqlite3.SQLITE_PRAGMA:
        allowed = first in _INTERNAL_PRAGMAS
    else:
        allowed = action in _READING
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
