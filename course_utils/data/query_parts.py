"""What parts of SQL a dataset's queries use: what no query shows, no model learns, and no test measures."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_utils.data.validation.skeleton import skeleton

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


def plot_query_parts(splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> "Axes":
    """The share of each split's queries that use each part, as bars in percent.

    Args:
        splits: Rows with ``query`` by split.
    """
    import matplotlib.pyplot as plt

    axes: Axes
    figure, axes = plt.subplots(figsize=(8, 4.6))
    height = 0.8 / len(splits)
    for index, (split, rows) in enumerate(splits.items()):
        used = [parts_of(row["query"]) for row in rows]
        shares = [100 * sum(part in parts for parts in used) / max(1, len(used)) for part in PARTS]
        axes.barh([place + index * height for place in range(len(PARTS))], shares, height, label=split)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(PARTS))], list(PARTS))
    axes.invert_yaxis()
    axes.set_xlabel("queries that use it (%)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    return axes
