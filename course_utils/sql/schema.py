"""Read a database's schema and render it for a prompt."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import DataError
from course_utils.sql.opening import connect
from course_utils.sql.worker import WorkerDiedError, limit_time, run_in_worker

RESERVED = frozenset(
    """add all alter and as autoincrement between case cast check collate commit constraint create cross
    current_date current_time current_timestamp default deferrable delete distinct drop else escape except
    exists foreign from full group having in index inner insert intersect into is isnull join left limit
    natural not nothing notnull null on or order outer primary raise references returning right select set
    table then to transaction union unique update using values when where""".split()
)
"""SQLite's keywords that must be quoted as names."""
VIEWS_S = 5.0
"""Time limit, in seconds, for resolving the columns of all views."""
_NAMES = "SELECT CAST(name AS TEXT) FROM sqlite_master WHERE type = ? AND name NOT GLOB 'sqlite_*' ORDER BY rowid"
_SHADOWS = "SELECT name FROM pragma_table_list WHERE type = 'shadow'"


@dataclass(frozen=True)
class Column:
    """A column; ``references`` is the table that its foreign key points to, empty without one."""

    name: str
    type: str
    is_primary_key: bool = False
    references: str = ""


@dataclass(frozen=True)
class TableSchema:
    """A table or view and its columns, in the order of the schema."""

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Schema:
    """A database's tables and views, without the shadow tables in which virtual tables (FTS5) keep their data."""

    db_id: str
    tables: tuple[TableSchema, ...]
    views: tuple[TableSchema, ...] = ()

    def render(self) -> str:
        """The schema as the prompt shows it, one table or view a line.

        ``table concert: concert_id integer, singer_id integer -> singer, year integer``
        """
        lines = [("table", table) for table in self.tables] + [("view", view) for view in self.views]
        return "\n".join(f"{kind} {quote(each.name)}: {', '.join(map(_render, each.columns))}" for kind, each in lines)


def quote(name: str) -> str:
    """A table's or column's name for use in SQL: in double quotes if it is not a plain word or is reserved."""
    if name.isidentifier() and name.lower() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def _render(column: Column) -> str:
    text = f"{quote(column.name)} {column.type.lower()}".rstrip()
    return f"{text} -> {quote(column.references)}" if column.references else text


def read_schema(database: Path) -> Schema:
    """Read tables, views, columns and foreign keys of a SQLite file.

    If resolving the views exceeds a limit of time or memory, all views are left out.

    Raises:
        DataError: The file is missing or is not a SQLite database, or reading its tables exceeds a limit.
    """
    if not database.is_file():
        raise DataError(f"{database}: there is no such database; put the .sqlite file there or fix db_id")
    found: list[Schema] = []
    try:
        for schema in run_in_worker(_read, database.absolute()):
            found.append(schema)  # kept if the next one, with views, exceeds a limit
    except (sqlite3.DatabaseError, UnicodeError) as error:  # SQLite's message may quote bytes that are not UTF-8
        raise DataError(f"{database}: not a readable SQLite database ({error}); replace the file") from error
    except WorkerDiedError as error:
        if not found:
            raise DataError(f"{database}: reading its schema exceeds a limit ({error}); shorten it") from error
    return found[-1]


def _read(database: Path) -> Iterator[Schema]:
    """Yield the schema without views, then with them; listing shadow tables makes SQLite resolve all views too."""
    with closing(connect(database)) as connection:
        tables = _read_all(connection, "table")
        yield Schema(database.stem, tables)
        limit_time(VIEWS_S)
        shadows = {name for (name,) in connection.execute(_SHADOWS)}
        views = _read_all(connection, "view")
    yield Schema(database.stem, tuple(table for table in tables if table.name not in shadows), views)


def _read_all(connection: sqlite3.Connection, kind: str) -> tuple[TableSchema, ...]:
    """All tables or views that have columns; views of dropped tables and tables of missing modules have none."""
    tables = (_read_table(connection, name) for (name,) in connection.execute(_NAMES, (kind,)).fetchall())
    return tuple(table for table in tables if table.columns)


def _read_table(connection: sqlite3.Connection, name: str) -> TableSchema:
    """The columns that a query can name, including generated columns."""
    keys = dict(connection.execute('SELECT "from", "table" FROM pragma_foreign_key_list(?)', (name,)))
    # hidden is 1 for the arguments of virtual tables, and 2 or 3 for generated columns, which queries can use.
    query, columns = "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1", []
    with suppress(sqlite3.DatabaseError):
        columns = connection.execute(query, (name,)).fetchall()
    return TableSchema(name, tuple(Column(each, kind, bool(key), keys.get(each, "")) for each, kind, key in columns))
