"""When two results hold the same rows, where numbers that a rounding error tells apart count as the same."""

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
"""Rows that may all be each other's partners are matched up to this number; sorting pairs nearly all others."""


def same_rows(gold: Sequence[Values], found: Sequence[Values], *, ordered: bool = False) -> bool:
    """Whether two results hold the same rows.

    - As bags: each row as often in one as in the other, in any order unless ``ordered``. With
      ``ordered``, rows that tie under ORDER BY must come in the gold's order too.
    - Columns by position: their order counts, their names do not. This is stricter than Spider's
      test-suite script, which also tries other orders of the columns and strikes out DISTINCT, and
      than BIRD's, which compares sets: there neither the order of rows counts nor how often they come.
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
    if not any(isinstance(value, float) for rows in left for row in rows for value in row):
        return not left[0]  # only a float is the same as what it does not equal
    return all(starmap(_can_be_paired, _groups(*left)))


def _groups(*results: list[Values]) -> list[tuple[list[Values], ...]]:
    """Rows of both results that may be the same: those that have like ranks in each column."""
    width = max((len(row) for rows in results for row in rows), default=0)
    ranks = [_ranks({row[at] for rows in results for row in rows if at < len(row)}) for at in range(width)]
    groups: dict[tuple[int, ...], tuple[list[Values], ...]] = defaultdict(lambda: ([], []))
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


def _can_be_paired(gold: list[Values], found: list[Values]) -> bool:
    """Whether each gold row can have a found row of its own that is the same."""
    if len(gold) != len(found):
        return False
    gold, found = (sorted(rows, key=lambda row: [*filter(_is_number, row)]) for rows in (gold, found))
    if all(map(_same_row, gold, found)):
        return True
    return len(gold) <= MAX_ROWS_TO_MATCH and _have_matching(gold, found)


def _have_matching(gold: list[Values], found: list[Values]) -> bool:
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


def _same_row(left: Values, right: Values) -> bool:
    return len(left) == len(right) and all(map(_same_value, left, right))


def _same_value(left: object, right: object) -> bool:
    if _is_number(left) and _is_number(right) and float in (type(left), type(right)):
        return _is_close(left, right)
    return left == right


def _is_close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
