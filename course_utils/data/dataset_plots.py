"""Figures of the data notebook: each function takes a result and returns Matplotlib's Axes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import DIFFICULTIES
from course_utils.data.prepare import Prepared

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_rows(prepared: Prepared) -> "Axes":
    """Rows per database, by split and difficulty: one bar a database and split."""
    import matplotlib.pyplot as plt

    rows = [row for rows in prepared.splits.values() for row in rows]
    seen = {row["db_id"]: row["seen"] for row in rows}
    names = sorted(seen, key=lambda db_id: (not seen[db_id], db_id))
    others = sorted({row["difficulty"] for row in rows} - set(DIFFICULTIES))
    axes: Axes
    figure, axes = plt.subplots(figsize=(8, 0.3 * len(names) + 1.2))
    left = [0] * len(names)
    kinds = [(split, level) for split in prepared.splits for level in (*DIFFICULTIES, *others)]
    counts = Counter(
        (split, row["difficulty"], row["db_id"]) for split, rows in prepared.splits.items() for row in rows
    )
    for split, level in kinds:
        widths = [counts[split, level, name] for name in names]
        if any(widths):
            axes.barh(names, widths, left=left, label=f"{split}, {level}")
            left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("rows")
    axes.set_yticks(range(len(names)), [name if seen[name] else f"{name} (unseen)" for name in names])
    axes.legend(fontsize="small")
    figure.tight_layout()
    return axes


def plot_difficulty(splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> "Axes":
    """The share of each difficulty in each split, in percent; Spider's levels come first.

    Args:
        splits: Rows with ``difficulty`` by split.
    """
    import matplotlib.pyplot as plt

    axes: Axes
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(splits) + 0.9))
    found = {row["difficulty"] for rows in splits.values() for row in rows}
    names = [f"{split} ({len(rows):,})" for split, rows in splits.items()]
    left = [0.0] * len(splits)
    for level in [*(level for level in DIFFICULTIES if level in found), *sorted(found - set(DIFFICULTIES))]:
        widths = [100 * sum(row["difficulty"] == level for row in rows) / max(1, len(rows)) for rows in splits.values()]
        axes.barh(names, widths, left=left, label=level)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("rows (%)")
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    return axes
