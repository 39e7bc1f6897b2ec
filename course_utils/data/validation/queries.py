"""Judge what comes back from a query: an error, nothing, nothing to see, or far too much."""

import re
from collections.abc import Iterator
from pathlib import Path

from course_utils.artifacts import Row
from course_utils.data.validation.query_forms import clean_query, skeleton
from course_utils.errors import QueryError
from course_utils.finding import Finding, quoted
from course_utils.sql import QueryResult, quote, read_schema, run_queries

MAX_SENSIBLE_ROWS = 1_000
"""Nobody reads a longer answer, and comparing it costs more than it tells."""
SHARE_OF_LARGEST = 1.5
"""A join along keys has hardly more rows than the largest table; without its condition it has twice as many."""
MIN_SUSPICIOUS_ROWS = 20
"""Below this, more rows than any table has need no remark."""
_SELECTS_VALUES = re.compile(
    r"SELECT (?:DISTINCT )?[(\- ]*\?(?:[ )]*[,+\-/*|]+[(\- ]*\?)*[ )]* FROM (?!.*(?:UNION|EXCEPT|INTERSECT))"
)
"""A skeleton whose SELECT list has values and operators only; what is combined with another SELECT may still vary."""


def query_findings(row: Row, result: QueryResult | QueryError, n_largest: int) -> Iterator[Finding]:
    """Everything that is wrong with the query of one row, whose result is given.

    ``answerable: false`` in the row excuses a constant, ``empty: true`` an empty result; ``n_largest`` are the rows of
    the database's largest table (``count_largest``).
    """
    if isinstance(result, QueryError):
        is_syntax = result.kind == "syntax"
        what = "does not parse" if is_syntax else f"does not run on {row['db_id']}"
        fix = "correct the SQL or remove the row"
        yield Finding("syntax" if is_syntax else "execution", "error", f'"query" {what} ({result})', fix)
    elif row.get("answerable") is not False:
        yield from _constant(row["query"])
        yield from _empty(row, result)
        yield from _enormous(row["db_id"], result, n_largest)


def _constant(query: str) -> Iterator[Finding]:
    shape = skeleton(query)
    why = "reads no table" if "FROM" not in shape.split() else "selects values only"
    if why == "reads no table" or _SELECTS_VALUES.match(shape):
        reason = f"the result is constant: the query {why} ({quoted(clean_query(query))})"
        yield Finding("constant-result", "warning", reason, "ask the tables, or mark the row answerable: false")


def _empty(row: Row, result: QueryResult) -> Iterator[Finding]:
    is_empty = all(value is None for values in result.rows for value in values)
    is_marked = row.get("empty") is True
    if is_marked and not is_empty:
        reason = f'the row is marked "empty", but its result has {len(result.rows)} rows'
        yield Finding("empty-result", "warning", reason, "remove the mark or correct the query")
    elif is_empty and not is_marked:
        what = "has nothing but NULL" if result.rows else "is empty, so any query without rows counts as right"
        fix = 'check the values against the database; mark the row "empty": true if nothing is the right answer'
        yield Finding("empty-result", "warning", f"the result {what}", fix)


def _enormous(db_id: str, result: QueryResult, n_largest: int) -> Iterator[Finding]:
    n_rows = len(result.rows)
    if n_rows > min(MAX_SENSIBLE_ROWS, max(n_largest * SHARE_OF_LARGEST, MIN_SUSPICIOUS_ROWS)):
        counted = f"more than {n_rows:,}" if result.truncated else f"{n_rows:,}"
        reason = f"the result has {counted} rows; the largest table of {db_id} has {n_largest:,}"
        fix = "look for a join without its condition, or ask for a part, a count or the first few"
        yield Finding("enormous-result", "warning", reason, fix)


def count_largest(database: Path) -> int:
    """Rows of a database's largest table, of those that can be read."""
    queries = [f"SELECT COUNT(*) FROM {quote(table.name)}" for table in read_schema(database).tables]
    results = [result for result in run_queries(database, queries) if isinstance(result, QueryResult)]
    return max((int(str(result.rows[0][0])) for result in results), default=0)
