"""Make the rows of a domain, seeded, and write them as ``schema.sql`` and ``rows.sql``.

Text files rather than SQLite files lie in the repository, because they can be read and compared.
"""

from datetime import date, timedelta
from itertools import product
from pathlib import Path
from random import Random
from string import Formatter

from course_utils.data.generate.domains import ColumnSpec, Domain, TableSpec
from course_utils.errors import DataError

Value = str | int | float | None
_ATTEMPTS = 1000


def populate(domain: Domain, seed: int = 0) -> dict[str, list[tuple[Value, ...]]]:
    """Rows of every table. Each column has its own random stream, so that a new column leaves the others alone.

    Raises:
        DataError: A unique column cannot have as many values as the table has rows.
    """
    return {table.name: _rows(domain, table, seed) for table in domain.tables}


def _rows(domain: Domain, table: TableSpec, seed: int) -> list[tuple[Value, ...]]:
    columns = [
        _column_values(domain, table, column, Random(f"{seed}/{domain.db_id}/{table.name}/{column.name}"))
        for column in table.columns
    ]
    return list(zip(*columns, strict=True))


def _column_values(domain: Domain, table: TableSpec, column: ColumnSpec, rng: Random) -> list[Value]:
    if column.kind == "id":
        return list(range(1, table.rows + 1))
    if column.kind == "reference":
        parents = range(1, domain.table(column.table).rows + 1)
        return rng.choices(parents, _weights(len(parents), rng), k=table.rows)
    if column.kind == "text" and column.unique:
        return _distinct_texts(domain, table, column, rng)
    made: list[Value] = []
    taken: set[Value] = set()
    for _ in range(table.rows):
        for _ in range(_ATTEMPTS):
            value = _value(domain, column, rng)
            if not column.unique or value not in taken:
                break
        else:
            raise _too_few(domain, table, column)
        taken.add(value)
        made.append(None if rng.random() < column.null_share else value)
    return made


def _distinct_texts(domain: Domain, table: TableSpec, column: ColumnSpec, rng: Random) -> list[Value]:
    texts = list(column.values) or _combinations(domain, column.pattern)
    if len(texts) < table.rows:
        raise _too_few(domain, table, column)
    return list(rng.sample(texts, table.rows))


def _combinations(domain: Domain, pattern: str) -> list[str]:
    slots = [slot for _, slot, _, _ in Formatter().parse(pattern) if slot]
    return [
        pattern.format(**dict(zip(slots, choice, strict=True))) for choice in product(*(domain.lists[s] for s in slots))
    ]


def _too_few(domain: Domain, table: TableSpec, column: ColumnSpec) -> DataError:
    return DataError(
        f"{domain.db_id}/domain.toml: column {table.name}.{column.name} is unique but has fewer than {table.rows} "
        "different values; lengthen its lists, widen low and high, or make fewer rows"
    )


def _value(domain: Domain, column: ColumnSpec, rng: Random) -> Value:
    if column.kind == "text":
        texts = list(column.values) or _combinations(domain, column.pattern)
        return rng.choices(texts, _weights(len(texts)))[0]
    if column.kind == "date":
        first = date(int(column.low), 1, 1)
        return str(first + timedelta(days=rng.randrange((date(int(column.high), 12, 31) - first).days + 1)))
    share: float = rng.random() ** column.skew
    if column.kind == "real":
        return round(column.low + (column.high - column.low) * share, column.decimals)
    n_steps = int(column.high - column.low) // column.step
    return int(column.low) + column.step * round(n_steps * share)


def _weights(n: int, rng: Random | None = None) -> list[float]:
    """Falling weights, so that groups differ in size; in random order where ``rng`` is given."""
    weights = [(i + 1) ** -0.6 for i in range(n)]
    if rng is not None:
        rng.shuffle(weights)
    return weights


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
