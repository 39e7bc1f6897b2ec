"""Why a prediction is wrong: where it parts from its gold, clause by clause, by sqlglot's trees, and as a page.

It compares what is written, not what comes back: queries that part may give the same answer, and one rule says when.
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
from course_utils.sql.query_forms import parse
from course_utils.tables import text_table

Clause = Literal["table", "join", "column", "aggregate", "condition", "value", "order"]
CLAUSES: tuple[Clause, ...] = get_args(Clause)
"""As a query is put together: FROM, JOIN and set operations, SELECT, aggregates with DISTINCT and GROUP BY, WHERE and
HAVING without their constants, these constants, ORDER BY with LIMIT."""
KINDS = ("right", "timeout", "invalid", *CLAUSES, "extra")
N_ROWS = 5
MAX_LENGTH, MAX_DEPTH, MAX_NAMED = 10_000, 100, 20
"""Letters of a query, levels of its tree, and names in a clause that are looked up among its columns: more come from a
model that repeats itself, and would take minutes."""


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
    try:
        wanted, found = (Counter(_parts(tree, qualified)) for tree in trees)
    except (OptimizeError, AttributeError):  # it parses and has no meaning: COUNT(* UNION SELECT), LATERAL x .
        return None
    sides = wanted - found, found - wanted
    return {
        clause: ClauseMatch(*(tuple(text for name, text in side.elements() if name == clause) for side in sides))
        for clause in CLAUSES
        if any(name == clause for name, _ in wanted | found)
    }


def component_match(rows: Iterable[Row]) -> dict[Clause, float]:
    """Of the predictions that have a clause, or whose gold has it, the share in which both have the same of it.

    What does not parse has no clause in common with its gold. 0 to 1, higher is more alike, as likeness of text goes:
    equal parts may still stand in queries that answer differently.
    """
    n_equal, n_present = Counter[Clause](), Counter[Clause]()
    for row in rows:
        clauses = compare_clauses(row["query"], row["predicted"])
        n_present.update([*(clauses or compare_clauses(row["query"], row["query"]) or ())])
        n_equal.update(clause for clause, match in (clauses or {}).items() if not any(match))
    return {clause: n_equal[clause] / n_present[clause] for clause in CLAUSES if n_present[clause]}


def error_kind(outcome: Outcome) -> str:
    """One of ``KINDS``, so that their counts add up to all rows.

    ``invalid`` is no query at all. ``extra`` has all that the gold has, and more. Any other wrong query, whether it
    runs or not, goes by ``join`` if it has too few of them, by the first of the ``CLAUSES`` that lacks something, or by
    ``column`` if nothing differs but their order.
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
    """A wrong answer as HTML: the question, what the prediction changes in the gold, and the first rows of both."""
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
    """One text as HTML, word by word: what only the gold has struck out, what only the prediction has underlined."""
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
                # SQLite takes a table's column before what is called so, but where it is all of a key of ORDER BY.
                is_column = any(each.name.lower() == name for each in value.find_all(exp.Column))
                if isinstance(column.parent, exp.Ordered) or not is_column:
                    column.replace(value.copy())
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            table = source.name if isinstance(source, exp.Table) else column.table
            column.replace(exp.column(column.name.lower(), table.lower() if qualified else None))
    named = {each.alias.lower() for each in tree.find_all(exp.CTE)}
    yield from (("table", name) for each in tree.find_all(exp.Table) if (name := each.name.lower()) not in named)
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
        if isinstance(part, exp.Ordered) and not part.args.get("desc"):
            part.set("desc", None)  # ASC says nothing
        if isinstance(part, exp.Query):
            return exp.var("SELECT")
        return exp.Placeholder() if isinstance(part, exp.Literal) and not constants else part

    return node.transform(rewrite).sql("sqlite")
