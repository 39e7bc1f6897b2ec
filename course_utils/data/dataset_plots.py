"""Figures of what a dataset is made of: each function takes rows and returns Matplotlib's Axes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import DIFFICULTIES
from course_utils.data.prepare import Prepared
from course_utils.figures import HATCHES, SPLIT_COLOURS, course_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@course_style
def plot_rows(prepared: Prepared) -> "Axes":
    """Rows about each database: the colour stands for the split, the hatching for the difficulty."""
    from matplotlib.patches import Patch

    rows = [row for rows in prepared.splits.values() for row in rows]
    seen = {row["db_id"]: row["seen"] for row in rows}
    names = sorted(seen, key=lambda db_id: (not seen[db_id], db_id))
    n_unseen = len(names) - sum(seen.values())
    title = f"{len(rows):,} rows about {len(names)} databases, {n_unseen} of them unseen in training"
    axes = new_axes(title, height=0.3 * len(names) + 2)
    counts = Counter(
        (split, row["difficulty"], row["db_id"]) for split, rows in prepared.splits.items() for row in rows
    )
    levels = _levels({row["difficulty"] for row in rows})
    left = [0] * len(names)
    for split, colour in SPLIT_COLOURS.items():
        for level, hatch in levels.items():
            _add_bars(axes, names, [counts[split, level, name] for name in names], left, hatch=hatch, color=colour)
    axes.set_yticks(range(len(names)), [name if seen[name] else f"{name} (unseen)" for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("rows")
    of_split = [Patch(facecolor=colour, label=split) for split, colour in SPLIT_COLOURS.items()]
    axes.figure.legend(handles=of_split, loc="outside lower left", ncols=len(of_split))
    of_level = [Patch(fill=False, hatch=hatch, label=level) for level, hatch in levels.items()]
    axes.figure.legend(handles=of_level, loc="outside lower right", ncols=2)
    return axes


@course_style
def plot_difficulty(splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> "Axes":
    """The share of each difficulty in each split, in percent; Spider's levels come first.

    Args:
        splits: Rows with ``difficulty`` by split.
    """
    names = [f"{split} ({len(rows):,})" for split, rows in splits.items()]
    levels = _levels({row["difficulty"] for rows in splits.values() for row in rows})
    shares = {
        level: [100 * sum(row["difficulty"] == level for row in rows) / max(1, len(rows)) for rows in splits.values()]
        for level in levels
    }
    commonest = max(levels, key=lambda level: sum(shares[level]))
    low, high = min(shares[commonest]), max(shares[commonest])
    title = f"The commonest level is {commonest}: {low:.0f} to {high:.0f} % of a split"
    axes = new_axes(title, height=0.5 * len(splits) + 1.8)
    left = [0.0] * len(splits)
    for level, hatch in levels.items():
        _add_bars(axes, names, shares[level], left, label=level, hatch=hatch)
    axes.invert_yaxis()
    axes.set_xlabel("rows (%)")
    axes.figure.legend(loc="outside lower center", ncols=len(levels))
    return axes


def _levels(found: set[str]) -> dict[str, str]:
    """The difficulties that there are, Spider's own first, each with its hatching."""
    levels = [*(level for level in DIFFICULTIES if level in found), *sorted(found - set(DIFFICULTIES))]
    return {level: HATCHES[index % len(HATCHES)] for index, level in enumerate(levels)}


def _add_bars(axes: "Axes", names: Sequence[str], widths: Sequence[float], left: list[Any], **style: Any) -> None:
    """Put bars behind those that end at ``left``, which moves on."""
    axes.barh(names, widths, left=left, edgecolor="black", linewidth=0.5, **style)
    left[:] = [start + width for start, width in zip(left, widths, strict=True)]
