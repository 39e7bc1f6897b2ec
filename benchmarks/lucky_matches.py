"""How many wrong queries do one, four and ten instances of a database accept, do they refuse right ones, at what cost?

Wrong queries are mutants of the course's own test queries that answer differently on at least one witness: the real
database, a made instance, or a copy of the real database whose rows are thinned out, repeated and moved to the edges of
the query's conditions, made independently of the instances. Right queries are rewrites by rules that keep the answer on
every database.
"""

import logging
import random
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlglot import exp, parse_one

from benchmarks.query_variants import mutants, rewrites
from benchmarks.sql_cost import cpu_seconds
from course_utils.errors import QueryError
from course_utils.evaluation.instances import find_instances
from course_utils.figures import course_style, new_axes
from course_utils.files import PROJECT, read_jsonl
from course_utils.setup import probe_machine
from course_utils.sql import QueryPair, QueryResult, find_database, find_difference, read_schema
from course_utils.sql.compare import compare_pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_MADE = 9
SIZES = (1, 4, 10)
"""Instances, the real one included."""
N_WITNESSES = 20
N_TIMED = 10_000


class Judged(NamedTuple):
    """A variant of a gold query, and the number of instances that accept it before one does not; 10 if all do."""

    kind: str
    gold: str
    query: str
    n_accepting: int


def measure(n_rows: int | None = None) -> dict[str, Any]:
    """Share of mutants accepted with each number of instances, rewrites refused, milliseconds a pair.

    Args:
        n_rows: Of the course's test rows, drawn at random; None takes all.
    """
    rows = random.Random(0).sample(test_rows := read_jsonl(PROJECT / "data" / "test.jsonl"), n_rows or len(test_rows))
    wrong: list[Judged] = []
    right: list[Judged] = []
    timed: dict[Path, list[QueryPair]] = {}
    n_unproven, began = 0, cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        golds: dict[Path, list[str]] = defaultdict(list)
        for row in rows:
            golds[find_database(PROJECT / "data", row["db_id"], Path(folder))].append(row["query"])
        suites = {database: find_instances(database, queries, N_MADE) for database, queries in golds.items()}
        making_ms = 1000 * (cpu_seconds() - began) / sum(map(len, suites.values()))
        for database, suite in suites.items():
            logging.info("%s: %d golds", database.stem, len(suite))
            judged = list(_judge(database, suite, mutants_of(database, suite)))
            proven = [each for each in judged if each.n_accepting < SIZES[-1]]
            accepted = [each for each in judged if each.n_accepting == SIZES[-1]]
            witnessed = [each for each in accepted if _has_witness(database, each.gold, each.query)]
            n_unproven += len(accepted) - len(witnessed)
            wrong += proven + witnessed
            right += _judge(database, suite, {gold: rewrites(gold) for gold in suite})
            timed[database] = [QueryPair(each.gold, each.query, suite[each.gold]) for each in proven + witnessed]
        cost = _cost(timed)
    kinds = Counter(each.kind for each in wrong)
    return {
        "machine": asdict(probe_machine()),
        "n_golds": sum(map(len, suites.values())),
        "n_wrong": len(wrong),
        "n_without_witness": n_unproven,
        "accepted": {str(size): round(_share(wrong, size), 4) for size in SIZES},
        "accepted_by_kind": {
            kind: {"n": n} | {str(size): round(_share([w for w in wrong if w.kind == kind], size), 4) for size in SIZES}
            for kind, n in kinds.most_common()
        },
        "n_right": len(right),
        "refused": {str(size): sum(each.n_accepting < size for each in right) for size in SIZES},
        "refused_rewrites": [each._asdict() for each in right if each.n_accepting < SIZES[-1]][:10],
        "making_cpu_ms_per_gold": round(making_ms, 2),
        **cost,
    }


def _share(wrong: list[Judged], size: int) -> float:
    return sum(each.n_accepting >= size for each in wrong) / len(wrong)


def mutants_of(database: Path, golds: Any) -> dict[str, list[tuple[str, str]]]:
    """One mutant of each kind, so that the many other columns do not hide what is harder to tell."""
    schema, chosen = read_schema(database), {}
    for gold in golds:
        read = {table.name.lower() for table in parse_one(gold, dialect="sqlite").find_all(exp.Table)}
        columns = [column.name for table in schema.tables if table.name.lower() in read for column in table.columns]
        rng = random.Random(gold)
        found = mutants(gold, rng.sample(columns, len(columns)))
        rng.shuffle(found)
        chosen[gold] = [*{kind: (kind, query) for kind, query in found}.values()]
    return chosen


def _judge(
    database: Path, suite: dict[str, tuple[bytes, ...]], variants: dict[str, list[tuple[str, str]]]
) -> Iterator[Judged]:
    asked = [(kind, gold, query) for gold, found in variants.items() for kind, query in found]
    pairs = [QueryPair(gold, query, suite[gold]) for _, gold, query in asked]
    for (kind, gold, query), compared in zip(asked, compare_pairs(database, pairs), strict=True):
        if isinstance(compared, QueryError):
            raise compared
        is_wrong = compared.difference or isinstance(compared.found, QueryError)
        yield Judged(kind, gold, query, 0 if is_wrong else compared.refuted_by or SIZES[-1])


def _has_witness(database: Path, gold: str, query: str) -> bool:
    rng = random.Random(f"{gold} {query}")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as original:
        for _ in range(N_WITNESSES):
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
                original.backup(copy)
                _disturb(copy, gold, rng)
                answer, again = _rows(copy, gold), _rows(copy, gold, in_reverse=True)
                if answer and again and not find_difference(answer, again, gold):
                    other = _rows(copy, query)
                    if other is None or find_difference(answer, other, gold):
                        return True
    return False


def _rows(connection: sqlite3.Connection, query: str, in_reverse: bool = False) -> QueryResult | None:
    connection.execute(f"PRAGMA reverse_unordered_selects = {in_reverse}")
    try:
        cursor = connection.execute(query)
    except sqlite3.Error:
        return None
    return QueryResult(tuple(column[0] for column in cursor.description), cursor.fetchall(), 0.0, False)


def _disturb(connection: sqlite3.Connection, gold: str, rng: random.Random) -> None:
    tree = parse_one(gold, dialect="sqlite")
    literals = [_values_near(literal) for literal in tree.find_all(exp.Literal)]
    pool = [value for values in literals for value in values]
    connection.execute("BEGIN")
    for name in {table.name for table in tree.find_all(exp.Table)}:
        columns = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
        keys = {key for (key,) in connection.execute('SELECT "from" FROM pragma_foreign_key_list(?)', (name,))}
        ids = [number for (number,) in connection.execute(f"SELECT rowid FROM {name}")]
        kept = rng.sample(ids, min(rng.choice((4, 10, 30, 100)), len(ids)))
        connection.execute(f"DELETE FROM {name} WHERE rowid NOT IN ({', '.join(map(str, kept))})")
        for column, type_, is_key in columns:
            if is_key:
                continue
            values = [value for (value,) in connection.execute(f"SELECT {column} FROM {name}")]
            some = rng.sample(values, min(rng.choice((2, 4, 40)), len(values)))
            like = type(next((value for value in values if value is not None), None))
            edges = [] if column in keys or type_ == "DATE" else [value for value in pool if type(value) is like]
            changes = []
            for number in kept:
                chance = rng.random()
                if chance < 0.3:
                    changes.append((rng.choice(some), number))
                elif chance < 0.38:
                    changes.append((None, number))
                elif chance < 0.7 and edges:
                    changes.append((rng.choice(edges), number))
            connection.executemany(f"UPDATE {name} SET {column} = ? WHERE rowid = ?", changes)
    while orphans := connection.execute("PRAGMA foreign_key_check").fetchall():
        connection.executescript("".join(f"DELETE FROM {name} WHERE rowid = {row};" for name, row, *_ in orphans))
    connection.execute("COMMIT") if connection.in_transaction else None


def _values_near(literal: exp.Literal) -> list[object]:
    text = literal.name.strip("%")
    if literal.is_string:
        return [text, text.swapcase(), f"{text}s", f"x{text}y", text[:-1], f"a{text}"]
    return [int(text) + step for step in (-1, 0, 1)] if text.isdigit() else [float(text)]


def _cost(pairs: dict[Path, list[QueryPair]]) -> dict[str, Any]:
    """CPU milliseconds a pair, of this process and its workers, and the seconds that many predictions take."""
    found: dict[str, Any] = {"cpu_ms_per_pair": {}}
    n = sum(map(len, pairs.values()))
    for size in SIZES:
        began = cpu_seconds()
        for database, some in pairs.items():
            asked = [pair._replace(instances=pair.instances[: size - 1]) for pair in some]
            assert len([*compare_pairs(database, asked)]) == len(asked)
        found["cpu_ms_per_pair"][str(size)] = round(1000 * (cpu_seconds() - began) / n, 3)
    equal = {database: [pair._replace(other=f"{pair.gold} ") for pair in some] for database, some in pairs.items()}
    began, clock, n_done = cpu_seconds(), time.perf_counter(), 0
    while n_done < N_TIMED:
        for database, some in equal.items():
            n_done += len([*compare_pairs(database, some[: N_TIMED - n_done])])
    found["right_predictions"] = {
        "n": n_done,
        "instances": SIZES[-1],
        "cpu_ms_per_pair": round(1000 * (cpu_seconds() - began) / n_done, 3),
        "seconds_on_one_worker": round(time.perf_counter() - clock, 1),
    }
    return found


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """The share of each kind of wrong query that one, four and ten instances accept."""
    kinds = {kind: shares for kind, shares in result["accepted_by_kind"].items() if shares[str(SIZES[0])]}
    whole = ", ".join(f"{100 * share:.1f} % by {size}" for size, share in result["accepted"].items())
    axes = new_axes(f"{result['n_wrong']:,} wrong queries are accepted: {whole} instances", height=5.2)
    for number, size in enumerate(SIZES):
        places = [place + (number - 1) * 0.27 for place in range(len(kinds))]
        axes.barh(
            places,
            [shares[str(size)] for shares in kinds.values()],
            0.25,
            label=f"{size} instance{'s' * (size > 1)}",
        )
    axes.set_yticks(range(len(kinds)), [f"{kind} ({shares['n']})" for kind, shares in kinds.items()])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of wrong queries accepted")
    axes.legend()
    return axes
