"""Parse and run queries, and judge what comes back: an error, nothing, nothing to see, or far too much."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.artifacts import Row
from course_utils.data.hardness import parse
from course_utils.data.validation.query_forms import clean_query, pattern
from course_utils.errors import CourseError, QueryError
from course_utils.finding import Finding, quoted
from course_utils.sql import QueryResult, quote, read_schema, run_queries, run_query

if TYPE_CHECKING:
    from sqlglot import exp

QUERY_CHECKS = ("syntax", "execution", "empty-result", "constant-result", "enormous-result")
MAX_SENSIBLE_ROWS = 1_000
"""Nobody reads a longer answer, and comparing it costs more than it tells."""
SHARE_OF_LARGEST = 1.5
"""A join along keys has hardly more rows than the largest table; without its condition it has twice as many."""
MIN_SUSPICIOUS_ROWS = 20
"""Below this, more rows than any table has need no remark."""


@dataclass(frozen=True)
class QueryFacts:
    """What is known of one query on one database after it was parsed and run."""

    unparsed: str = ""
    """Why sqlglot does not parse it; empty if it does."""
    constant: str = ""
    """Why its answer is the same whatever the tables hold; empty if it is not."""
    error: QueryError | None = None
    """Why SQLite does not run it."""
    n_rows: int = 0
    truncated: bool = False
    only_null: bool = False
    """Whether there are rows and no value in them."""


def examine_queries(database: Path, queries: Sequence[str]) -> dict[str, QueryFacts]:
    """Parse and run queries on one database; what goes wrong is among the facts.

    Raises:
        QueryError: The database cannot be opened.
    """
    return {query: _facts(query, result) for query, result in zip(queries, run_queries(database, queries), strict=True)}


def _facts(query: str, result: QueryResult | QueryError) -> QueryFacts:
    unparsed, constant = _read(pattern(query))
    if unparsed:
        unparsed, constant = _read(query)  # the evidence must quote the query itself
    if isinstance(result, QueryError):
        return QueryFacts(unparsed, constant, result)
    only_null = bool(result.rows) and all(value is None for row in result.rows for value in row)
    return QueryFacts(unparsed, constant, None, len(result.rows), result.truncated, only_null)


@lru_cache(maxsize=20_000)
def _read(query: str) -> tuple[str, str]:
    """``unparsed`` and ``constant`` of ``QueryFacts``; queries that differ in their values alone are read once."""
    try:
        return "", _why_constant(parse(query))
    except QueryError as error:
        return str(error), ""
    except RecursionError:
        return "it is nested too deeply for sqlglot", ""


def _why_constant(tree: "exp.Expr") -> str:
    from sqlglot import exp

    if not isinstance(tree, exp.Query | exp.Values):
        return ""
    if tree.find(exp.Table) is None:
        return "it reads no table"
    selects = getattr(tree, "selects", [])
    if selects and not any(_depends(expression) for expression in selects) and tree.find(exp.SetOperation) is None:
        return "it selects literal values only"
    return ""


def _depends(expression: "exp.Expr") -> bool:
    """Whether an expression of the SELECT list can differ from row to row or table to table."""
    from sqlglot import exp

    return expression.find(exp.Column, exp.Star, exp.AggFunc, exp.Query, exp.Window) is not None


def query_findings(row: Row, facts: QueryFacts, largest: Mapping[str, int]) -> Iterator[Finding]:
    """Everything that is wrong with the query of one row.

    Args:
        row: Its db_id, query and marks; ``answerable: false`` excuses a constant, ``empty: true`` an empty result.
        facts: From ``examine_queries``.
        largest: Rows of the largest table by ``db_id``; without an entry, no result is too large for its database.
    """
    if error := facts.error:
        if facts.unparsed or error.kind == "syntax":
            yield Finding("syntax", "error", f'"query" does not parse ({error})', "correct the SQL or remove the row")
        else:
            reason = f'"query" does not run on {row["db_id"]} ({error})'
            yield Finding("execution", "error", reason, "correct the SQL or remove the row")
        return
    if facts.unparsed:  # SQLite has the last word, being what runs it
        fix = "SQLite runs it; its difficulty and skeleton stay unknown, so write it more plainly if you can"
        yield Finding("syntax", "note", f"the query runs, but {facts.unparsed}", fix)
    if row.get("answerable") is False:
        return
    if facts.constant:
        reason = f"the result is constant: {facts.constant} ({quoted(clean_query(row['query']))})"
        yield Finding("constant-result", "warning", reason, "ask the tables, or mark the row answerable: false")
    yield from _empty(row, facts)
    yield from _enormous(row["db_id"], facts, largest)


def _empty(row: Row, facts: QueryFacts) -> Iterator[Finding]:
    is_empty, is_marked = facts.n_rows == 0 or facts.only_null, row.get("empty") is True
    if is_marked and not is_empty:
        reason = f'the row is marked "empty", but its result has {facts.n_rows} rows'
        yield Finding("empty-result", "warning", reason, "remove the mark or correct the query")
    elif is_empty and not is_marked:
        what = "has nothing but NULL" if facts.n_rows else "is empty, so any query without rows counts as right"
        fix = 'check the values against the database; mark the row "empty": true if nothing is the right answer'
        yield Finding("empty-result", "warning", f"the result {what}", fix)


def _enormous(db_id: str, facts: QueryFacts, largest: Mapping[str, int]) -> Iterator[Finding]:
    n_rows = f"more than {facts.n_rows:,}" if facts.truncated else f"{facts.n_rows:,}"
    limit = largest.get(db_id)
    if limit is not None and facts.n_rows > max(limit * SHARE_OF_LARGEST, MIN_SUSPICIOUS_ROWS):
        reason = f"the result has {n_rows} rows and the largest table of {db_id} only {limit:,}"
        yield Finding("enormous-result", "warning", reason, "look for a join without its condition")
    elif facts.n_rows > MAX_SENSIBLE_ROWS:
        reason = f"the result has {n_rows} rows; more than {MAX_SENSIBLE_ROWS:,} nobody reads"
        yield Finding("enormous-result", "warning", reason, "ask for a part, a count or the first few")


def count_largest(databases: Mapping[str, Path]) -> dict[str, int]:
    """Rows of each database's largest table; one that cannot be read is left out, as its queries have errors."""
    counts = {}
    for db_id, database in databases.items():
        try:
            names = [quote(table.name) for table in read_schema(database).tables]
            rows = [run_query(database, f"SELECT COUNT(*) FROM {name}").rows for name in names]
        except CourseError:
            continue
        counts[db_id] = max((int(str(of_table[0][0])) for of_table in rows), default=0)
    return counts
