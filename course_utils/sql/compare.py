"""When two queries give the same answer: the one rule, for evaluation, validation, feedback and the makers of data.

It compares what comes back and not the texts, so it does not see a query that is right by luck on this one database.
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeGuard

from course_utils.sql.run import QueryResult, run_query

MAX_COMPARED_ROWS = 100_000
"""Rows of a result that ``same_answer`` and the evaluation fetch; beyond, only these are compared, in their order."""
RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-9

Difference = Literal["wrong number of columns", "wrong number of rows", "wrong rows", "rows in another order"]


def same_answer(database: Path, gold: str, other: str) -> bool:
    """Whether two queries give the same answer, as ``find_difference`` says.

    Raises:
        QueryError: One of the queries does not execute.
    """
    wanted, found = (run_query(database, query, max_rows=MAX_COMPARED_ROWS) for query in (gold, other))
    return find_difference(wanted, found, gold) is None


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
    if not same_rows(gold.rows, found.rows):
        return "wrong rows"
    return "rows in another order" if gold.truncated or has_top_level_order(query) else None


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
    if not ordered:
        gold_bag, found_bag = Counter(gold), Counter(found)
        gold, found = _aligned([*(gold_bag - found_bag).elements()], [*(found_bag - gold_bag).elements()])
    return all(map(_same_row, gold, found))


def _aligned(*results: list[tuple[object, ...]]) -> list[list[tuple[object, ...]]]:
    """Both results sorted so that rows a hair apart lie at the same place.

    Sorting by the numbers alone would let a hair's breadth in one column decide over the next column. So numbers
    that are the same up to the tolerance share a rank, and the exact numbers decide only between rows of like ranks.
    """
    width = max((len(row) for rows in results for row in rows), default=0)
    ranks = [_ranks([row[at] for rows in results for row in rows if at < len(row)]) for at in range(width)]

    def key(row: tuple[object, ...]) -> tuple[object, ...]:
        return (*(ranks[at][value] for at, value in enumerate(row)), *(value for value in row if _is_number(value)))

    return [sorted(rows, key=key) for rows in results]


def _ranks(values: list[object]) -> dict[object, int]:
    """A rank for each value of one column; numbers next to each other share it if they are the same."""
    others = {value for value in values if not _is_number(value)}
    ranks: dict[object, int] = {value: -rank for rank, value in enumerate(others, 1)}
    numbers = sorted({value for value in values if _is_number(value)})
    rank = 0
    for before, number in pairwise([*numbers[:1], *numbers]):
        rank += not _same_value(before, number)
        ranks[number] = rank
    return ranks


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float)


def _same_row(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    return len(left) == len(right) and all(map(_same_value, left, right))


def _same_value(left: object, right: object) -> bool:
    if _is_number(left) and _is_number(right) and float in (type(left), type(right)):
        return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
    return left == right
