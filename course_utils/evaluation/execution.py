"""Execution match: run the gold and the predicted query, and say whether and how what comes back differs.

It judges the answer, not the text: two queries that return the same are equally right. Which answers are the same is
``course_utils.sql``'s rule; here a difference gets the name that tables count it under.
"""

from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

from course_utils.errors import QueryError, QueryErrorKind
from course_utils.sql import MAX_COMPARED_ROWS, QueryResult, find_difference, run_query

FAILURES: dict[QueryErrorKind, str] = {
    "syntax": "syntax error",
    "no such table": "no such table",
    "no such column": "no such column",
    "not allowed": "not read-only",
    "timeout": "too slow",
    "too large": "too large",
    "other": "other error",
}
"""What tables call a query that fails."""
EMPTY_REPLY = "empty reply"
SWAPPED_COLUMNS = "columns in another order"
MAX_COLUMNS_TO_PERMUTE = 5
MAX_ROWS_TO_PERMUTE = 1_000


@dataclass(frozen=True)
class Verdict:
    """What execution says about one predicted query."""

    correct: bool
    valid: bool
    """It parses and executes."""
    failure: str
    """Class of what went wrong, such as ``"no such column"``; empty when correct."""
    detail: str
    """The database's error, or how the rows differ; empty when correct."""
    gold_is_empty: bool
    """The gold returns no rows, or only NULL: then many wrong queries match it too."""
    truncated: bool
    """A result had more rows than were compared."""


def judge(database: Path, query: str, predicted: str, *, max_rows: int = MAX_COMPARED_ROWS) -> Verdict:
    """Execute the gold ``query`` and ``predicted`` and compare their answers as ``sql.find_difference`` does.

    Raises:
        QueryError: The gold query does not execute; a prediction that does not is a verdict.
    """
    gold = run_query(database, query, max_rows=max_rows)
    is_empty = all(value is None for row in gold.rows for value in row)
    try:
        found = run_query(database, predicted, max_rows=max_rows)
    except QueryError as error:
        failure = FAILURES[error.kind] if predicted.strip() else EMPTY_REPLY
        return Verdict(False, False, failure, str(error), is_empty, gold.truncated)
    failure, detail = _describe(gold, found, query)
    return Verdict(not failure, True, failure, detail, is_empty, gold.truncated or found.truncated)


def _describe(gold: QueryResult, found: QueryResult, query: str) -> tuple[str, str]:
    """Class and description of how two results differ; two empty strings if they do not."""
    difference = find_difference(gold, found, query)
    if difference is None:
        return "", ""
    if difference == "wrong rows" and _are_columns_swapped(gold, found, query):
        return SWAPPED_COLUMNS, "the right columns, not in the order asked for"
    details = {
        "wrong number of columns": f"{_counted(len(found.columns), 'column')} instead of {len(gold.columns)}",
        "wrong number of rows": f"{_count(found)} instead of {_count(gold)}",
        "wrong rows": f"{_count(found)} as expected, with other values",
        "rows in another order": "the right rows, not in the order asked for",
    }
    return difference, details[difference]


def _count(result: QueryResult) -> str:
    counted = _counted(len(result.rows), "row")
    return f"more than {counted}" if result.truncated else counted


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _are_columns_swapped(gold: QueryResult, found: QueryResult, query: str) -> bool:
    width = len(gold.columns)
    if not 1 < width <= MAX_COLUMNS_TO_PERMUTE or len(gold.rows) > MAX_ROWS_TO_PERMUTE:
        return False
    orders = (order for order in permutations(range(width)) if order != tuple(range(width)))
    swapped = (replace(found, rows=[tuple(row[at] for at in order) for row in found.rows]) for order in orders)
    return any(find_difference(gold, result, query) is None for result in swapped)
