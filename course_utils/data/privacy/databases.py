"""Read the texts of a SQLite file."""

from collections.abc import Iterator
from pathlib import Path

from course_utils.sql import run_query

MAX_ROWS = 10_000_000


def text_values(database: Path) -> Iterator[str]:
    """Every distinct text of every table.

    Raises:
        QueryError: The file is no SQLite database, or takes too long to read.
    """
    tables = run_query(database, "SELECT name FROM sqlite_master WHERE type = 'table'").rows
    for (table,) in tables:
        for (column,) in run_query(database, f"SELECT name FROM pragma_table_info({literal(str(table))})").rows:
            distinct = (
                f"SELECT DISTINCT {identifier(str(column))} FROM {identifier(str(table))} "
                f"WHERE typeof({identifier(str(column))}) = 'text'"
            )
            yield from (str(value) for (value,) in run_query(database, distinct, timeout_s=60, max_rows=MAX_ROWS).rows)


def identifier(name: str) -> str:
    """A table's or column's name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text, quoted for SQL."""
    return "'" + value.replace("'", "''") + "'"
