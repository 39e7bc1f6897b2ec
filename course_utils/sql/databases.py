"""Find a dataset's databases, or build them from ``schema.sql`` and ``rows.sql``.

Files come from untrusted sources, so each is checked before use: is it SQLite, intact and not locked?
"""

import os
import re
import sqlite3
import stat
import time
import unicodedata
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import lru_cache, partial
from pathlib import Path

from course_utils.errors import DataError
from course_utils.files import sha256, writing
from course_utils.sql.build import execute_scripts
from course_utils.sql.execute import STEPS_BETWEEN_CHECKS
from course_utils.sql.opening import connect
from course_utils.sql.worker import WorkerDiedError, limit_time, run_in_worker

FOLDERS = ("databases", "database", "test_database", "dev_databases", "train_databases")
"""Names that the course, Spider and BIRD give the folder of databases."""
BIRD_FOLDERS = ("train/train_databases", "dev*/dev_databases")
"""Folders of databases (glob patterns) in BIRD's unpacked archives."""
SCRIPTS = ("schema.sql", "rows.sql")
CHECK_SECONDS = 2.0
"""Time limit of the check; a larger database is assumed intact, and its queries report any damage."""
_HARMLESS = ("NULL value in", "CHECK constraint", "non-unique", "NUMERIC value", "TEXT value", "non-integer", "row ")
_LOCKS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGE = dict.fromkeys(_LOCKS, "locked by another program; close it and try again")
_DAMAGE[sqlite3.SQLITE_NOTADB] = "not a SQLite database; replace it, or unpack it yourself if it is an archive"
_DAMAGE[sqlite3.SQLITE_INTERRUPT] = ""  # the check ran out of time
_DAMAGE[sqlite3.SQLITE_ERROR] = ""  # the check needs a collation or function that only the original program defines
_built: dict[Path, list[str]] = {}
"""Hashes of the scripts that each database was built from, because every row of a dataset asks for its database."""
folder_name = partial(unicodedata.normalize, "NFC")
"""The name of a database in Unicode's NFC form, because some file systems decompose letters."""
_DB_ID = re.compile(r"\w([\w .-]*[\w-])?")  # a folder's name and nothing else: no path, no drive, no leading dash


def list_databases(dataset: Path) -> Mapping[str, Path]:
    """All database folders of a dataset by ``folder_name``; raises DataError if one is not readable."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            (dataset / FOLDERS[0]).stat()  # raises PermissionError, where glob would silently find nothing
        folders = [folder for pattern in (*FOLDERS, *BIRD_FOLDERS) for folder in sorted(dataset.glob(pattern))]
    except OSError as error:
        raise DataError(f"{dataset}: not readable ({error}); change the permissions") from error
    return ChainMap(*map(databases_in, reversed(folders)))


def databases_in(folder: Path) -> dict[str, Path]:
    """The folders of databases in a folder by ``folder_name``; none if it is missing, DataError if it is unreadable."""
    try:
        state, now = folder.stat(), time.time_ns()
        is_new = now - state.st_mtime_ns < 10**9  # another change within a tick of its clock would not show
        return _list_folders(folder, state.st_mtime_ns, state.st_ctime_ns, is_new and now)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise DataError(f"{folder}: its databases are not readable ({error}); change the permissions") from error


@lru_cache(maxsize=8)
def _list_folders(folder: Path, *_state: int) -> dict[str, Path]:
    """Cached until the folder or its permissions change, because each look-up of a database asks for it."""
    return {folder_name(path.name): path for path in sorted(folder.iterdir()) if path.is_dir()}


def find_database(dataset: Path, db_id: str, build_in: Path) -> Path:
    """The SQLite file of ``db_id``; built as ``<build_in>/<db_id>/<db_id>.sqlite`` if the dataset has only SQL scripts.

    ``dataset`` is a folder in Spider's layout and is never written to.

    Raises:
        DataError: ``db_id`` is not a plain name, there is no such database, its file is not an intact SQLite
            database, or its SQL fails.
    """
    # Accents, and vowels as in Devanagari, may be separate combining characters, which \w does not match.
    bare = "".join(each for each in str(db_id) if unicodedata.category(each)[0] != "M")
    if not (isinstance(db_id, str) and _DB_ID.fullmatch(bare)) or ".." in db_id:
        raise DataError(f"{dataset}: db_id {db_id!r} is not a plain folder name; rename the database")
    source = list_databases(dataset).get(folder_name(db_id))
    if source is None:
        raise DataError(f"{dataset}: no database {db_id!r}; add {dataset / FOLDERS[0] / db_id}/{db_id}.sqlite")
    ready = ready_database(source)
    if ready is None:
        return build_database(source, build_in / db_id / f"{db_id}.sqlite")
    require_intact(ready)
    return ready


def ready_database(source: Path) -> Path | None:
    """The SQLite file in a database's folder, intact or not; None if no file or link has the folder's name."""
    candidates = (source / f"{source.name}{ending}" for ending in (".sqlite", ".db"))
    return next((path for path in candidates if os.path.lexists(path)), None)


def build_database(source: Path, target: Path) -> Path:
    """Build ``target`` from ``schema.sql`` and ``rows.sql``, or reuse a build from the same; DataError if it fails."""
    try:
        scripts = [path for name in SCRIPTS if (path := source / name).is_file()]
    except OSError as error:
        raise DataError(f"{source}: not readable ({error}); change the permissions") from error
    if not scripts or scripts[0].name != "schema.sql":
        raise DataError(f"{source}: neither {source.name}.sqlite nor schema.sql is there; add one of them")
    try:
        contents = [sha256(path) for path in scripts]
        if target.is_file() and _built.get(target) == contents:
            return target
        with writing(target) as unfinished:
            execute_scripts(unfinished, scripts)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error}); choose another folder") from error
    _built[target] = contents
    return target


def require_intact(database: Path) -> None:
    """Raise DataError if a file is missing, not readable, not SQLite, truncated, corrupt or locked."""
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
        _damage_of.cache_clear()  # the lock may be gone at the next call
    raise DataError(f"{database}: {damage}")


@lru_cache(maxsize=4096)
def _damage_of(database: Path, changed_ns: int, n_bytes: int) -> str:
    """Describe a file's damage; empty if it is intact. Cached until the file changes, because every row asks."""
    if not n_bytes:  # SQLite would accept it as a database without tables
        return "the database is empty; replace the file"
    try:
        (damage,) = run_in_worker(_check_pages, database.absolute())
    except WorkerDiedError as error:
        return "" if error.kind == "timeout" else f"corrupt (reading it fails: {error}); replace the file"
    return damage


def _check_pages(database: Path) -> Iterator[str]:
    end = time.monotonic() + CHECK_SECONDS
    try:
        with closing(connect(database)) as connection:
            limit_time(2 * CHECK_SECONDS)
            connection.set_progress_handler(lambda: int(time.monotonic() > end), STEPS_BETWEEN_CHECKS)
            connection.text_factory = lambda raw: raw.decode("utf-8")
            connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
            connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")  # it may quote corrupt bytes
            answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except (sqlite3.Error, DataError, UnicodeDecodeError) as error:
        yield _DAMAGE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, f"corrupt ({error}); replace the file")
        return
    # Rows that violate a constraint, such as NULL in a NOT NULL column, can still be read.
    is_intact = answer == "ok" or answer.startswith(_HARMLESS)
    yield "" if is_intact else f"corrupt ({answer.splitlines()[-1]}); replace the file"
