"""When two queries give the same answer: the same bag of rows, in order only where an order was asked for.

It compares what comes back and not the texts. Evaluation scores with it, and the data room proves with it that a
wrong query is wrong.
"""

import math
from collections import Counter
from pathlib import Path

from course_utils.sql.run import run_query

Row = tuple[object, ...]
RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-9


def same_answer(database: Path, query: str, other: str) -> bool:
    """Whether two queries return the same rows, in the same order if ``query`` has a top-level ORDER BY.

    The number of columns counts too, so that two empty results of different widths differ.

    Raises:
        QueryError: One of the queries does not execute.
    """
    gold, found = run_query(database, query), run_query(database, other)
    if len(gold.columns) != len(found.columns) or gold.truncated != found.truncated:
        return False
    return same_rows(gold.rows, found.rows, ordered=has_top_level_order(query))


def has_top_level_order(query: str) -> bool:
    """Whether the outermost query asks for an order; one inside a subquery does not count.

    A query that sqlglot cannot parse counts as having none.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        expression = sqlglot.parse_one(query, read="sqlite")
    except SqlglotError:
        return False
    return expression.args.get("order") is not None


def same_rows(gold: list[Row], found: list[Row], *, ordered: bool = False) -> bool:
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
        gold = sorted((gold_bag - found_bag).elements(), key=_sort_key)
        found = sorted((found_bag - gold_bag).elements(), key=_sort_key)
    return all(_same_row(left, right) for left, right in zip(gold, found, strict=True))


def _same_row(left: Row, right: Row) -> bool:
    return len(left) == len(right) and all(map(_same_value, left, right))


def _same_value(left: object, right: object) -> bool:
    if isinstance(left, float | int) and isinstance(right, float | int) and float in (type(left), type(right)):
        return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
    return left == right


def _sort_key(row: Row) -> list[tuple[int, object]]:
    """Everything else before numbers, and numbers coarsely, so that rows a hair apart sort alike."""
    others = [_rank(value) for value in row if not isinstance(value, float | int)]
    places = str([index for index, value in enumerate(row) if isinstance(value, float | int)])
    numbers = [(4, float(f"{round(value, 8):.6g}")) for value in row if isinstance(value, float | int)]
    return [*others, (3, places), *numbers]


def _rank(value: object) -> tuple[int, object]:
    """Values of one rank can be compared with each other."""
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, str) else (2, value)
