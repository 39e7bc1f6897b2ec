"""Read a database's schema and show it to a model."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import DataError
from course_utils.sql.run import open_read_only

RESERVED = frozenset(
    """add all alter and as autoincrement between case cast check collate commit constraint create cross
    current_date current_time current_timestamp default deferrable delete distinct drop else escape except
    exists foreign from full group having in index inner insert intersect into is isnull join left limit
    natural not nothing notnull null on or order outer primary raise references returning right select set
    table then to transaction union unique update using values when where""".split()
)
"""SQLite's keywords that are no names unless quoted."""


@dataclass(frozen=True)
class Column:
    """A column; ``references`` is ``(table, column)`` for a foreign key."""

    name: str
    type: str
    is_primary_key: bool = False
    references: tuple[str, str] | None = None


@dataclass(frozen=True)
class TableSchema:
    """A table and its columns, in the order of the schema."""

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Schema:
    """A database's tables."""

    db_id: str
    tables: tuple[TableSchema, ...]

    def render(self) -> str:
        """The schema as the prompt shows it, one table a line.

        ``table concert: concert_id integer, singer_id integer -> singer, year integer``
        """
        return "\n".join(
            f"table {quote(table.name)}: {', '.join(map(_render, table.columns))}" for table in self.tables
        )


def quote(name: str) -> str:
    """A table's or column's name as SQL must write it: in double quotes where it is not a plain word."""
    if name.isidentifier() and name.lower() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def _render(column: Column) -> str:
    text = f"{quote(column.name)} {column.type.lower()}".rstrip()
    return f"{text} -> {quote(column.references[0])}" if column.references else text


def read_schema(database: Path) -> Schema:
    """Read tables, columns and foreign keys of a SQLite file.

    Raises:
        DataError: The file is missing or is not a SQLite database.
    """
    if not database.is_file():
        raise DataError(f"{database}: there is no such database; put the .sqlite file there or fix db_id")
    connection = open_read_only(database, busy_s=5.0)
    try:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid"
        )
        tables = tuple(_read_table(connection, name) for (name,) in names.fetchall())
    except sqlite3.DatabaseError as error:
        raise DataError(f"{database}: not a readable SQLite database ({error}); replace the file") from error
    finally:
        connection.close()
    return Schema(database.stem, tables)


def _read_table(connection: sqlite3.Connection, name: str) -> TableSchema:
    keys = connection.execute('SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)', (name,))
    references = {source: (table, target or "") for source, table, target in keys.fetchall()}
    rows = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
    return TableSchema(
        name,
        tuple(Column(column, type_, bool(key), references.get(column)) for column, type_, key in rows),
    )
