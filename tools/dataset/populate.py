"""Make the rows of a domain, seeded, and write them as ``schema.sql`` and ``rows.sql``.

Text files rather than SQLite files lie in the repository, because they can be read and compared.
"""

from pathlib import Path
from random import Random

from tools.dataset.draw import Cells, Value, draw_column
from tools.dataset.specs import Domain, TableSpec

__all__ = ["Value", "literal", "populate", "write_database"]


def populate(domain: Domain, seed: int = 0) -> dict[str, list[tuple[Value, ...]]]:
    """Rows of every table. Each column has its own random stream, so that a new column leaves the others alone.

    Raises:
        DataError: A unique column cannot have as many values as the table has rows, or a map lacks a text.
    """
    cells: Cells = {}
    for table in domain.tables:
        cells[table.name] = {}
        for column in table.columns:
            rng = Random(f"{seed}/{domain.db_id}/{table.name}/{column.name}")
            cells[table.name][column.name] = draw_column(domain, table, column, cells, rng)
    return {name: list(zip(*columns.values(), strict=True)) for name, columns in cells.items()}


def write_database(domain: Domain, folder: Path, seed: int = 0) -> None:
    """Write ``schema.sql`` and ``rows.sql`` into the domain's folder.

    Raises:
        DataError: The rows cannot be made.
    """
    rows = populate(domain, seed)
    schema = "\n".join(_create(domain, table) for table in domain.tables)
    inserts = "\n".join(_insert(table, rows[table.name]) for table in domain.tables)
    (folder / "schema.sql").write_text(schema, "utf-8")
    (folder / "rows.sql").write_text(f"BEGIN;\n{inserts}COMMIT;\n", "utf-8")


def _create(domain: Domain, table: TableSpec) -> str:
    lines = [
        f"  {column.name} {column.sql_type}{' PRIMARY KEY' if column.kind == 'id' else ''}" for column in table.columns
    ]
    lines += [
        f"  FOREIGN KEY ({column.name}) REFERENCES {column.table} ({domain.table(column.table).key.name})"
        for column in table.columns
        if column.kind == "reference"
    ]
    return f"CREATE TABLE {table.name} (\n" + ",\n".join(lines) + "\n);\n"


def _insert(table: TableSpec, rows: list[tuple[Value, ...]]) -> str:
    lines = ",\n".join(f"({', '.join(map(literal, row))})" for row in rows)
    return f"INSERT INTO {table.name} VALUES\n{lines};\n"


def literal(value: Value) -> str:
    """A value as SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
