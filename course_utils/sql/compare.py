"""When two queries give the same answer: the one rule, for evaluation, validation, feedback and the makers of data.

It compares what comes back, in the worker that runs the queries, and does not see a query that is right by luck.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, permutations
from pathlib import Path
from typing import Literal

from course_utils.errors import QueryError
from course_utils.sql.execute import QueryResult, execute, open_database
from course_utils.sql.row_equality import same_rows
from course_utils.sql.run import TIMEOUT_S, to_query_error
from course_utils.sql.worker import limit_time
from course_utils.sql.worker_pool import WorkerDiedError, run_in_worker

MAX_COMPARED_ROWS = 100_000
"""Rows of a result that are fetched to be compared; beyond, only these are compared, in their order."""
COMPARE_S = 10.0
MAX_COLUMNS_TO_PERMUTE = 5
MAX_ROWS_TO_PERMUTE = 1_000
MAX_ORDERS_TO_TRY = 10

Difference = Literal[
    "wrong number of columns", "wrong number of rows", "wrong rows", "rows in another order", "columns in another order"
]


@dataclass(frozen=True)
class ResultShape:
    """What is left of a result once it has been compared."""

    n_columns: int
    n_rows: int
    truncated: bool
    is_empty: bool
    """There are no rows, or only NULL: then many wrong queries match it too."""


@dataclass(frozen=True)
class AnswerComparison:
    """How the answers of two queries differ."""

    gold: ResultShape
    found: ResultShape | QueryError
    """The error if the other query does not execute."""
    difference: Difference | None
    """None if the answers are the same, or there is only one."""


def same_answer(database: Path, gold: str, other: str) -> bool:
    """Whether two queries give the same answer, as ``find_difference`` says; raises QueryError if one does not run."""
    comparison = compare_answers(database, gold, other)
    if isinstance(comparison.found, QueryError):
        raise comparison.found
    return comparison.difference is None


def compare_answers(database: Path, gold: str, other: str, *, max_rows: int = MAX_COMPARED_ROWS) -> AnswerComparison:
    """Run two queries and say how their answers differ, as ``find_difference`` does, by ``max_rows`` of each.

    Raises:
        QueryError: The gold query does not execute, or the answers take too long to compare.
    """
    steps: list[AnswerComparison] = []
    try:
        for step in run_in_worker(_compare, database.absolute(), gold, other, max_rows):
            steps.append(step)
    except (WorkerDiedError, MemoryError) as error:
        failure = to_query_error(error, TIMEOUT_S)
        if not steps:
            raise failure from error
        return replace(steps[0], found=failure)
    return steps[-1]


def _compare(database: Path, gold: str, other: str, max_rows: int) -> Iterator[AnswerComparison]:
    """What is known once the gold query has run, then the whole."""
    connection = open_database(database)
    wanted = execute(connection, gold, TIMEOUT_S, max_rows)
    begun = AnswerComparison(_shape_of(wanted), QueryError("the query has not run"), None)
    yield begun
    try:
        found = execute(connection, other, TIMEOUT_S, max_rows)
    except QueryError as error:
        yield replace(begun, found=error)
        return
    limit_time(COMPARE_S)
    yield replace(begun, found=_shape_of(found), difference=find_difference(wanted, found, gold))


def _shape_of(result: QueryResult) -> ResultShape:
    is_empty = all(value is None for row in result.rows for value in row)
    return ResultShape(len(result.columns), len(result.rows), result.truncated, is_empty)


def find_difference(gold: QueryResult, found: QueryResult, query: str) -> Difference | None:
    """How ``found`` differs from the answer to the gold ``query``; None if it is the same answer.

    Same are results of as many columns with the same rows (``same_rows``), in the same order if the gold query has a
    top-level ORDER BY. Of results longer than what was fetched, the fetched rows are compared in the order they came.
    """
    if len(gold.columns) != len(found.columns):
        return "wrong number of columns"
    if gold.truncated != found.truncated or len(gold.rows) != len(found.rows):
        return "wrong number of rows"
    if same_rows(gold.rows, found.rows, ordered=True):
        return None
    is_ordered = gold.truncated or has_top_level_order(query)
    if not same_rows(gold.rows, found.rows):
        return "columns in another order" if _are_columns_swapped(gold.rows, found.rows, is_ordered) else "wrong rows"
    return "rows in another order" if is_ordered else None


def _are_columns_swapped(gold: list[tuple[object, ...]], found: list[tuple[object, ...]], is_ordered: bool) -> bool:
    """Whether the found columns in another order give the gold rows; orders in which a column cannot fit are no use."""
    width = len(gold[0])
    if not 1 < width <= MAX_COLUMNS_TO_PERMUTE or len(gold) > MAX_ROWS_TO_PERMUTE:
        return False
    columns, others = ([[(row[at],) for row in rows] for at in range(width)] for rows in (gold, found))
    fits = {(at, to) for at in range(width) for to in range(width) if same_rows(columns[to], others[at])}
    orders = (order for order in permutations(range(width)) if fits.issuperset(zip(order, range(width), strict=True)))
    return any(
        same_rows(gold, [tuple(row[at] for at in order) for row in found], ordered=is_ordered)
        for order in islice(orders, MAX_ORDERS_TO_TRY)
    )


def has_top_level_order(query: str) -> bool:
    """Whether the outermost query, where sqlglot parses it, asks for an order; one inside a subquery does not count."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        statements = sqlglot.parse(query, dialect="sqlite")
    except (SqlglotError, RecursionError):
        return False
    # A comment or a semicolon behind the query's own semicolon is a statement to sqlglot, empty or not.
    first = next(filter(None, statements), None)
    return first is not None and first.args.get("order") is not None
