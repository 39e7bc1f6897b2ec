"""The number of questions of each shape: shares by difficulty first, then by the shapes' weights."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from math import ceil
from random import Random
from string import Formatter
from typing import TypeVar

from course_utils.files import DIFFICULTIES
from course_utils.sql.query_forms import hardness
from tools.dataset.shapes import Shape

K = TypeVar("K")
LEVEL_SHARES = {"easy": 0.29, "medium": 0.33, "hard": 0.20, "extra": 0.18}
PLAIN = frozenset(
    """count_all count_text count_number count_text_number count_distinct list_one list_two distinct order_by top_k
    top_k_label superlative superlative_label filter_text filter_text_label filter_text_two lookup filter_number
    filter_number_label between filter_and filter_or filter_not contains is_null filter_order aggregate aggregate_text
    minimum_maximum group_count group_aggregate having join_filter join_count""".split()
)
"""The shapes that name their columns and need no more than two tables."""
_SQL = {
    **dict.fromkeys(("op", "cop", "side", "m_op", "mean_op", "ref_op"), ">"),
    **dict.fromkeys(("f", "fx", "m_f", "avg", "e_f"), "AVG"),
    **dict.fromkeys(("k", "k2", "m_k", "low_k", "high_k", "j", "few", "size", "ref_size", "mean_k"), "3"),
    **dict.fromkeys(("v", "w", "v3", "q", "q2", "r", "otv", "hv", "hw"), "'x'"),
    **{"sum": "SUM", "dir": "DESC", "down": "DESC", "on": "a.b = c.d"},
}
"""Any filling does: Spider's levels count the parts of a query and not what is in them."""


@cache
def level(shape: Shape) -> str:
    """Spider's difficulty of a shape's queries.

    Raises:
        QueryError: The shape's query does not parse.
    """
    query = ""
    for text, slot, _, _ in Formatter().parse(shape.query):
        name = (slot or "").rpartition(".")[2]
        query += text + _SQL.get(name, name)
    return hardness(query)


def quotas(shapes: Iterable[Shape], n: int, rng: Random, favour_plain: float = 1.0) -> Counter[Shape]:
    """``n`` questions by shape, as near to the shares as whole numbers allow; chance decides on the rests only.

    Shares of a difficulty that no shape has go to the others. ``favour_plain`` multiplies the plain shapes' weights.
    """
    shapes = list(shapes)
    by_level = {name: [shape for shape in shapes if level(shape) == name] for name in DIFFICULTIES}
    shares = apportion({name: LEVEL_SHARES[name] for name in DIFFICULTIES if by_level[name]}, n, rng)
    found: Counter[Shape] = Counter()
    for name, n_level in shares.items():
        weights = {s: s.weight * (favour_plain if s.name in PLAIN else 1.0) for s in by_level[name]}
        found.update(apportion(weights, n_level, rng))
    return found


def apportion(weights: Mapping[K, float], n: int, rng: Random) -> dict[K, int]:
    """Divide ``n`` by weights: each part is its exact share rounded up or down, by systematic sampling.

    Marks lie at ``offset, offset + 1, ...``; a part gets those that fall into its stretch of the line from 0 to ``n``.
    """
    total, offset, end, before = sum(weights.values()), rng.random(), 0.0, 0
    parts: dict[K, int] = {}
    for key, weight in weights.items():
        end += n * weight / total
        marks = min(n, ceil(round(end, 9) - offset))
        parts[key], before = marks - before, marks
    return parts
