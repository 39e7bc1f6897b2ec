"""Explain why a prediction is wrong: compare it with the gold query clause by clause, and show the difference as HTML.

Only the texts are compared, by sqlglot's trees. Queries that differ may still give the same answer: see
``sql.compare``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, get_args

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.scope import traverse_scope

from course_utils.errors import QueryError
from course_utils.evaluation.scores import Outcome
from course_utils.files import Row
from course_utils.finding import printable
from course_utils.sql import QueryLimits, find_database, run_queries
from course_utils.sql.query_forms import parse, tables_read
from course_utils.tables import text_table

Clause = Literal["table", "join", "column", "aggregate", "condition", "value", "order"]
CLAUSES: tuple[Clause, ...] = get_args(Clause)
"""In this order: FROM; JOIN and set operations; SELECT; aggregates, DISTINCT and GROUP BY; WHERE and HAVING without
their constants; these constants; ORDER BY, LIMIT and OFFSET."""
KINDS = ("right", "timeout", "invalid", *CLAUSES, "extra")
"""The results of ``error_kind``."""
N_ROWS = 5
MAX_LENGTH, MAX_DEPTH, MAX_NAMED = 10_000, 100, 20
"""Limits for a query's characters, its tree's depth, and the column names per clause that are resolved to aliases. Only
a model that repeats itself exceeds them, and such a query would take minutes."""


class ClauseMatch(NamedTuple):
    """The parts of one clause that only one of two queries has."""

    missing: tuple[str, ...]
    """Parts that only the gold query has."""
    added: tuple[str, ...]
    """Parts that only the prediction has."""


def compare_clauses(gold: str, predicted: str) -> dict[Clause, ClauseMatch] | None:
    """Compare every clause that either query has, nested queries included.

    None if either is not a single SELECT or exceeds ``MAX_LENGTH`` or ``MAX_DEPTH``.
    Letter case, aliases, the order of parts and the sides of ``=`` do not count. Tables of columns are compared only if
    both queries name the table of every column.

    Source: component matching of Yu et al. (2018), arXiv 1809.08887, with constants apart from their conditions.
    """
    trees = [tree for tree in map(_parse, (gold, predicted)) if tree]
    if len(trees) < 2:
        return None
    qualified = all(column.table for tree in trees for column in tree.find_all(exp.Column))
    try:
        wanted, found = (Counter(_parts(tree, qualified)) for tree in trees)
    except (OptimizeError, AttributeError):  # it parses, but has no meaning: COUNT(* UNION SELECT), LATERAL x .
        return None
    sides = wanted - found, found - wanted
    return {
        clause: ClauseMatch(*(tuple(text for name, text in side.elements() if name == clause) for side in sides))
        for clause in CLAUSES
        if any(name == clause for name, _ in wanted | found)
    }


def component_match(rows: Iterable[Row]) -> dict[Clause, float]:
    """For each clause, the share of predictions in which it equals the gold's, of those where either has the clause.

    0 to 1; higher is more similar in text, though queries with equal clauses may answer differently. A prediction that
    does not parse counts as different in every clause of its gold.
    """
    n_equal, n_present = Counter[Clause](), Counter[Clause]()
    for row in rows:
        clauses = compare_clauses(row["query"], row["predicted"])
        n_present.update([*(clauses or compare_clauses(row["query"], row["query"]) or ())])
        n_equal.update(clause for clause, match in (clauses or {}).items() if not any(match))
    return {clause: n_equal[clause] / n_present[clause] for clause in CLAUSES if n_present[clause]}


def error_kind(outcome: Outcome) -> str:
    """The one of ``KINDS`` that an outcome belongs to, so that the counts add up to all rows.

    ``invalid``: not a single SELECT, or equal to the gold in its clauses but not executable. ``join``: fewer joins than
    the gold. Otherwise the first of ``CLAUSES`` in which a part of the gold is missing; ``extra`` if none is missing
    but parts were added; ``column`` if only the order of parts differs.
    """
    if outcome.verdict.correct:
        return "right"
    if outcome.verdict.failure == "timeout":
        return "timeout"
    clauses = compare_clauses(str(outcome.row["query"]), str(outcome.row["predicted"]))
    if clauses is None:
        return "invalid"
    if not any(map(any, clauses.values())):
        return "column" if outcome.verdict.valid else "invalid"
    if "join" in clauses and len(clauses["join"].missing) > len(clauses["join"].added):
        return "join"
    return next((clause for clause, match in clauses.items() if match.missing), "extra")


def show_error(outcome: Outcome, dataset: Path) -> str:
    """A wrong answer as HTML: the question, the changes from gold to predicted query, and the first rows of both."""
    row, verdict = outcome.row, outcome.verdict
    queries = {"gold": str(row["query"]), "predicted": str(row["predicted"])}
    with TemporaryDirectory() as folder:
        database = find_database(dataset, row["db_id"], Path(folder))
        answers = list(run_queries(database, queries.values(), QueryLimits(max_rows=N_ROWS)))
    shown = [printable(str(answer if isinstance(answer, QueryError) else answer.rows)) for answer in answers]
    caption = f"{verdict.failure}, {verdict.detail}; at most {N_ROWS} rows are shown"
    table = text_table(("query", "returns"), list(zip(queries, shown, strict=True)), caption)
    question = escape(f"{row['db_id']}: {row.get('question', '')}")
    return f"<p>{question}</p><p><code>{mark_changes(*queries.values())}</code></p>{table._repr_html_()}"


def mark_changes(gold: str, predicted: str) -> str:
    """The word-by-word difference as HTML: words of the gold alone in <del>, words of the prediction alone in <ins>."""
    before, after = (re.findall(r"'[^']*'|\w+|\s+|.", text) for text in (gold, predicted))
    marked = []
    for change, a, b, c, d in SequenceMatcher(None, before, after).get_opcodes():
        old, new = escape("".join(before[a:b])), escape("".join(after[c:d]))
        marked.append(old if change == "equal" else f"<del>{old}</del><ins>{new}</ins>")
    return "".join(marked)


def _parse(query: str) -> exp.Expr | None:
    if len(query) > MAX_LENGTH:
        return None
    try:
        tree = parse(query)
        is_deep = any(node.depth > MAX_DEPTH for node in tree.walk())
    except QueryError:
        return None
    return tree if isinstance(tree, exp.Select | exp.SetOperation) and not is_deep else None


def _parts(tree: exp.Expr, qualified: bool) -> Iterator[tuple[Clause, str]]:
    for query in [*tree.find_all(exp.Select, exp.SetOperation)]:
        meant = {each.alias.lower(): each.unalias() for each in query.selects if each.alias}
        for place in filter(None, map(query.args.get, ("group", "having", "order"))):
            for column in [each for each in _inside(place, exp.Column) if not each.text("table")][:MAX_NAMED]:
                name, value = column.name.lower(), meant.get(column.name.lower(), column)
                # SQLite takes a name for a table's column rather than an alias, except as a whole key of ORDER BY.
                is_column = any(each.name.lower() == name for each in value.find_all(exp.Column))
                if isinstance(column.parent, exp.Ordered) or not is_column:
                    column.replace(value.copy())
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            table = source.name if isinstance(source, exp.Table) else column.table
            column.replace(exp.column(column.name.lower(), table.lower() if qualified else None))
    yield from (("table", name) for name in tables_read(tree))
    for query in tree.find_all(exp.Select, exp.SetOperation):
        yield from _clauses(query)


def _clauses(query: exp.Expr) -> Iterator[tuple[Clause, str]]:
    """The parts of one SELECT or set operation, without those of queries nested in it."""
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
    """The nodes of a kind in ``node``, without those of queries nested in it."""
    return [each for each in node.walk(prune=lambda part: isinstance(part, exp.Select)) if isinstance(each, kind)]


def _text(node: exp.Expr, *, constants: bool = True) -> str:
    """A part in one spelling: nested queries as SELECT, sides of ``=`` sorted, constants as ? unless ``constants``."""

    def rewrite(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.EQ):
            left, right = sorted((part.left, part.right), key=str)
            part.set("this", left)
            part.set("expression", right)
        if isinstance(part, exp.Ordered) and not part.args.get("desc"):
            part.set("desc", None)  # ASC is the default
        if isinstance(part, exp.Query):
            return exp.var("SELECT")
        return exp.Placeholder() if isinstance(part, exp.Literal) and not constants else part

    return node.transform(rewrite).sql("sqlite")
