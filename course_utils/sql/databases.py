"""Find a dataset's databases, or build them from ``schema.sql`` and ``rows.sql``."""

import os
import re
import sqlite3
from pathlib import Path

from course_utils.errors import DataError

FOLDERS = ("databases", "database", "test_database", "dev_databases", "train_databases")
"""Names that the course, Spider and BIRD give the folder of databases."""
_DB_ID = re.compile(r"[\w][\w .-]*")


def list_databases(dataset: Path) -> dict[str, Path]:
    """Every database folder of a dataset by ``db_id``."""
    folders = [dataset / name for name in FOLDERS if (dataset / name).is_dir()]
    return {path.name: path for folder in folders for path in sorted(folder.iterdir()) if path.is_dir()}


def find_database(dataset: Path, db_id: str, build_in: Path) -> Path:
    """The SQLite file of ``db_id``; built from its SQL files where only those are there.

    Args:
        dataset: A folder in Spider's layout.
        db_id: The name that rows use.
        build_in: Where to build, as ``<build_in>/<db_id>/<db_id>.sqlite``; the dataset is never written to.

    Raises:
        DataError: ``db_id`` is not a plain name, there is no such database, or its SQL fails.
    """
    if not _DB_ID.fullmatch(db_id) or ".." in db_id:
        raise DataError(f"{dataset}: db_id {db_id!r} is not a plain folder name; rename the database")
    source = list_databases(dataset).get(db_id)
    if source is None:
        raise DataError(f"{dataset}: no database {db_id!r}; add {dataset / FOLDERS[0] / db_id}/{db_id}.sqlite")
    ready = next((source / f"{db_id}{end}" for end in (".sqlite", ".db") if (source / f"{db_id}{end}").is_file()), None)
    return ready or build_database(source, build_in / db_id / f"{db_id}.sqlite")


def build_database(source: Path, target: Path) -> Path:
    """Build ``target`` from ``schema.sql`` and, if there is one, ``rows.sql``; reuse it if it is newer.

    Raises:
        DataError: ``schema.sql`` is missing or a script does not execute; nothing half-built stays.
    """
    scripts = [path for path in (source / "schema.sql", source / "rows.sql") if path.is_file()]
    if not scripts or scripts[0].name != "schema.sql":
        raise DataError(f"{source}: neither {source.name}.sqlite nor schema.sql is there; add one of them")
    if target.is_file() and all(target.stat().st_mtime > path.stat().st_mtime for path in scripts):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        _execute_scripts(unfinished, scripts)
        return unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _execute_scripts(database: Path, scripts: list[Path]) -> None:
    connection = sqlite3.connect(database)
    # A build that is cut short is thrown away, so nothing needs a journal or a wait for the disk.
    connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
    connection.set_authorizer(_deny_other_files)
    try:
        for script in scripts:
            try:
                connection.executescript(script.read_text("utf-8-sig"))
            except (sqlite3.Error, UnicodeError) as error:
                raise DataError(f"{script}: does not execute ({error}); fix the script") from error
    finally:
        connection.close()


def _deny_other_files(action: int, *_: str | None) -> int:
    """A dataset's scripts fill their own database: ATTACH, and VACUUM INTO, could write anywhere."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK
