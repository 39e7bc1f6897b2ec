"""What parts of SQL a dataset's queries use: what no query shows, no model learns, and no test measures."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_utils.data.validation.query_forms import skeleton
from course_utils.figures import HATCHES, SPLIT_COLOURS, course_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {
    "condition": r"WHERE",
    "two tables": r"JOIN",
    "three or more tables": r"JOIN.*JOIN",
    "group": r"GROUP BY",
    "condition on groups": r"HAVING",
    "order": r"ORDER BY",
    "limit": r"LIMIT",
    "distinct": r"DISTINCT",
    "nested query": r"\( ?SELECT",
    "exists": r"EXISTS",
    "set operation": r"UNION|INTERSECT|EXCEPT",
    "missing values": r"IS (NOT )?NULL|COALESCE|LEFT",
    "dates": r"STRFTIME|DATE|JULIANDAY",
    "case": r"CASE",
    "window": r"OVER",
}
"""Regular expressions over ``skeleton``, which has neither names nor values left to mistake for SQL."""


def parts_of(query: str) -> set[str]:
    """The parts that a query uses, by their names in ``PARTS``."""
    text = skeleton(query)
    return {name for name, pattern in PARTS.items() if re.search(rf"(?<![A-Z])(?:{pattern})(?![A-Z])", text)}


@course_style
def plot_query_parts(splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> "Axes":
    """The share of each split's queries that use each part, as bars in percent.

    Args:
        splits: Rows with ``query`` by split.
    """
    shares = {split: _shares(rows) for split, rows in splits.items()}
    rarest = min(PARTS, key=lambda part: max((of_split[part] for of_split in shares.values()), default=0))
    highest = max((of_split[rarest] for of_split in shares.values()), default=0)
    axes = new_axes(f"Rarest part: {rarest}, in at most {highest:.1f} % of a split's queries", height=5.5)
    height = 0.8 / max(1, len(splits))
    for index, (split, of_split) in enumerate(shares.items()):
        places = [place + index * height for place in range(len(PARTS))]
        axes.barh(places, [*of_split.values()], height, label=split, hatch=HATCHES[index], color=SPLIT_COLOURS[split])
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(PARTS))], list(PARTS))
    axes.invert_yaxis()
    axes.set_xlabel("queries that use it (%)")
    axes.legend()
    return axes


def _shares(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    used = [parts_of(row["query"]) for row in rows]
    return {part: 100 * sum(part in parts for parts in used) / max(1, len(used)) for part in PARTS}
