"""Look at a database file that a stranger made before anything trusts it: is it SQLite, whole and free to read?"""

import sqlite3
import stat
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from course_utils.errors import DataError
from course_utils.sql.execute import STEPS_BETWEEN_CHECKS, connect
from course_utils.sql.worker import limit_time
from course_utils.sql.worker_pool import WorkerDiedError, run_in_worker

HEADER = b"SQLite format 3\x00"
CHECK_SECONDS = 2.0
"""A database too large to be checked in this time is taken as intact; its queries fail by themselves."""
_BUSY_SECONDS = 0.5
_ARCHIVES = {b"PK": "a zip archive", b"\x1f\x8b": "a gzip archive", b"BZ": "a bzip2 archive", b"7z": "a 7z archive"}
_ARCHIVES |= {b"\xfd7": "an xz archive", b"\x28\xb5": "a zstd archive"}
_HARMLESS = ("NULL value in", "CHECK constraint", "non-unique", "NUMERIC value", "TEXT value", "non-integer", "row ")


def require_intact(database: Path) -> None:
    """Stop at a file that is no intact SQLite database. Archives are named, never unpacked.

    Raises:
        DataError: The file is missing, not readable, not SQLite, cut off, corrupt or locked by another program.
    """
    try:
        status = database.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{database}: not a file; put the SQLite file there")
        damage = _damage_of(database, status.st_mtime_ns, status.st_size)
    except FileNotFoundError as error:
        gone = "a link to a file that is gone; restore its target"
        reason = gone if database.is_symlink() else "there is no such database; put the .sqlite file there"
        raise DataError(f"{database}: {reason}") from error
    except OSError as error:
        raise DataError(f"{database}: not readable ({error.strerror or error}); change the permissions") from error
    if not damage:
        return
    if damage.startswith("locked"):
        _damage_of.cache_clear()  # the other program may be done the next time
    raise DataError(f"{database}: {damage}")


@lru_cache(maxsize=4096)
def _damage_of(database: Path, changed_ns: int, n_bytes: int) -> str:
    """What is wrong with a file, empty if nothing is; remembered until it changes, as every row asks."""
    with database.open("rb") as file:
        head = file.read(100)
    if not head:
        return "the database is empty; replace the file"
    if not head.startswith(HEADER):
        kind = _ARCHIVES.get(head[:2])
        return f"{kind}, not a SQLite database; unpack it yourself" if kind else "not a SQLite database; replace it"
    page_bytes = int.from_bytes(head[16:18], "big")
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    n_pages = int.from_bytes(head[28:32], "big")
    if head[24:28] == head[92:96] and n_bytes < n_pages * page_bytes:
        return f"corrupt: cut off at {n_bytes:,} of {n_pages * page_bytes:,} bytes; copy the file again"
    return _damage_of_pages(database)


def _damage_of_pages(database: Path) -> str:
    try:
        (damage,) = run_in_worker(_check_pages, database.absolute())
    except (WorkerDiedError, MemoryError) as error:
        if isinstance(error, WorkerDiedError) and error.timed_out:
            return ""
        return f"corrupt (reading it fails: {error or 'too much memory'}); replace the file"
    return damage


def _check_pages(database: Path) -> Iterator[str]:
    end = time.monotonic() + CHECK_SECONDS
    connection = None
    try:
        connection = connect(database, _BUSY_SECONDS)
        limit_time(2 * CHECK_SECONDS)
        connection.set_progress_handler(lambda: int(time.monotonic() > end), STEPS_BETWEEN_CHECKS)
        connection.text_factory = lambda raw: raw.decode("utf-8")
        connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")  # the answer may quote garbage
        answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        yield _describe(error)
        return
    except DataError as error:
        yield f"corrupt ({error})"
        return
    except UnicodeDecodeError as error:
        yield f"corrupt (its schema is no text: {error.reason}); replace the file"
        return
    finally:
        if connection:
            connection.close()
    # Data that break a constraint, such as NULL where NOT NULL is declared, can be read all the same.
    is_intact = answer == "ok" or answer.startswith(_HARMLESS)
    yield "" if is_intact else f"corrupt ({answer.splitlines()[-1]}); replace the file"


def _describe(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return ""
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "locked by another program; close it and try again"
    return f"corrupt ({error}); replace the file"
