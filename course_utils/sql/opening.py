"""Open SQLite files read-only, including those that another program is writing or that it left by a crash.

In WAL mode the last rows are in ``<name>-wal``: copying the file alone loses them, and opening it in place leaves
``-wal`` and ``-shm`` files behind. In the other modes a crash leaves ``<name>-journal``, by which the unfinished
transaction must be rolled back. Sources: https://sqlite.org/wal.html, https://sqlite.org/lockingv3.html#hot_journals
"""

import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import lru_cache, partial
from glob import escape
from pathlib import Path

from course_utils.errors import DataError, QueryError
from course_utils.files import writing
from course_utils.sql.worker import MEMORY_BYTES, limit_time, more_room

MAX_VALUE_BYTES = 1_000_000
"""Bytes of the longest text or blob, and of the longest query."""
OPEN_S = 30.0
"""Time limit, in seconds, for copying a database whose last rows are in its log."""
BUSY_S = 1.0
"""How long to wait for another program's lock, in seconds."""
MAX_OPEN = 8
"""Connections that a worker keeps open."""
FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_CHANGING = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_INTERNAL_TABLES = re.compile(r"sqlite_(?:temp_)?(?:master|schema)|.*_(?:node|rowid|parent)", re.IGNORECASE)
"""Tables for which virtual tables prepare writing statements when they are opened: the schema, and R-Tree's own.

The authorizer may allow these, because the file is opened read-only and nothing can be written."""
INTERNAL_PRAGMAS = {"data_version", "page_size"}  # FTS and R-Tree read them
_WAL_VERSION = 2
_LOGS = ("-wal", "-journal")
_decode = partial(str, encoding="utf-8", errors="backslashreplace")  # "replace" would make different texts equal


def open_database(database: Path) -> sqlite3.Connection:
    """A read-only connection within this worker's limits, kept for later queries; QueryError if it cannot be opened."""
    try:
        return _open(database, state_of(database))
    except FileNotFoundError as error:
        raise QueryError(f"{database}: there is no such database") from error
    except (OSError, DataError, sqlite3.Error, UnicodeError) as error:
        raise QueryError(f"{database}: cannot be opened ({error})") from error


@lru_cache(MAX_OPEN)
def _open(database: Path, _state: tuple[object, ...]) -> sqlite3.Connection:
    return _restrict(connect(database))


def state_of(database: Path) -> tuple[object, ...]:
    """A value that changes when the database or its WAL is written, or another file replaces it."""
    files = database, _beside(database, "-wal")
    found = [file.stat() for file in files if file is database or file.exists()]
    return tuple((each.st_dev, each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def open_image(image: bytes, *, in_reverse: bool = False) -> sqlite3.Connection:
    """Open the bytes of a SQLite file as an in-memory database, with the same limits as ``open_database``.

    ``in_reverse`` scans tables from their end, so that answers which depend on the order of stored rows change.
    """
    connection = _prepare(sqlite3.connect(":memory:", isolation_level=None))
    connection.deserialize(image)
    connection.execute(f"PRAGMA reverse_unordered_selects = {in_reverse}")
    return _restrict(connection)


def _restrict(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_VALUE_BYTES)
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() not in FORBIDDEN_FUNCTIONS
    elif action in _CHANGING:
        allowed = bool(_INTERNAL_TABLES.fullmatch(first or ""))
    elif action == sqlite3.SQLITE_PRAGMA:
        allowed = first in INTERNAL_PRAGMAS
    else:
        allowed = action in _READING and (first or "").lower() != "sqlite_stmt"  # which has other users' queries
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def connect(database: Path) -> sqlite3.Connection:
    """A new read-only connection without an authorizer, for the package's own statements.

    A missing file is not created; a file that another program has locked is waited for, up to ``BUSY_S`` seconds.
    Raises OSError or sqlite3.Error, or DataError if a database with a log cannot be copied.
    """
    if not has_log(database):
        return _connect(database)
    limit_time(OPEN_S)
    # The copies of all files and the database merged from them need at most twice their size, and a small index.
    database = database.resolve()
    room = 2 * sum(part.stat().st_size for part in database.parent.glob(f"{escape(database.name)}*")) + 2**20
    with more_room(MEMORY_BYTES, room), tempfile.TemporaryDirectory() as folder:
        if is_unsettled(database):
            database = copy_database(database, Path(folder) / database.name)
        connection = _connect(database)
        connection.execute("SELECT 1 FROM sqlite_master").fetchall()  # opens the file before its folder is deleted
    return connection


def _connect(database: Path) -> sqlite3.Connection:
    return _prepare(sqlite3.connect(read_only_uri(database), uri=True, timeout=BUSY_S, isolation_level=None))


def _prepare(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute(f"PRAGMA hard_heap_limit = {MEMORY_BYTES // 2}")
    connection.text_factory = _decode
    connection.execute("PRAGMA temp_store = MEMORY")  # sorts count towards the memory limit and write no file
    return connection


def read_only_uri(database: Path) -> str:
    """The URI that opens a database read-only and leaves no file beside it."""
    # A database in WAL mode without a log is complete; unless it is immutable, SQLite would create a new log.
    immutable = "&immutable=1" if _is_in_wal_mode(database) and not has_log(database) else ""
    return f"{database.resolve().as_uri()}?mode=ro{immutable}"


def has_log(database: Path) -> bool:
    """Whether rows may be outside the database file: in a WAL that is not empty or in use, or a hot journal."""
    log = _beside(database, "-wal")
    is_in_use = log.exists() and (log.stat().st_size > 0 or _beside(database, "-shm").exists())
    return is_in_use or _is_half_written(database)


def is_unsettled(database: Path) -> bool:
    """Whether there is a log that no program has open, so that reading the database in place would change files."""
    return has_log(database) and not _beside(database, "-shm").exists()


def _is_half_written(database: Path) -> bool:
    """Whether a program crashed within a transaction (a hot journal); SQLite distinguishes it from a running one."""
    if not _beside(database, "-journal").exists():
        return False
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK
    return False


def is_one_file(database: Path) -> bool:
    """Whether the file alone is the whole database, so that it can be copied or linked as a file."""
    return not _is_in_wal_mode(database) and not any(_beside(database, ending).exists() for ending in _LOGS)


def copy_database(source: Path, target: Path) -> Path:
    """Copy a database, which may be in use, with the rows of its log into one file, completely or not at all.

    Raises:
        DataError: The source is not a database, or another program has locked it.
        OSError: A file cannot be read or written.
    """
    try:
        with writing(target) as unfinished:
            _copy(source, unfinished)
            for ending in _LOGS:
                _beside(target, ending).unlink(missing_ok=True)
    except (sqlite3.Error, UnicodeError) as error:  # UnicodeError: SQLite's message may quote bytes that are not UTF-8
        raise DataError(f"{source}: cannot be copied ({error}); close the program that uses it") from error
    return target


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        if is_unsettled(source):
            for ending in ("", *_LOGS):
                if (part := _beside(source, ending)).exists():
                    shutil.copyfile(part, _beside(target, ending))
            copy.execute("SELECT 1 FROM sqlite_master").fetchone()  # rolls an unfinished transaction back
        else:
            with closing(sqlite3.connect(read_only_uri(source), uri=True, timeout=BUSY_S)) as original:
                original.execute("BEGIN")
                original.execute("SELECT 1 FROM sqlite_master").fetchone()  # backup() would wait for a lock forever
                original.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # writes the rows of the log into the file


def _is_in_wal_mode(database: Path) -> bool:
    with database.open("rb") as file:
        return file.read(20)[18:] == bytes([_WAL_VERSION, _WAL_VERSION])


def _beside(database: Path, ending: str) -> Path:
    """The path of a file that SQLite keeps beside a database; of a link, beside its target."""
    file = database.resolve()
    return file.with_name(file.name + ending)
