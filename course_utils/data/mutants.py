"""Mutants: queries that differ from the right one in one place, run, and give another answer.

Mutation testing asks which of them a test suite tells from the original (Tuya, Suárez-Cabal and de la Riva 2007,
Information and Software Technology 49, 398-417). Here they stand for labels that are wrong where no check looks.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from course_utils.artifacts import Row
from course_utils.data.hardness import parse
from course_utils.data.inject import Defect
from course_utils.errors import QueryError
from course_utils.sql import read_schema, same_answer

if TYPE_CHECKING:
    from sqlglot import exp

KINDS = ("another column", "opposite operator", "condition dropped")
MAX_TRIES = 8
"""So many mutants of one query are run, at most, to find one with another answer."""
_OPPOSITES = {"GT": "LT", "GTE": "LTE", "EQ": "NEQ", "Max": "Min", "Sum": "Avg", "And": "Or"}


def mutants(databases: Mapping[str, Path]) -> dict[str, Defect]:
    """``KINDS`` for ``inject_defects``; their check is the one that compares answers, on the SQLite file by db_id."""
    needs = "a query of which such a mutant runs and answers differently"
    return {kind: Defect("contradiction", partial(_mutate, kind, databases), needs=needs) for kind in KINDS}


def _mutate(kind: str, databases: Mapping[str, Path], row: Row, rng: Random) -> Row | None:
    from sqlglot import exp

    database = databases[row["db_id"]]
    try:
        tree = parse(row["query"])
    except QueryError:
        return None
    read = {table.name.lower() for table in tree.find_all(exp.Table)}
    columns = [c.name for table in read_schema(database).tables if table.name.lower() in read for c in table.columns]
    places = ((place, edit) for place, node in enumerate(tree.walk()) for edit in _edits(node, columns))
    edits = [(place, edited) for place, (of_kind, edited) in places if of_kind == kind]
    for place, edited in rng.sample(edits, min(MAX_TRIES, len(edits))):
        mutant = tree.copy()
        old = [*mutant.walk()][place]
        old.replace(edited.copy()) if edited else old.pop()
        try:
            if not same_answer(database, row["query"], mutant.sql("sqlite")):
                return {**row, "query": mutant.sql("sqlite")}
        except QueryError:  # it does not run: a check would see that
            continue
    return None


def _edits(node: "exp.Expr", columns: list[str]) -> "Iterator[tuple[str, exp.Expr | None]]":
    """What may stand in the place of a node; None for nothing."""
    from sqlglot import exp

    pairs = [(getattr(exp, one), getattr(exp, other)) for one, other in _OPPOSITES.items()]
    opposites = dict(pairs) | {other: one for one, other in pairs}
    if isinstance(node, exp.Column):
        names = (name for name in dict.fromkeys(columns) if name.lower() != node.name.lower())
        yield from ((KINDS[0], exp.column(name, node.table or None)) for name in names)
    elif isinstance(node, exp.Ordered):
        ascending = bool(node.args.get("desc"))
        # NULL where SQLite sorts it, or the query would say where.
        yield KINDS[1], exp.Ordered(this=node.this.copy(), desc=not ascending, nulls_first=ascending)
    elif type(node) in opposites:
        yield KINDS[1], opposites[type(node)](**node.copy().args)
    if isinstance(node, exp.Where | exp.Having | exp.And):
        yield KINDS[2], node.left if isinstance(node, exp.And) else None
