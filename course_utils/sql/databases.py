"""Find a dataset's databases, or build them from ``schema.sql`` and ``rows.sql``."""

import os
import re
from pathlib import Path
from typing import TypeGuard

from course_utils.artifacts import writing
from course_utils.errors import DataError
from course_utils.sql.build import execute_scripts
from course_utils.sql.integrity import require_intact

FOLDERS = ("databases", "database", "test_database", "dev_databases", "train_databases")
"""Names that the course, Spider and BIRD give the folder of databases."""
BIRD_FOLDERS = ("train/train_databases", "dev*/dev_databases")
"""Where BIRD's archives unpack theirs."""
_DB_ID = re.compile(r"\w([\w .-]*[\w-])?")


def list_databases(dataset: Path) -> dict[str, Path]:
    """Every database folder of a dataset by ``db_id``; raises DataError where one is not readable."""
    try:
        folders = [folder for pattern in (*FOLDERS, *BIRD_FOLDERS) for folder in sorted(dataset.glob(pattern))]
    except OSError as error:
        raise DataError(f"{dataset}: not readable ({error}); change the permissions") from error
    return {name: path for folder in folders for name, path in databases_in(folder).items()}


def databases_in(folder: Path) -> dict[str, Path]:
    """The folders in a folder of databases by ``db_id``; raises DataError where they are not readable."""
    try:
        return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()} if folder.is_dir() else {}
    except OSError as error:
        raise DataError(f"{folder}: its databases are not readable ({error}); change the permissions") from error


def is_plain_name(db_id: object) -> TypeGuard[str]:
    """Whether ``db_id`` can name a folder and nothing else: no path, no drive, no leading dash."""
    return isinstance(db_id, str) and bool(_DB_ID.fullmatch(db_id)) and ".." not in db_id


def find_database(dataset: Path, db_id: str, build_in: Path) -> Path:
    """The SQLite file of ``db_id``, built as ``<build_in>/<db_id>/<db_id>.sqlite`` where only SQL files are there.

    The dataset, a folder in Spider's layout, is never written to.

    Raises:
        DataError: ``db_id`` is not a plain name, there is no such database, its file is not an intact SQLite
            database, or its SQL fails.
    """
    if not is_plain_name(db_id):
        raise DataError(f"{dataset}: db_id {db_id!r} is not a plain folder name; rename the database")
    source = list_databases(dataset).get(db_id)
    if source is None:
        raise DataError(f"{dataset}: no database {db_id!r}; add {dataset / FOLDERS[0] / db_id}/{db_id}.sqlite")
    ready = ready_database(source, db_id)
    if ready is None:
        return build_database(source, build_in / db_id / f"{db_id}.sqlite")
    require_intact(ready)
    return ready


def ready_database(source: Path, db_id: str) -> Path | None:
    """The SQLite file in a database's folder, intact or not; none if there is no entry of that name."""
    candidates = (source / f"{db_id}{ending}" for ending in (".sqlite", ".db"))
    return next((path for path in candidates if os.path.lexists(path)), None)


def build_database(source: Path, target: Path) -> Path:
    """Build ``target`` from ``schema.sql`` and, if there is one, ``rows.sql``; reuse it if it is newer.

    Raises:
        DataError: ``schema.sql`` is missing or a script does not execute; nothing half-built stays.
    """
    try:
        scripts = [path for path in (source / "schema.sql", source / "rows.sql") if path.is_file()]
    except OSError as error:
        raise DataError(f"{source}: not readable ({error}); change the permissions") from error
    if not scripts or scripts[0].name != "schema.sql":
        raise DataError(f"{source}: neither {source.name}.sqlite nor schema.sql is there; add one of them")
    if target.is_file() and all(target.stat().st_mtime > path.stat().st_mtime for path in scripts):
        return target
    try:
        with writing(target) as unfinished:
            execute_scripts(unfinished, scripts)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error}); choose another folder") from error
    return target
