"""Where two queries part, clause by clause, read off sqlglot's trees: what error kinds and component match rest on.

It compares what is written, not what comes back: queries that part may give the same answer, and one rule says when.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, get_args

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

Clause = Literal["table", "join", "column", "aggregate", "condition", "value", "order"]
CLAUSES: tuple[Clause, ...] = get_args(Clause)
"""As a query is put together: FROM, JOIN and set operations, SELECT, aggregates with DISTINCT and GROUP BY, WHERE and
HAVING without their constants, these constants, ORDER BY with LIMIT."""


class ClauseMatch(NamedTuple):
    """The parts of one clause that only one of two queries has."""

    missing: tuple[str, ...]
    """Only the gold has them."""
    added: tuple[str, ...]
    """Only the prediction has them."""


def compare_clauses(gold: str, predicted: str) -> dict[Clause, ClauseMatch] | None:
    """Every clause that one of two queries has, nested queries included; None where one is no single query to sqlglot.

    Letter case, aliases, the order of parts and the sides of ``=`` do not count. A column is told by its table too
    where both queries name the table of every column.

    Source: component matching of Yu et al. (2018), arXiv 1809.08887, with constants apart from their conditions.
    """
    trees = [tree for tree in map(_parse, (gold, predicted)) if tree]
    if len(trees) < 2:
        return None
    qualified = all(column.table for tree in trees for column in tree.find_all(exp.Column))
    wanted, found = (Counter(_parts(tree, qualified)) for tree in trees)
    sides = wanted - found, found - wanted
    return {
        clause: ClauseMatch(*(tuple(text for name, text in side.elements() if name == clause) for side in sides))
        for clause in CLAUSES
        if any(name == clause for name, _ in wanted | found)
    }


def component_match(pairs: Iterable[tuple[str, str]]) -> dict[Clause, float]:
    """Of the pairs of gold and prediction in which one has a clause, the share in which both have the same of it.

    What does not parse has no clause in common with its gold. 0 to 1, higher is more alike, as likeness of text goes:
    equal parts may still stand in queries that answer differently.
    """
    n_equal, n_present = Counter[Clause](), Counter[Clause]()
    for gold, predicted in pairs:
        clauses = compare_clauses(gold, predicted)
        n_present.update([*(clauses or compare_clauses(gold, gold) or ())])
        n_equal.update(clause for clause, match in (clauses or {}).items() if not any(match))
    return {clause: n_equal[clause] / n_present[clause] for clause in CLAUSES if n_present[clause]}


def _parse(query: str) -> exp.Expr | None:
    try:
        statements = list(filter(None, sqlglot.parse(query, dialect="sqlite")))
    except (SqlglotError, RecursionError):
        return None
    return statements[0] if len(statements) == 1 and isinstance(statements[0], exp.Select | exp.SetOperation) else None


def _parts(tree: exp.Expr, qualified: bool) -> Iterator[tuple[Clause, str]]:
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            table = source.name if isinstance(source, exp.Table) else column.table
            compared = isinstance(column.parent, exp.Predicate) and column.arg_key in ("expression", "expressions")
            if column.this.args.get("quoted") and not column.table and compared:
                column.replace(
                    exp.Literal.string(column.name)
                )  # "Ben" is a text to SQLite where no column has the name
            else:
                column.replace(exp.column(column.name.lower(), table.lower() if qualified else None))
    yield from (("table", table.name.lower()) for table in tree.find_all(exp.Table))
    for query in tree.find_all(exp.Select, exp.SetOperation):
        yield from _clauses(query)


def _clauses(query: exp.Expr) -> Iterator[tuple[Clause, str]]:
    """The parts of one SELECT, or of what combines several; those nested in it have their own turn."""
    if isinstance(query, exp.SetOperation):
        yield "join", f"{query.key} {query.args.get('distinct')}"
    for join in query.args.get("joins") or ():
        on = _conjuncts(join.args.get("on")) or join.args.get("using") or ()
        kind = {join.side, join.kind} - {"", "INNER", "OUTER"}
        yield "join", " ".join([*kind, *sorted(map(_text, on))])
    for projection in query.args.get("expressions") or ():
        yield "aggregate" if _inside(projection, exp.AggFunc) else "column", _text(projection.unalias())
    if query.args.get("distinct") and isinstance(query, exp.Select):
        yield "aggregate", "DISTINCT"
    for key in query.args["group"].expressions if query.args.get("group") else ():
        yield "aggregate", f"GROUP BY {_text(key)}"
    for place in filter(None, (query.args.get("where"), query.args.get("having"))):
        for condition in _conjuncts(place.this):
            yield "condition", _text(condition, constants=False)
            yield from (("value", literal.sql()) for literal in _inside(condition, exp.Literal))
    yield from (("order", _text(query.args[name])) for name in ("order", "limit", "offset") if query.args.get(name))


def _conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    inside = condition.unnest() if condition else None
    return list(inside.flatten()) if isinstance(inside, exp.And) else [inside] if inside else []


def _inside(node: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """Nodes of a kind that are not in a query nested in ``node``."""
    return [each for each in node.walk(prune=lambda part: isinstance(part, exp.Select)) if isinstance(each, kind)]


def _text(node: exp.Expr, *, constants: bool = True) -> str:
    """One way to write a part: nested queries and, if asked, constants left out, the sides of ``=`` sorted."""

    def rewrite(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.EQ):
            left, right = sorted((part.left, part.right), key=str)
            part.set("this", left)
            part.set("expression", right)
        if isinstance(part, exp.Query):
            return exp.var("SELECT")
        return exp.Placeholder() if isinstance(part, exp.Literal) and not constants else part

    return node.transform(rewrite).sql("sqlite")
