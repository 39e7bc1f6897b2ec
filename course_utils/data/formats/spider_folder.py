"""Write a dataset as Spider's release is laid out, so that Spider's own tools read it."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from course_utils.data.formats.record import Row, misfit
from course_utils.data.formats.spider import write_array
from course_utils.data.formats.target import writing
from course_utils.sql import Schema, read_schema
from course_utils.sql.databases import build_database, is_plain_name, ready_database
from course_utils.sql.integrity import require_intact

FILES = {"train": "train_spider.json", "validation": "dev.json", "test": "test.json"}
_TYPES = {"int": "number", "real": "number", "num": "number", "dec": "number", "floa": "number", "doub": "number"}
_TYPES |= {"date": "time", "time": "time", "year": "time", "bool": "boolean", "char": "text", "text": "text"}


def write_spider(splits: Mapping[str, Iterable[Row]], databases: Mapping[str, Path], folder: Path) -> Path:
    """Write Spider's files: one of rows for each split, ``tables.json``, and ``database/<db_id>/<db_id>.sqlite``.

    ``read_dataset`` reads back the same rows. Spider's tokens and parse trees are not written.

    Args:
        splits: Rows of ``train``, ``validation`` and ``test``. All three are due: from fewer, ``read_dataset`` would
            hold back training rows.
        databases: By ``db_id``, a SQLite file or a folder with one or with ``schema.sql``, as ``list_databases`` gives.
        folder: May exist; files of these names are replaced.

    Returns:
        ``folder``.

    Raises:
        FormatError: A split is missing or empty, rows do not fit, or a ``db_id`` is not plain.
        DataError: A database is missing or broken.
    """
    if set(splits) != set(FILES):
        raise misfit(folder, f"splits {sorted(splits)} given; Spider's layout takes {', '.join(FILES)}")
    if unsafe := [db_id for db_id in databases if not is_plain_name(db_id)]:
        raise misfit(folder, f"db_id {unsafe} is not a plain folder name; rename the databases")
    for split, name in FILES.items():
        write_array(folder / name, splits[split])
    schemas = [read_schema(_copy_database(source, folder, db_id)) for db_id, source in sorted(databases.items())]
    with writing(folder / "tables.json") as unfinished:
        unfinished.write_text(json.dumps([describe(schema) for schema in schemas], indent=1) + "\n", "utf-8")
    return folder


def _copy_database(source: Path, folder: Path, db_id: str) -> Path:
    target = folder / "database" / db_id / f"{db_id}.sqlite"
    ready = ready_database(source, db_id) if source.is_dir() else source
    if ready is None:
        return build_database(source, target)
    require_intact(ready)
    with writing(target) as unfinished:
        shutil.copyfile(ready, unfinished)
    return target


def describe(schema: Schema) -> dict[str, Any]:
    """A database's entry in Spider's ``tables.json``."""
    columns = [(number, column) for number, table in enumerate(schema.tables) for column in table.columns]
    places = {
        (schema.tables[number].name.lower(), column.name.lower()): place
        for place, (number, column) in enumerate(columns, 1)
    }
    keys = {table.name.lower(): [c.name for c in table.columns if c.is_primary_key] for table in schema.tables}
    foreign = []
    for place, (_, column) in enumerate(columns, 1):
        if column.references:
            table, name = column.references
            # A key that names only the table means its primary key.
            name = name or next(iter(keys.get(table.lower(), [])), "")
            if target := places.get((table.lower(), name.lower())):
                foreign.append([place, target])
    return {
        "db_id": schema.db_id,
        "table_names_original": [table.name for table in schema.tables],
        "table_names": [table.name.replace("_", " ").lower() for table in schema.tables],
        "column_names_original": [[-1, "*"], *([number, column.name] for number, column in columns)],
        "column_names": [[-1, "*"], *([number, column.name.replace("_", " ").lower()] for number, column in columns)],
        "column_types": ["text", *(_spider_type(column.type) for _, column in columns)],
        "primary_keys": [place for place, (_, column) in enumerate(columns, 1) if column.is_primary_key],
        "foreign_keys": foreign,
    }


def _spider_type(declared: str) -> str:
    return next((ours for word, ours in _TYPES.items() if word in declared.lower()), "others")
