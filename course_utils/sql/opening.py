"""Open SQLite files so that nothing can write, even those that another program may have left amid its work.

In WAL mode the last rows lie in ``<name>-wal``: copying the file alone loses them, and opening it in place leaves
``-wal`` and ``-shm`` behind. In the other modes a crash leaves ``<name>-journal``, from which half a transaction must
be taken back. Sources: https://sqlite.org/wal.html, https://sqlite.org/lockingv3.html#hot_journals
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
"""Longest text or blob, and longest query."""
OPEN_S = 30.0
"""Time to copy a database whose last rows are in its log."""
BUSY_S = 1.0
"""How long to wait for another program's lock, in seconds."""
MAX_OPEN = 8
FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_CHANGING = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_INTERNAL_TABLES = re.compile(r"sqlite_(?:temp_)?(?:master|schema)|.*_(?:node|rowid|parent)", re.IGNORECASE)
"""What virtual tables prepare to change when they are opened: the schema to declare themselves, R-Tree its parts.

Whether anything is changed is not the authorizer's to say: the file is open for reading alone."""
INTERNAL_PRAGMAS = {"data_version", "page_size"}  # what FTS and R-Tree read before they work
_WAL_VERSION = 2
_LOGS = ("-wal", "-journal")
_decode = partial(str, encoding="utf-8", errors="backslashreplace")  # two texts that differ stay two


def open_database(database: Path) -> sqlite3.Connection:
    """A connection that reads alone, kept for the next query, within this worker's limits; QueryError without one."""
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
    """What changes when another file takes this place, or this one or its log is written."""
    files = database, _beside(database, "-wal")
    found = [file.stat() for file in files if file is database or file.exists()]
    return tuple((each.st_dev, each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


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
        allowed = action in _READING
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def connect(database: Path) -> sqlite3.Connection:
    """A new connection that reads alone, for this module's own statements: what they are is not restricted.

    A file that is not there is not created, and one that another program locks is waited for, ``BUSY_S`` seconds.
    Raises OSError or sqlite3.Error, or DataError if it cannot be copied to where its log can be read.
    """
    if not has_log(database):
        return _connect(database)
    limit_time(OPEN_S)
    # No honest copy with all logs is larger than its parts, and its index is small.
    database = database.resolve()
    room = 2 * sum(part.stat().st_size for part in database.parent.glob(f"{escape(database.name)}*")) + 2**20
    with more_room(MEMORY_BYTES, room), tempfile.TemporaryDirectory() as folder:
        if is_unsettled(database):
            database = copy_database(database, Path(folder) / database.name)
        connection = _connect(database)
        connection.execute("SELECT 1 FROM sqlite_master").fetchall()  # opens the file: its name may go, its log is read
    return connection


def _connect(database: Path) -> sqlite3.Connection:
    return _prepare(sqlite3.connect(read_only_uri(database), uri=True, timeout=BUSY_S, isolation_level=None))


def _prepare(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute(f"PRAGMA hard_heap_limit = {MEMORY_BYTES // 2}")
    connection.text_factory = _decode
    connection.execute("PRAGMA temp_store = MEMORY")  # what a sort needs counts as memory, and no file is left
    return connection


def read_only_uri(database: Path) -> str:
    """The address that opens a database for reading alone, and leaves no file beside it."""
    # Without its log, a database in WAL mode is complete. SQLite would begin a new log, unless nobody can write.
    immutable = "&immutable=1" if _is_in_wal_mode(database) and not has_log(database) else ""
    return f"{database.resolve().as_uri()}?mode=ro{immutable}"


def has_log(database: Path) -> bool:
    """Whether rows may wait in a log: it has some, or a program that writes it is running or has crashed."""
    log = _beside(database, "-wal")
    is_in_use = log.exists() and (log.stat().st_size > 0 or _beside(database, "-shm").exists())
    return is_in_use or _is_half_written(database)


def is_unsettled(database: Path) -> bool:
    """Whether rows wait in a log that lies there alone, so that to read it would change the files."""
    return has_log(database) and not _beside(database, "-shm").exists()


def _is_half_written(database: Path) -> bool:
    """Whether a program crashed within a transaction; SQLite tells it from one that is at work."""
    if not _beside(database, "-journal").exists():
        return False
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK
    return False


def is_one_file(database: Path) -> bool:
    """Whether the file alone is the whole database, so that a plain copy or a link is one too."""
    return not _is_in_wal_mode(database) and not any(_beside(database, ending).exists() for ending in _LOGS)


def copy_database(source: Path, target: Path) -> Path:
    """Copy a database, in use or not, with all that its log holds, into one file, whole or not at all.

    Raises:
        DataError: The source is no database, or locked by another program.
        OSError: A file cannot be read or written.
    """
    try:
        with writing(target) as unfinished:
            _copy(source, unfinished)
            for ending in _LOGS:
                _beside(target, ending).unlink(missing_ok=True)
    except (sqlite3.Error, UnicodeError) as error:  # its words may quote what is no text
        raise DataError(f"{source}: cannot be copied ({error}); close the program that uses it") from error
    return target


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        if is_unsettled(source):
            for ending in ("", *_LOGS):
                if (part := _beside(source, ending)).exists():
                    shutil.copyfile(part, _beside(target, ending))
            copy.execute("SELECT 1 FROM sqlite_master").fetchone()  # takes half a transaction back
        else:
            with closing(sqlite3.connect(read_only_uri(source), uri=True, timeout=BUSY_S)) as original:
                original.execute("BEGIN")
                original.execute("SELECT 1 FROM sqlite_master").fetchone()  # backup would wait for the lock without end
                original.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # moves the log into the file first


def _is_in_wal_mode(database: Path) -> bool:
    with database.open("rb") as file:
        return file.read(20)[18:] == bytes([_WAL_VERSION, _WAL_VERSION])


def _beside(database: Path, ending: str) -> Path:
    """A file that SQLite keeps with a database: beside what a link points to, as in the cache of a model hub."""
    file = database.resolve()
    return file.with_name(file.name + ending)
