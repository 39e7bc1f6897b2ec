"""Break a query in one known way: each mutation changes one thing that models get wrong.

A mutation takes the tree of a right query, which it may change, and returns the broken query, or None if there is
nothing to break. ``preferences.py`` proves that the result really is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sqlglot import exp

from course_utils.sql import Schema
from tools.dataset.mistakes import (
    missing_condition,
    missing_group,
    missing_negation,
    write_sql,
    wrong_aggregate,
    wrong_case,
    wrong_comparison,
    wrong_connective,
    wrong_set_operation,
    wrong_value,
)


@dataclass(frozen=True)
class Mutation:
    """A way to break a query; ``error`` is what the database says then, empty where it runs and answers wrongly."""

    reason: str
    change: Callable[[exp.Expr, Schema, Random], str | None]
    error: str = ""


def _wrong_column(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    select = tree.find(exp.Select)
    shown = [node for node in (select.expressions if select else []) if isinstance(node, exp.Column)]
    tables = {table.name: [column.name for column in table.columns] for table in schema.tables}
    for column in rng.sample(shown, len(shown)):
        owner = column.table or _only_table(tree)
        taken = {node.name for node in shown}
        if others := [name for name in tables.get(owner, []) if name not in taken]:
            column.this.set("this", rng.choice(others))
            return write_sql(tree)
    return None


def _only_table(tree: exp.Expr) -> str:
    names = {table.name for table in tree.find_all(exp.Table)}
    return names.pop() if len(names) == 1 else ""


def _missing_distinct(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    if (distinct := tree.find(exp.Distinct)) is None:
        return None
    if isinstance(distinct.parent, exp.Select):
        distinct.parent.set("distinct", None)
    else:
        distinct.replace(distinct.expressions[0].copy())
    return write_sql(tree)


def _wrong_join_key(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """Join the two primary keys, which reads well and pairs rows that have nothing to do with each other."""
    keys = {table.name: next((c.name for c in table.columns if c.is_primary_key), "") for table in schema.tables}
    for join in tree.find_all(exp.Join):
        if condition := join.args.get("on"):
            for column in condition.find_all(exp.Column):
                if (key := keys.get(column.table)) and column.name != key:
                    column.this.set("this", key)
                    return write_sql(tree)
    return None


def _missing_join(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    select = tree.find(exp.Select)
    if select is None or not select.args.get("joins"):
        return None
    select.args["joins"].pop()
    return write_sql(tree)


def _wrong_table(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    name = _only_table(tree)
    others = [table.name for table in schema.tables if table.name != name]
    if not name or not others:
        return None
    other = rng.choice(others)
    for table in tree.find_all(exp.Table):
        table.this.set("this", other)
    return write_sql(tree)


def _wrong_direction(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    order = tree.args.get("order")
    if not order:
        return None
    first: exp.Ordered = order.expressions[0]
    first.set("desc", not first.args.get("desc"))
    first.set("nulls_first", not first.args.get("desc"))
    return write_sql(tree)


def _missing_order(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    if not tree.args.get("order"):
        return None
    tree.set("order", None)
    return write_sql(tree)


def _wrong_limit(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    if not (limit := tree.args.get("limit")):
        return None
    n = int(limit.expression.name)
    tree.set("limit", exp.Limit(expression=exp.Literal.number(n + rng.choice((1, 2, 3)))))
    return write_sql(tree)


def _invented_column(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    known = {column.name for table in schema.tables for column in table.columns}
    columns = list(tree.find_all(exp.Column))
    if not columns:
        return None
    column = rng.choice(columns)
    old = column.name
    new = rng.choice([f"{old}_name", f"the_{old}", f"{old}s", f"{old}_value", f"full_{old}", f"{old}_text"])
    if new in known:
        return None
    for other in columns:
        if other.name == old:
            other.this.set("this", new)
    return write_sql(tree)


def _syntax_error(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    text = write_sql(tree)
    slips = (
        (" FROM ", ", FROM "),
        (" FROM ", " FORM "),
        (" WHERE ", " WHERE WHERE "),
        (" GROUP BY ", " GROUP "),
        (" ORDER BY ", " ORDER "),
        (")", ""),
        (" JOIN ", " JOINS ON "),
        (" = ", " IS EQUAL TO "),
    )
    possible = [(old, new) for old, new in slips if old in text]
    old, new = rng.choice(possible) if possible else ("SELECT", "SELECT SELECT")
    return text.replace(old, new, 1)


def _swapped_columns(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    if not isinstance(tree, exp.Select) or len(tree.expressions) < 2:
        return None
    tree.set("expressions", [tree.expressions[1], tree.expressions[0], *tree.expressions[2:]])
    return write_sql(tree)


MUTATIONS = (
    Mutation("wrong-column", _wrong_column),
    Mutation("invented-column", _invented_column, error="no such column"),
    Mutation("swapped-columns", _swapped_columns),
    Mutation("missing-condition", missing_condition),
    Mutation("wrong-comparison", wrong_comparison),
    Mutation("wrong-connective", wrong_connective),
    Mutation("missing-negation", missing_negation),
    Mutation("wrong-literal-case", wrong_case),
    Mutation("wrong-value", wrong_value),
    Mutation("wrong-aggregate", wrong_aggregate),
    Mutation("missing-group", missing_group),
    Mutation("missing-distinct", _missing_distinct),
    Mutation("wrong-join-key", _wrong_join_key),
    Mutation("missing-join", _missing_join, error="no such column"),
    Mutation("wrong-table", _wrong_table, error="no such column"),
    Mutation("wrong-direction", _wrong_direction),
    Mutation("missing-order", _missing_order),
    Mutation("wrong-limit", _wrong_limit),
    Mutation("wrong-set-operation", wrong_set_operation),
    Mutation("syntax-error", _syntax_error, error="syntax error"),
)
