"""Execution match: run the gold and the predicted query and compare what comes back.

It judges the answer, not the text: two queries that return the same are equally right. It does
not see a query that is right by luck on this one database.
"""

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from course_utils.errors import QueryError
from course_utils.evaluation.problems import (
    SWAPPED_COLUMNS,
    WRONG_COLUMN_COUNT,
    WRONG_ORDER,
    WRONG_ROW_COUNT,
    WRONG_ROWS,
    classify_failure,
)
from course_utils.sql import QueryResult, run_query
from course_utils.sql.compare import Row, has_top_level_order, same_rows

__all__ = ["MAX_ROWS", "Verdict", "has_top_level_order", "judge", "same_rows"]
MAX_ROWS = 100_000
MAX_COLUMNS_TO_PERMUTE = 5
MAX_ROWS_TO_PERMUTE = 1_000


@dataclass(frozen=True)
class Verdict:
    """What execution says about one predicted query."""

    correct: bool
    valid: bool
    """It parses and executes."""
    problem: str
    """Class of what went wrong, such as ``"no such column"``; empty when correct."""
    detail: str
    """The database's error, or how the rows differ; empty when correct."""
    gold_is_empty: bool
    """The gold returns no rows, or only NULL: then many wrong queries match it too."""
    truncated: bool
    """A result had more rows than were compared."""


def judge(database: Path, query: str, predicted: str, *, max_rows: int = MAX_ROWS) -> Verdict:
    """Execute the gold ``query`` and ``predicted`` and compare their rows as ``same_rows`` does.

    Rows are compared in order only where the gold has a top-level ORDER BY. Where both results have
    more than ``max_rows`` rows, the first ``max_rows`` are compared, in the order they came.

    Raises:
        QueryError: The gold query does not execute; a prediction that does not is a verdict.
    """
    gold = run_query(database, query, max_rows=max_rows)
    is_empty = all(value is None for row in gold.rows for value in row)
    try:
        found = run_query(database, predicted, max_rows=max_rows)
    except QueryError as error:
        message = str(error).removesuffix(f": {predicted}")
        return Verdict(False, False, classify_failure(message), message, is_empty, gold.truncated)
    ordered = has_top_level_order(query) or (gold.truncated and found.truncated)
    problem, detail = _difference(gold, found, ordered=ordered)
    return Verdict(not problem, True, problem, detail, is_empty, gold.truncated or found.truncated)


def _difference(gold: QueryResult, found: QueryResult, *, ordered: bool) -> tuple[str, str]:
    """Class and description of how two results differ; two empty strings if they do not."""
    if len(found.columns) != len(gold.columns):
        return WRONG_COLUMN_COUNT, f"{_counted(len(found.columns), 'column')} instead of {len(gold.columns)}"
    if gold.truncated != found.truncated or len(gold.rows) != len(found.rows):
        return WRONG_ROW_COUNT, f"{_count(found)} instead of {_count(gold)}"
    if same_rows(gold.rows, found.rows, ordered=ordered):
        return "", ""
    if ordered and same_rows(gold.rows, found.rows, ordered=False):
        return WRONG_ORDER, "the right rows, not in the order asked for"
    if _are_columns_swapped(gold.rows, found.rows, ordered=ordered):
        return SWAPPED_COLUMNS, "the right columns, not in the order asked for"
    return WRONG_ROWS, f"{_count(found)} as expected, with other values"


def _count(result: QueryResult) -> str:
    counted = _counted(len(result.rows), "row")
    return f"more than {counted}" if result.truncated else counted


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _are_columns_swapped(gold: list[Row], found: list[Row], *, ordered: bool) -> bool:
    width = len(gold[0]) if gold else 0
    if not 1 < width <= MAX_COLUMNS_TO_PERMUTE or len(gold) > MAX_ROWS_TO_PERMUTE:
        return False
    orders = [order for order in permutations(range(width)) if order != tuple(range(width))]
    return any(
        same_rows(gold, [tuple(row[column] for column in order) for row in found], ordered=ordered) for order in orders
    )
