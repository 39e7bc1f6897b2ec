"""Run a dataset's SQL scripts in a new database file, with limits on time, size and access.

The scripts come with the dataset and are not trusted: a worker process runs them, and they can access no other file.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from course_utils.errors import DataError
from course_utils.sql.execute import GRACE_S, STEPS_BETWEEN_CHECKS
from course_utils.sql.opening import FORBIDDEN_FUNCTIONS, INTERNAL_PRAGMAS
from course_utils.sql.worker import MEMORY_BYTES, WorkerDiedError, limit_time, more_room, run_in_worker

BASE_SECONDS = 3.0
SCRIPT_BYTES_PER_SECOND = 1_000_000
"""Each megabyte of script adds a second to the time limit; SQLite runs inserts about ten times as fast."""
BASE_BYTES = 128 * 2**20
MAX_SCRIPT_BYTES = 512 * 2**20
MAX_VALUE_BYTES = 4_000_000
"""Bytes of the longest text or blob."""
_PAGE_BYTES = 4096
_TOO_LONG = f"longer than {BASE_SECONDS:g} s and a second for each megabyte"
_IDLE_PRAGMAS = {"synchronous", "journal_mode", "locking_mode", "cache_size", "temp_store"}
"""Pragmas about speed, with which scripts of mysql2sqlite and others begin: ignored, because ``_bound`` sets them."""
_HARMLESS_PRAGMAS = {"foreign_keys", "defer_foreign_keys", "encoding", "user_version", "application_id"}


def execute_scripts(database: Path, scripts: list[Path]) -> None:
    """Create the file ``database``, which must not exist, by running scripts in order.

    Raises:
        DataError: A script is not UTF-8, fails or accesses another file, or together the scripts exceed
            ``MAX_SCRIPT_BYTES``, take longer than ``BASE_SECONDS`` and a second per megabyte, or make a file larger
            than ``BASE_BYTES`` and four times their own size.
    """
    n_bytes = sum(script.stat().st_size for script in scripts)
    if n_bytes > MAX_SCRIPT_BYTES:
        raise DataError(f"{scripts[-1]}: more than {MAX_SCRIPT_BYTES // 2**20} MiB of SQL; give a .sqlite file instead")
    paths, begun = [path.absolute() for path in scripts], scripts[:1]
    limit_s = BASE_SECONDS + n_bytes / SCRIPT_BYTES_PER_SECOND
    try:
        for script in run_in_worker(_fill, database.absolute(), paths, n_bytes, limit_s):
            begun.append(script)  # the last one is to blame if the worker dies
    except WorkerDiedError as error:
        reason = {"timeout": _TOO_LONG, "too large": "needs too much memory"}.get(error.kind, str(error))
        raise DataError(f"{begun[-1]}: does not execute ({reason}); fix the script") from error


def _fill(database: Path, scripts: list[Path], n_bytes: int, limit_s: float) -> Iterator[Path]:
    """Run the scripts in the worker, yielding each one's path before it runs."""
    max_bytes, end = BASE_BYTES + 4 * n_bytes, time.monotonic() + limit_s
    with more_room(MEMORY_BYTES + 8 * n_bytes, max_bytes), closing(sqlite3.connect(database)) as connection:
        _bound(connection, max_bytes)
        for script in scripts:
            yield script
            limit_time(limit_s + GRACE_S)
            _execute(connection, script, end)


def _bound(connection: sqlite3.Connection, max_bytes: int) -> None:
    # An interrupted build is deleted and nobody else reads it, so that waiting for the disk and locking for each
    # statement are not needed; without them it is four times as fast.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    for part in ("main", "temp"):
        connection.execute(f"PRAGMA {part}.max_page_count = {max_bytes // _PAGE_BYTES}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100)
    connection.set_authorizer(_deny_reach)


def _execute(connection: sqlite3.Connection, script: Path, end: float) -> None:
    text, begin, behind = "", 0, 0

    def follow(statement: str) -> None:
        nonlocal begin, behind
        if text.startswith(statement, behind):  # the callback also gets statements inside triggers and virtual tables
            begin, behind = behind, behind + len(statement)

    connection.set_progress_handler(lambda: int(time.monotonic() > end), STEPS_BETWEEN_CHECKS)
    connection.set_trace_callback(follow)
    try:
        text = script.read_bytes().decode("utf-8-sig")  # read_text would convert line ends, which may be data
        text = text if "\n" in text else text.replace("\r", "\n")  # line ends of old Macs do not end SQL comments
        connection.executescript(text)
    except (sqlite3.Error, ValueError) as error:
        # SQLite does not trace a statement that does not parse: it follows the last one traced.
        was_begun = getattr(error, "sqlite_errorcode", 1) not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH)
        place = begin if was_begun else behind
        place += len(text[place:]) - len(text[place:].lstrip("; \r\n\t"))
        reason = _TOO_LONG if time.monotonic() > end else str(error)
        reason += ": no ATTACH, VACUUM, such a PRAGMA or function" * ("authoriz" in reason)
        line = f", near line {text.count(chr(10), 0, place) + 1}" if text else ""
        raise DataError(f"{script}: does not execute ({reason}{line}); fix the script (UTF-8, SQLite's SQL)") from error
    finally:
        connection.set_trace_callback(None)
    if connection.in_transaction:
        raise DataError(f"{script}: does not execute (a transaction is never committed); add COMMIT")


def _deny_reach(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Deny ATTACH and VACUUM INTO, which could write any file, and pragmas that could lift the limits."""
    if action == sqlite3.SQLITE_ATTACH:
        return sqlite3.SQLITE_DENY
    is_set = second is not None  # FTS5 and R-Tree read these pragmas; a script may not set them
    idle = _IDLE_PRAGMAS | INTERNAL_PRAGMAS if is_set else _IDLE_PRAGMAS
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in idle:
        return sqlite3.SQLITE_IGNORE
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() not in _HARMLESS_PRAGMAS | INTERNAL_PRAGMAS:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
