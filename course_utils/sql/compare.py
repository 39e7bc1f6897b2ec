"""When two queries give the same answer: the one rule, for evaluation, validation, feedback and the makers of data.

It compares what comes back and not the texts, so it does not see a query that is right by luck on this one database.
The worker that runs the queries compares too, so that rows need not travel.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, permutations, starmap
from pathlib import Path
from typing import Literal, TypeGuard

from course_utils.errors import QueryError
from course_utils.sql.execute import QueryResult, execute, open_database
from course_utils.sql.run import TIMEOUT_S, to_query_error
from course_utils.sql.worker import limit_time
from course_utils.sql.worker_pool import WorkerDiedError, run_in_worker

MAX_COMPARED_ROWS = 100_000
"""Rows of a result that are fetched to be compared; beyond, only these are compared, in their order."""
RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-9
COMPARE_S = 10.0
MAX_COLUMNS_TO_PERMUTE = 5
MAX_ROWS_TO_PERMUTE = 1_000
MAX_ORDERS_TO_TRY = 10
MAX_ROWS_TO_MATCH = 500

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
    """Whether two queries give the same answer, as ``find_difference`` says.

    Raises:
        QueryError: One of the queries does not execute.
    """
    comparison = compare_answers(database, gold, other)
    if isinstance(comparison.found, QueryError):
        raise comparison.found
    return comparison.difference is None


def compare_answers(database: Path, gold: str, other: str, *, max_rows: int = MAX_COMPARED_ROWS) -> AnswerComparison:
    """Run two queries and say how their answers differ, as ``find_difference`` does.

    Args:
        database: A SQLite file.
        gold: The query whose answer is right.
        other: The query to compare.
        max_rows: Rows to fetch of each at most.

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

    Same are results of as many columns with the same rows (see ``same_rows``): in the same order if the gold query
    has a top-level ORDER BY, in any order if not. Of results longer than what was fetched, the fetched rows are
    compared in the order they came, for another order of the whole would give other rows.
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
    """Whether the outermost query asks for an order; one inside a subquery does not count.

    A query that sqlglot cannot parse, or that is nested too deeply for it, counts as having none.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        statements = sqlglot.parse(query, dialect="sqlite")
    except (SqlglotError, RecursionError):
        return False
    # A comment or a semicolon behind the query's own semicolon is a statement to sqlglot, empty or not.
    first = next(filter(None, statements), None)
    return first is not None and first.args.get("order") is not None


def same_rows(
    gold: Sequence[tuple[object, ...]], found: Sequence[tuple[object, ...]], *, ordered: bool = False
) -> bool:
    """Whether two results hold the same rows.

    - As bags: each row as often in one as in the other, in any order unless ``ordered``. With
      ``ordered``, rows that tie under ORDER BY must come in the gold's order too.
    - Columns by position: their order counts, their names do not. This is stricter than Spider's
      test-suite script, which also tries other orders of the columns.
    - Two integers, two texts or two blobs are the same when they are equal; upper and lower case
      differ. Numbers of which one is a float are the same within 1e-9 of the larger one, or within
      1e-9 near zero, so that ``0.1 + 0.2`` is ``0.3`` and ``2.0`` is ``2``. NULL is the same as NULL,
      and as nothing else; ``'2'`` is not ``2``.

    Source: Zhong, Yu, Klein (2020), Semantic Evaluation for Text-to-SQL with Distilled Test Suites.
    """
    if len(gold) != len(found):
        return False
    if ordered:
        return all(map(_same_row, gold, found))
    gold_bag, found_bag = Counter(gold), Counter(found)
    left = [*(gold_bag - found_bag).elements()], [*(found_bag - gold_bag).elements()]
    return all(starmap(_can_be_paired, _groups(*left)))


def _groups(*results: list[tuple[object, ...]]) -> list[tuple[list[tuple[object, ...]], ...]]:
    """Rows of both results that may be the same: those that have like ranks in each column."""
    width = max((len(row) for rows in results for row in rows), default=0)
    ranks = [_ranks({row[at] for rows in results for row in rows if at < len(row)}) for at in range(width)]
    groups: dict[tuple[int, ...], tuple[list[tuple[object, ...]], ...]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate(results):
        for row in rows:
            groups[tuple(ranks[at][value] for at, value in enumerate(row))][side].append(row)
    return [*groups.values()]


def _ranks(values: set[object]) -> dict[object, int]:
    """A rank for each value of one column. Floats share it with numbers a hair apart, and these with the next ones."""
    ranks: dict[object, int] = {value: -rank for rank, value in enumerate(values, 1) if not _is_number(value)}
    numbers = sorted(value for value in values if _is_number(value))
    has_floats = any(isinstance(number, float) for number in numbers)
    rank = 0
    for before, number in pairwise([*numbers[:1], *numbers]):
        rank += not (before == number or (has_floats and _is_close(before, number)))
        ranks[number] = rank
    return ranks


def _can_be_paired(gold: list[tuple[object, ...]], found: list[tuple[object, ...]]) -> bool:
    """Whether each gold row can have a found row of its own that is the same."""
    if len(gold) != len(found):
        return False
    gold, found = (sorted(rows, key=lambda row: [*filter(_is_number, row)]) for rows in (gold, found))
    if all(map(_same_row, gold, found)):
        return True
    return len(gold) <= MAX_ROWS_TO_MATCH and _have_matching(gold, found)


def _have_matching(gold: list[tuple[object, ...]], found: list[tuple[object, ...]]) -> bool:
    """Kuhn's algorithm: give each gold row a partner, moving earlier ones on to another where need be."""
    partners: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for at, other in enumerate(found):
            if at not in tried and _same_row(gold[row], other):
                tried.add(at)
                if at not in partners or place(partners[at], tried):
                    partners[at] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(gold)))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float)


def _same_row(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    return len(left) == len(right) and all(map(_same_value, left, right))


def _same_value(left: object, right: object) -> bool:
    if _is_number(left) and _is_number(right) and float in (type(left), type(right)):
        return _is_close(left, right)
    return left == right


def _is_close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
