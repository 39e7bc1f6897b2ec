"""Spider's levels of difficulty: easy, medium, hard, extra, by a query's parts and not how hard it is to understand.

The rules are those of ``eval_hardness`` in Spider's ``evaluation.py`` (https://github.com/taoyds/spider; Yu et al.
2018, arXiv 1809.08887), read off sqlglot's tree, which knows more of SQLite's functions. Where several SELECTs are
combined or nested, only the outermost is counted, and window functions (``OVER``) are not, as there.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from course_utils.errors import QueryError

if TYPE_CHECKING:
    from sqlglot import exp


def hardness(query: str) -> str:
    """The level of one query.

    Raises:
        QueryError: The query does not parse as SQLite.
    """
    components, others, nested = count_parts(query)
    if components <= 1 and others == 0 and nested == 0:
        return "easy"
    if nested == 0 and ((others <= 2 and components <= 1) or (components <= 2 and others < 2)):
        return "medium"
    if (nested == 0 and ((others > 2 and components <= 2) or (2 < components <= 3 and others <= 2))) or (
        components <= 1 and others == 0 and nested <= 1
    ):
        return "hard"
    return "extra"


def count_parts(query: str) -> tuple[int, int, int]:
    """Spider's three counts of the outermost SELECT: component 1, others, component 2 (nested queries)."""
    from sqlglot import exp

    tree = parse(query)
    n_nested = 0
    while isinstance(tree, exp.SetOperation):
        tree, n_nested = tree.this, n_nested + 1
    if not isinstance(tree, exp.Select):
        raise QueryError("not a SELECT", "syntax")
    joins = tree.args.get("joins") or []
    places = [tree.args.get("where"), tree.args.get("having"), *(join.args.get("on") for join in joins)]
    conditions = [*_outermost(*places)]
    n_components = len(joins) + sum(bool(tree.args.get(name)) for name in ("where", "group", "order", "limit"))
    n_components += sum(isinstance(node, exp.Or | exp.Like) for node in conditions)
    n_nested += sum(isinstance(node, exp.Select) for node in conditions)
    return n_components, _count_others(tree), n_nested


def _count_others(tree: "exp.Select") -> int:
    """One each for several aggregates, columns, conditions and groups.

    As in Spider's code, a negated condition counts as an aggregate, and so does a connective in HAVING.
    """
    from sqlglot import exp

    groups, keys = (tree.args[name].expressions if tree.args.get(name) else [] for name in ("group", "order"))
    in_where, in_having = ([*_outermost(tree.args.get(name))] for name in ("where", "having"))
    n_aggregates = sum(expression.find(exp.AggFunc) is not None for expression in (*tree.expressions, *keys))
    n_aggregates += sum(isinstance(node, exp.Not) for node in (*in_where, *in_having))
    n_aggregates += sum(isinstance(node, exp.Connector) for node in in_having)
    has_connective = any(isinstance(node, exp.Connector) for node in in_where)
    return (n_aggregates > 1) + (len(tree.expressions) > 1) + has_connective + (len(groups) > 1)


def _outermost(*conditions: "exp.Expr | None") -> Iterator["exp.Expr"]:
    """The nodes of conditions down to nested SELECTs, these included but not entered."""
    from sqlglot import exp

    for condition in filter(None, conditions):
        yield from condition.walk(prune=lambda node: isinstance(node, exp.Select))


def parse(query: str) -> "exp.Expr":
    """The tree of one SQLite query.

    Raises:
        QueryError: The query does not parse as SQLite.
    """
    import sqlglot

    try:
        return sqlglot.parse_one(query, dialect="sqlite")
    except sqlglot.errors.SqlglotError as error:
        raise QueryError(f"sqlglot does not parse it ({str(error).splitlines()[0]})", "syntax") from error
