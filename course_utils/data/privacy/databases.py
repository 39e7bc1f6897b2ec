"""Read the texts of a SQLite file, and write a copy of one with pseudonyms."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

from course_utils.data.privacy.dates import days_of, shift_dates
from course_utils.data.privacy.keys import PseudonymKey
from course_utils.data.privacy.kinds import Kind
from course_utils.data.privacy.mapping import PseudonymMapping
from course_utils.errors import DataError

SqlValue = str | bytes | int | float | None
ColumnKind = Kind | Literal["date"]


def text_values(database: Path) -> Iterator[str]:
    """Every distinct text of every table.

    Raises:
        DataError: The file is no SQLite database.
    """
    for table in _read(database, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        for column in _read(database, f"SELECT name FROM pragma_table_info({literal(str(table))})"):
            name = identifier(str(column))
            query = f"SELECT DISTINCT {name} FROM {identifier(str(table))} WHERE typeof({name}) = 'text'"
            yield from map(str, _read(database, query))


def _read(database: Path, query: str) -> list[SqlValue]:
    """The first column of a query of ours, which may take as long and give as much as it does."""
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
            return [row[0] for row in connection.execute(query)]
    except sqlite3.Error as error:
        raise DataError(f"{database}: not readable as SQLite ({error}); give a database's file") from error


def identifier(name: str) -> str:
    """A table's or column's name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text, quoted for SQL."""
    return "'" + value.replace("'", "''") + "'"


def anonymise_database(
    source: Path,
    target: Path,
    columns: Mapping[str, ColumnKind],
    *,
    key: PseudonymKey,
    mapping: PseudonymMapping | None = None,
) -> PseudonymMapping:
    """Write a copy of a SQLite file with pseudonyms in some columns; the original stays as it is.

    Do this before ``anonymise_rows``, which then knows every value of the databases.

    Args:
        source: A SQLite file.
        target: Where the copy goes; must not exist.
        columns: What ``table.column`` holds; ``date`` moves dates by the key's number of days. A column that refers to
            another needs the same entry as that.
        key: The secret.
        mapping: What earlier calls returned; it grows.

    Raises:
        DataError: The target exists, a column does not, or a constraint of the database fails.
    """
    if target.exists():
        raise DataError(f"{target}: exists already; give the path of a new file")
    mapping = mapping or PseudonymMapping()
    places = {name: _place(source, name) for name in columns}
    values = {name: _values(source, *place) for name, place in places.items()}
    for name, kind in columns.items():
        if kind != "date":
            mapping.add_originals([(kind, str(value)) for value in values[name]])
    target.parent.mkdir(parents=True, exist_ok=True)
    changes = [(*place, _changer(columns[name], key, mapping)) for name, place in places.items()]
    try:
        _copy(source, target, changes)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise DataError(f"{source}: not anonymised ({error}); give every column that depends on another") from error
    return mapping


def _copy(source: Path, target: Path, changes: list[tuple[str, str, Callable[[SqlValue], SqlValue]]]) -> None:
    original = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
    with closing(original), closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        for change in changes:
            _update(copy, *change)
        copy.commit()
        copy.execute("VACUUM")  # the pages of the old values would still be in the file


def _changer(kind: ColumnKind, key: PseudonymKey, mapping: PseudonymMapping) -> Callable[[SqlValue], SqlValue]:
    def change(value: SqlValue) -> SqlValue:
        if kind == "date":
            return shift_dates(value, days_of(key)) if isinstance(value, str) else value
        replaced = mapping.replace(key, kind, str(value))
        return int(replaced) if isinstance(value, int) and replaced.isdigit() else replaced

    return change


def _update(connection: sqlite3.Connection, table: str, column: str, change: Callable[[SqlValue], SqlValue]) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    connection.create_function("pseudonym", 1, change, deterministic=True)
    name = identifier(column)
    connection.execute(f"UPDATE {identifier(table)} SET {name} = pseudonym({name}) WHERE {name} IS NOT NULL")


def _place(database: Path, name: str) -> tuple[str, str]:
    table, _, column = name.rpartition(".")
    if column.lower() not in {
        str(found).lower() for found in _read(database, f"SELECT name FROM pragma_table_info({literal(table)})")
    }:
        raise DataError(f'{database}: there is no column "{name}"; write table.column')
    return table, column


def _values(database: Path, table: str, column: str) -> list[SqlValue]:
    name = identifier(column)
    return _read(database, f"SELECT DISTINCT {name} FROM {identifier(table)} WHERE {name} IS NOT NULL ORDER BY 1")
