"""Open and copy SQLite files that another program may have left in the middle of its work.

In WAL mode the last rows lie in ``<name>-wal``: copying the file alone loses them, and opening it in place leaves
``-wal`` and ``-shm`` behind. In the other modes a crash leaves ``<name>-journal``, from which half a transaction must
be taken back. Sources: https://sqlite.org/wal.html, https://sqlite.org/lockingv3.html#hot_journals
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from course_utils.artifacts import writing
from course_utils.errors import DataError

_WAL_VERSION = 2
_LOGS = ("-wal", "-journal")


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
    except sqlite3.Error as error:
        raise DataError(f"{source}: cannot be copied ({error}); close the program that uses it") from error
    return target


def _copy(source: Path, target: Path) -> None:
    if not is_unsettled(source):
        with closing(sqlite3.connect(read_only_uri(source), uri=True)) as original, closing(_new(target)) as copy:
            original.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        return
    for ending in ("", *_LOGS):
        if (part := _beside(source, ending)).exists():
            shutil.copyfile(part, _beside(target, ending))
    with closing(_new(target)) as copy:
        copy.execute("SELECT 1 FROM sqlite_master").fetchone()  # takes half a transaction back
        copy.execute("PRAGMA journal_mode = DELETE")  # moves the log into the file first


def _new(target: Path) -> sqlite3.Connection:
    return sqlite3.connect(target, isolation_level=None)


def _is_in_wal_mode(database: Path) -> bool:
    with database.open("rb") as file:
        return file.read(20)[18:] == bytes([_WAL_VERSION, _WAL_VERSION])


def _beside(database: Path, ending: str) -> Path:
    return database.with_name(database.name + ending)
