"""Mutants: queries that differ from the right one in one place, run, and give another answer.

Mutation testing asks which of them a test suite tells from the original (Tuya, Suárez-Cabal and de la Riva 2007,
Information and Software Technology 49, 398-417). Here they stand for labels that are wrong where no check looks.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from course_utils.artifacts import Row
from course_utils.data.hardness import parse
from course_utils.data.inject import Defect
from course_utils.errors import QueryError
from course_utils.sql import Schema, read_schema, same_answer

if TYPE_CHECKING:
    from sqlglot import exp

    Mutate = Callable[[exp.Expr, Schema], Iterator[exp.Expr]]

MAX_TRIES = 8
"""So many mutants of one query are run, at most, to find one with another answer."""
_OPPOSITES = {"GT": "LT", "GTE": "LTE", "EQ": "NEQ", "Max": "Min", "Sum": "Avg", "And": "Or"}


def mutants(databases: Mapping[str, Path]) -> dict[str, Defect]:
    """Kinds of defects for ``inject_defects``; their check is the one that can prove an answer wrong by another.

    Args:
        databases: The SQLite file of each db_id, which says whether the answer is another.
    """
    kinds = {"another column": _rename, "opposite operator": _flip, "condition dropped": _drop}
    needs = "a query of which such a mutant runs and answers differently"
    return {kind: Defect("contradiction", partial(_mutate, kinds[kind], databases), needs=needs) for kind in kinds}


def _mutate(mutate: "Mutate", databases: Mapping[str, Path], row: Row, rng: Random) -> Row | None:
    database = databases[row["db_id"]]
    try:
        queries = [tree.sql("sqlite") for tree in mutate(parse(row["query"]), read_schema(database))]
    except QueryError:
        return None
    for query in rng.sample(queries, min(MAX_TRIES, len(queries))):
        try:
            if not same_answer(database, row["query"], query):
                return {**row, "query": query}
        except QueryError:  # it does not run: a check would see that
            continue
    return None


def _places(tree: "exp.Expr", *kinds: "type[exp.Expr]") -> "Iterator[tuple[exp.Expr, exp.Expr]]":
    """A copy of the tree for each node of these kinds, and that node in it."""
    for place, _ in enumerate(tree.find_all(*kinds)):
        mutant = tree.copy()
        yield mutant, [*mutant.find_all(*kinds)][place]


def _rename(tree: "exp.Expr", schema: Schema) -> "Iterator[exp.Expr]":
    """A column gives way to another one of the query's tables."""
    from sqlglot import exp

    read = {table.name.lower() for table in tree.find_all(exp.Table)}
    tables = [table for table in schema.tables if table.name.lower() in read]
    for name in dict.fromkeys(column.name for table in tables for column in table.columns):
        for mutant, node in _places(tree, exp.Column):
            if node.name.lower() != name.lower():
                node.set("this", exp.to_identifier(name))
                yield mutant


def _flip(tree: "exp.Expr", _: Schema) -> "Iterator[exp.Expr]":
    """A comparison, an aggregate, a connective or an order gives way to its opposite."""
    from sqlglot import exp

    pairs = [(getattr(exp, one), getattr(exp, other)) for one, other in _OPPOSITES.items()]
    opposites = dict(pairs) | {other: one for one, other in pairs}
    for mutant, node in _places(tree, exp.Ordered, *opposites):
        if isinstance(node, exp.Ordered):
            is_descending = not node.args.get("desc")
            node.set("desc", is_descending)
            node.set("nulls_first", not is_descending)  # as SQLite sorts, or it would be written out
        else:
            node.replace(opposites[type(node)](**node.args))
        yield mutant


def _drop(tree: "exp.Expr", _: Schema) -> "Iterator[exp.Expr]":
    """The whole condition goes, or one half of it."""
    from sqlglot import exp

    for mutant, node in _places(tree, exp.Where, exp.Having, exp.And):
        if isinstance(node, exp.And):
            node.replace(node.left)
        else:
            node.pop()
        yield mutant
