"""Mistakes in conditions, values and functions; each changes a query's tree and returns the broken query, or None.

``mutations.py`` lists them with the others.
"""

import re
from random import Random
from typing import Any

from sqlglot import exp

from course_utils.sql import Schema

_NEGATED = re.compile(r"NOT ((?:\w+\.)?\w+) (IN|LIKE|BETWEEN) ")
_NOT_NULL = re.compile(r"NOT ((?:\w+\.)?\w+) IS NULL")


def write_sql(tree: exp.Expr) -> str:
    """The query as people write it: ``a NOT IN``, ``IS NOT NULL`` and ``!=``."""
    text = _NOT_NULL.sub(r"\1 IS NOT NULL", tree.sql("sqlite"))
    return _NEGATED.sub(r"\1 NOT \2 ", text).replace("<>", "!=")


def missing_condition(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """One condition less."""
    if both := list(tree.find_all(exp.And)):
        node = rng.choice(both)
        node.replace(rng.choice((node.this, node.expression)).copy())
        return write_sql(tree)
    return _without(tree, rng, "where", "having")


def _without(tree: exp.Expr, rng: Random, *parts: str) -> str | None:
    """Drop one of the parts of one of the SELECTs."""
    found = [(select, part) for select in tree.find_all(exp.Select) for part in parts if select.args.get(part)]
    if not found:
        return None
    select, part = rng.choice(found)
    select.set(part, None)
    return write_sql(tree)


def _swap(tree: exp.Expr, rng: Random, pairs: dict[type, type]) -> str | None:
    """Replace one node by one of the other class with the same parts."""
    found = [node for node in tree.walk() if type(node) in pairs and not _joins(node)]
    if not found:
        return None
    node: Any = rng.choice(found)
    other = pairs[type(node)](**{name: _copied(part) for name, part in node.args.items()})
    if node is tree:
        return write_sql(other)
    node.replace(other)
    return write_sql(tree)


def _copied(part: Any) -> Any:
    return part.copy() if hasattr(part, "copy") else part


def _joins(node: exp.Expr) -> bool:
    """Whether the condition compares two columns, as joins and correlations do."""
    return isinstance(node.args.get("this"), exp.Column) and isinstance(node.args.get("expression"), exp.Column)


def wrong_comparison(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """The other way round: above for below."""
    return _swap(tree, rng, {exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE, exp.EQ: exp.NEQ})


def wrong_connective(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """OR for AND, or AND for OR."""
    return _swap(tree, rng, {exp.And: exp.Or, exp.Or: exp.And})


def wrong_aggregate(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """A total for an average, the highest for the lowest."""
    return _swap(tree, rng, {exp.Avg: exp.Sum, exp.Sum: exp.Avg, exp.Max: exp.Min, exp.Min: exp.Max})


def wrong_set_operation(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """UNION for INTERSECT and the like."""
    return _swap(tree, rng, {exp.Union: exp.Intersect, exp.Intersect: exp.Union, exp.Except: exp.Union})


def _literals(tree: exp.Expr) -> list[exp.Expr]:
    """Texts that are compared with a column, and not a date's format."""
    found = [node for node in tree.find_all(exp.Literal) if node.is_string and any(c.isalpha() for c in node.name)]
    return [node for node in found if isinstance(node.parent, exp.EQ | exp.NEQ | exp.In)]


def wrong_case(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """A text in another case than the database has it."""
    literals = _literals(tree)
    if not literals:
        return None
    literal = rng.choice(literals)
    literal.set("this", literal.name.upper() if literal.name.islower() else literal.name.lower())
    return write_sql(tree)


def wrong_value(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """A number that is ten times too large, as when a digit slips in."""
    numbers = [
        node
        for node in tree.find_all(exp.Literal)
        if not node.is_string and isinstance(node.parent, exp.Predicate) and node.name.strip("0.")
    ]
    if not numbers:
        return None
    number = rng.choice(numbers)
    number.set("this", f"{number.name}0" if "." not in number.name else number.name.replace(".", ""))
    return write_sql(tree)


def missing_group(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """No GROUP BY."""
    return _without(tree, rng, "group")


def missing_negation(tree: exp.Expr, schema: Schema, rng: Random) -> str | None:
    """No NOT."""
    negations = list(tree.find_all(exp.Not))
    if not negations:
        return None
    negation = rng.choice(negations)
    if negation is negation.root():
        return None
    negation.replace(negation.this.copy())
    return write_sql(tree)
