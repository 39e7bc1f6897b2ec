"""Judge what comes back from a query: an error, nothing, nothing to see, or far too much."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from course_utils.artifacts import Row
from course_utils.data.validation.query_forms import clean_query, skeleton
from course_utils.errors import CourseError, QueryError
from course_utils.finding import Finding, quoted
from course_utils.sql import QueryResult, quote, read_schema, run_query

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


def query_findings(row: Row, result: QueryResult | QueryError, largest: Mapping[str, int]) -> Iterator[Finding]:
    """Everything that is wrong with the query of one row.

    Args:
        row: Its db_id, query and marks; ``answerable: false`` excuses a constant, ``empty: true`` an empty result.
        result: What the query gives.
        largest: Rows of the largest table by ``db_id`` (``count_largest``).
    """
    if isinstance(result, QueryError):
        is_syntax = result.kind == "syntax"
        what = "does not parse" if is_syntax else f"does not run on {row['db_id']}"
        fix = "correct the SQL or remove the row"
        yield Finding("syntax" if is_syntax else "execution", "error", f'"query" {what} ({result})', fix)
    elif row.get("answerable") is not False:
        yield from _constant(row["query"])
        yield from _empty(row, result)
        yield from _enormous(row["db_id"], result, largest)


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


def _enormous(db_id: str, result: QueryResult, largest: Mapping[str, int]) -> Iterator[Finding]:
    n_rows, n_largest = len(result.rows), largest.get(db_id, MAX_SENSIBLE_ROWS)
    if n_rows > min(MAX_SENSIBLE_ROWS, max(n_largest * SHARE_OF_LARGEST, MIN_SUSPICIOUS_ROWS)):
        counted = f"more than {n_rows:,}" if result.truncated else f"{n_rows:,}"
        reason = f"the result has {counted} rows; the largest table of {db_id} has {n_largest:,}"
        fix = "look for a join without its condition, or ask for a part, a count or the first few"
        yield Finding("enormous-result", "warning", reason, fix)


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
