"""Make small further instances of a question's database, on which a query that is right by luck is wrong.

They are made for the gold query: values at the edges of its conditions, ties, duplicates, NULL, parents without
children. Keys, types and constraints hold. An instance is kept only if the gold's answer does not depend on the order
of rows, so that an equivalent query is not refused. After Zhong, Yu, Klein (2020), Semantic Evaluation for Text-to-SQL
with Distilled Test Suites, who instead choose among random instances by mutants of the gold.
"""

import hashlib
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from sqlglot import exp

from course_utils.errors import DataError, QueryError
from course_utils.evaluation.boundaries import break_ties, joined_columns, literals_by_column, near
from course_utils.files import sha256
from course_utils.sql import find_difference, quote, read_schema
from course_utils.sql.execute import QueryLimits, execute
from course_utils.sql.opening import connect, open_image
from course_utils.sql.query_forms import parse
from course_utils.sql.worker import limit_time, run_each

VERSION = 2
"""Version of the cached instances; a new one makes the cache miss, and all are made again from the same seeds."""
MAKE_S = 5.0
"""Seconds for the instances of one gold query at most; a usual query takes a hundredth of a second."""
LIMITS = QueryLimits(timeout_s=1.0)
TRIES = 12
"""Attempts for each requested instance."""
N_SAMPLED = 60
"""Rows of each real table from which values are taken."""
N_ROWS = (3, 8, 16, 40)  # choices for the rows of a table
N_VALUES = (2, 3, 5, 8)  # choices for the values of a column, from its edges and from the real table each
NULL_RATES = (0.0, 0.1, 0.4)  # choices for a column's share of NULLs


class _Column(NamedTuple):
    id: str
    """``table.column`` in lower case."""
    name: str
    is_key: bool
    is_nullable: bool
    parent: str
    """The ``id`` of the column that it refers to; empty without a foreign key."""
    values: list[object]
    """Values from the real table, without NULL."""
    edges: tuple[object, ...] = ()
    """Values at the edges of the gold's conditions."""


def find_instances(database: Path, golds: list[str], n: int, cache: Path | None = None) -> dict[str, tuple[bytes, ...]]:
    """The images of ``n`` SQLite files for each gold query, always the same; fewer, or none, if no more can be made.

    Args:
        database: The SQLite file whose schema they share.
        golds: Gold queries.
        n: Instances for each query.
        cache: SQLite file that keeps the instances, by database content and query; None keeps nothing.

    Raises:
        DataError: The database cannot be read, or ``cache`` is another kind of file.
    """
    made_of = f"{VERSION} {n} {sha256(database)}"
    keys = {gold: hashlib.sha256(f"{made_of} {gold}".encode(errors="surrogatepass")).hexdigest() for gold in golds}
    if cache:
        cache.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(cache or ":memory:", timeout=60)) as store:
            store.execute("CREATE TABLE IF NOT EXISTS suite (key, number, image, PRIMARY KEY (key, number))")
            kept = "SELECT image FROM suite WHERE key = ? ORDER BY number"
            suites = {gold: [image for (image,) in store.execute(kept, (key,))] for gold, key in keys.items()}
            missing = [gold for gold, images in suites.items() if not images]
            tables = [table.name for table in read_schema(database).tables] if missing else []
            results = run_each(_make_all, database.absolute(), tables, n, items=missing)
            # An empty first image records that instances were tried, even if none could be made. All are written at the
            # end, because an open transaction would lock out the threads for other databases.
            found = (images if isinstance(images, tuple) else () for images in results)
            made = {gold: [b"", *map(zlib.compress, each)] for gold, each in zip(missing, found, strict=True)}
            rows = [(keys[gold], *numbered) for gold, images in made.items() for numbered in enumerate(images)]
            store.executemany("INSERT OR REPLACE INTO suite VALUES (?, ?, ?)", rows)
            store.commit()
    except sqlite3.Error as error:
        raise DataError(f"{cache}: cannot keep instances ({error}); delete the file") from error
    return {gold: tuple(map(zlib.decompress, images[1:])) for gold, images in (suites | made).items()}


def _make_all(database: Path, names: list[str], n: int, golds: list[str]) -> Iterator[tuple[bytes, ...]]:
    with closing(connect(database)) as connection:
        tables = {}
        for name in names:
            with suppress(sqlite3.Error):  # a table may need a collation or module that is not here
                tables[name.lower()] = _read_columns(connection, name)
        made_by = "SELECT sql || '' FROM sqlite_master WHERE sql <> '' AND type <> 'trigger' ORDER BY rowid"
        schema = [sql for (sql,) in connection.execute(made_by)]
    for gold in golds:
        try:
            yield tuple(_make(schema, tables, gold, n))
        except (QueryError, sqlite3.Error, UnicodeError, RecursionError):  # in sqlglot, of a deep query
            yield ()


def _read_columns(connection: sqlite3.Connection, table: str) -> list[_Column]:
    # A foreign key without a column name refers to the primary key.
    columns = connection.execute(
        """SELECT name, pk, "notnull", k."table" || '.' ||
            coalesce(k."to", (SELECT name FROM pragma_table_info(k."table") WHERE pk))
        FROM pragma_table_info(?1) LEFT JOIN pragma_foreign_key_list(?1) AS k ON k."from" = name COLLATE NOCASE
        GROUP BY cid""",
        (table,),
    ).fetchall()
    names = ", ".join(quote(name) for name, *_ in columns)
    rows = connection.execute(f"SELECT {names} FROM {quote(table)} LIMIT {N_SAMPLED}").fetchall()
    return [
        _Column(
            f"{table}.{name}".lower(),
            name,
            bool(is_key),
            not (is_key or is_required),
            (parent or "").lower(),
            [value for value in dict.fromkeys(row[at] for row in rows) if value is not None and len(str(value)) < 200],
        )
        for at, (name, is_key, is_required, parent) in enumerate(columns)
    ]


def _make(schema: list[str], tables: dict[str, list[_Column]], gold: str, n: int) -> Iterator[bytes]:
    tree = parse(gold)
    rng, end, n_made = Random(f"1 {gold}"), time.monotonic() + MAKE_S, 0
    variants = [break_ties(tree, descending) for descending in (False, True)]
    literals, joined = literals_by_column(tree), joined_columns(tree)
    read = {table.name.lower() for table in tree.find_all(exp.Table)}
    if not read <= tables.keys():
        read = {*tables}  # a view may read any table
    while parents := {c.parent.partition(".")[0] for t in read & tables.keys() for c in tables[t]} - read:
        read |= parents  # all other tables stay empty
    around = {t: [_around(column, literals, joined) for column in tables[t]] for t in tables if t in read}
    for attempt in range(TRIES * n):
        if n_made == n or time.monotonic() > end:
            return
        limit_time(MAKE_S)
        try:
            image = _build(schema, around, rng)
            if _is_telling(image, gold, variants, with_rows=attempt < TRIES * n // 2):
                n_made += 1
                yield image
        except (QueryError, sqlite3.Error):
            continue


def _around(column: _Column, literals: dict[str, list[str]], joined: dict[str, str]) -> _Column:
    """The column with the edge values of one query, and a parent from its joins if the schema declares none."""
    like = next(iter(column.values), 1)
    edges = [value for literal in literals.get(column.name.lower(), ()) for value in near(literal, like)]
    parent = column.parent or ("" if column.is_key else joined.get(column.id, ""))
    return column._replace(parent=parent, edges=tuple(dict.fromkeys(edges)))


def _draw_rows(tables: dict[str, list[_Column]], rng: Random) -> dict[str, list[object]]:
    """Random values for each column, by its id; foreign keys come last and draw from their parents' values."""
    drawn: dict[str, list[object]] = {}
    for columns in tables.values():
        n = rng.choice(N_ROWS)
        drawn |= {column.id: _draw(column, n, rng) for column in columns}
    for column in (column for columns in tables.values() for column in columns):
        if known := [value for value in drawn.get(column.parent, ()) if value is not None]:
            some = rng.sample(known, rng.randint(-(-len(known) // 3), len(known)))
            drawn[column.id] = _choose(some, len(drawn[column.id]), column, rng)
    return drawn


def _draw(column: _Column, n: int, rng: Random) -> list[object]:
    if column.is_key and all(isinstance(value, int) for value in column.values):
        return rng.sample([*range(1, 3 * n + 1), *column.edges], n)
    if column.is_key:
        return rng.choices([*column.edges, *column.values], k=n)
    size = rng.choice(N_VALUES)
    chosen = [value for some in (column.edges, column.values) for value in rng.sample(some, min(size, len(some)))]
    return _choose(chosen or rng.sample(range(1, 3 * n), size), n, column, rng)  # an empty table has no values


def _choose(values: list[object], n: int, column: _Column, rng: Random) -> list[object]:
    """Draw ``n`` of the values with random weights, so that groups have different sizes, and some NULLs."""
    weights, null_rate = [rng.random() ** 2 for _ in values], rng.choice(NULL_RATES) * column.is_nullable
    return [None if rng.random() < null_rate else value for value in rng.choices(values, weights, k=n)]


def _build(schema: list[str], tables: dict[str, list[_Column]], rng: Random) -> bytes:
    drawn = _draw_rows(tables, rng)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("BEGIN")
        for statement in schema:
            with suppress(sqlite3.Error):  # an index on an unknown function, or a table that a virtual table creates
                connection.execute(statement)
        for name, columns in tables.items():
            names, marks = ", ".join(quote(column.name) for column in columns), ", ".join("?" * len(columns))
            rows = zip(*(drawn[column.id] for column in columns), strict=True)
            # OR IGNORE leaves out rows that break a key, a CHECK or NOT NULL.
            connection.executemany(f"INSERT OR IGNORE INTO {quote(name)} ({names}) VALUES ({marks})", rows)
        while orphans := connection.execute("PRAGMA foreign_key_check").fetchall():
            for table, rowid, *_ in orphans:
                if rowid is None:
                    raise sqlite3.IntegrityError(f"{table} has no rowid to delete an orphan by")
                connection.execute(f"DELETE FROM {quote(table)} WHERE rowid = ?", (rowid,))
        connection.execute("COMMIT")
        return connection.serialize()


def _is_telling(image: bytes, gold: str, variants: list[str], with_rows: bool) -> bool:
    """Whether the gold's answer does not depend on the order of rows or ties and, if ``with_rows``, is not empty."""
    with closing(open_image(image)) as connection:
        answer = execute(connection, gold, LIMITS)
    if with_rows and answer.is_empty:
        return False
    with closing(open_image(image, in_reverse=True)) as connection:
        again = (execute(connection, query, LIMITS) for query in (gold, *variants))
        return not any(find_difference(answer, result, gold) for result in again)
