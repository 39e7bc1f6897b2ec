"""Compare the rows of two results; numbers that differ only by a rounding error count as equal."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise, starmap
from typing import TypeGuard

Values = tuple[object, ...]
"""One row of a result."""
RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-9
MAX_ROWS_TO_MATCH = 500
"""Most rows of a group that are matched one by one if sorting has not paired them; a larger group counts as unequal."""


def same_rows(gold: Sequence[Values], found: Sequence[Values], *, ordered: bool = False) -> bool:
    """Whether two results hold the same rows.

    - Rows are compared as bags: each row must occur equally often in both results, in any order unless
      ``ordered``. With ``ordered``, rows that tie under ORDER BY must come in the gold's order too.
    - Columns are compared by position; their names do not count. This is stricter than Spider's
      test-suite script, which also tries other orders of the columns and removes DISTINCT, and
      than BIRD's, which compares sets and so ignores the order of rows and how often each occurs.
    - Two integers, two texts (case-sensitive) or two blobs must be equal. If one of two numbers is a
      float, they may differ by 1e-9 of the larger one, or by 1e-9 near zero, so that ``0.1 + 0.2``
      equals ``0.3`` and ``2.0`` equals ``2``. NULL equals only NULL; ``'2'`` does not equal ``2``.

    Source: Zhong, Yu, Klein (2020), Semantic Evaluation for Text-to-SQL with Distilled Test Suites.
    """
    if len(gold) != len(found):
        return False
    if ordered:
        return all(map(_same_row, gold, found))
    gold_bag, found_bag = Counter(gold), Counter(found)
    left = [*(gold_bag - found_bag).elements()], [*(found_bag - gold_bag).elements()]
    # Equal rows are paired first, for speed. In a chain of numbers, each within tolerance of the next alone, they may
    # have to be parted.
    return not left[0] or _match(*left) or _match(gold, found)


def _match(gold: Sequence[Values], found: Sequence[Values]) -> bool:
    """Whether unequal rows can be paired, so that the rows of every pair are the same; it takes a float."""
    has_floats = any(isinstance(value, float) for rows in (gold, found) for row in rows for value in row)
    return has_floats and all(starmap(_can_be_paired, _groups(gold, found)))


def _groups(*results: Sequence[Values]) -> list[tuple[list[Values], ...]]:
    """Group the rows of both results that may be the same: those with equal ranks in every column."""
    width = max((len(row) for rows in results for row in rows), default=0)
    ranks = [_ranks({row[at] for rows in results for row in rows if at < len(row)}) for at in range(width)]
    groups: dict[tuple[int, ...], tuple[list[Values], ...]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate(results):
        for row in rows:
            groups[tuple(ranks[at][value] for at, value in enumerate(row))][side].append(row)
    return [*groups.values()]


def _ranks(values: set[object]) -> dict[object, int]:
    """A rank for each value of one column; if it has floats, a number within tolerance of the last shares its rank."""
    ranks: dict[object, int] = {value: -rank for rank, value in enumerate(values, 1) if not _is_number(value)}
    numbers = sorted(value for value in values if _is_number(value))
    has_floats = any(isinstance(number, float) for number in numbers)
    rank = 0
    for before, number in pairwise([*numbers[:1], *numbers]):
        rank += not (before == number or (has_floats and _is_close(before, number)))
        ranks[number] = rank
    return ranks


def _can_be_paired(gold: list[Values], found: list[Values]) -> bool:
    """Whether gold and found rows can be paired so that the rows of every pair are the same."""
    if len(gold) != len(found):
        return False
    gold, found = (sorted(rows, key=lambda row: [*filter(_is_number, row)]) for rows in (gold, found))
    if all(map(_same_row, gold, found)):
        return True
    return len(gold) <= MAX_ROWS_TO_MATCH and _have_matching(gold, found)


def _have_matching(gold: list[Values], found: list[Values]) -> bool:
    """Whether a perfect matching exists, by Kuhn's algorithm: earlier rows change partners to make room for later."""
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


def _same_row(left: Values, right: Values) -> bool:
    return len(left) == len(right) and all(map(_same_value, left, right))


def _same_value(left: object, right: object) -> bool:
    if _is_number(left) and _is_number(right) and float in (type(left), type(right)):
        return _is_close(left, right)
    return left == right


def _is_close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
