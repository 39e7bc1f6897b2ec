"""Figures of a dataset's composition and of what cleaning gains; each function returns Matplotlib Axes."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from course_utils.data.prepare import Prepared
from course_utils.figures import HATCHES, PALETTE, SPLIT_COLOURS, course_style, new_axes
from course_utils.files import DIFFICULTIES
from course_utils.sql.query_forms import skeleton

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
    "missing values": r"IS (NOT )?NULL|ISNULL|NOTNULL|IFNULL|COALESCE|LEFT",
    "dates": r"STRFTIME|DATE|TIME|DATETIME|JULIANDAY|UNIXEPOCH",
    "case": r"CASE",
    "window": r"OVER",
}
"""Regular expressions for the text of ``skeleton``, where no name or value can be mistaken for SQL."""
MAX_DATABASES = 60
"""Bars of a figure at most, because a dataset may have thousands of databases."""


@course_style
def plot_rows(prepared: Prepared) -> "Axes":
    """Plot the rows of each of the ``MAX_DATABASES`` largest databases, by split (colour) and difficulty (hatch)."""
    import pandas as pd
    from matplotlib.patches import Patch

    rows = pd.DataFrame([{"split": split, **row} for split, group in prepared.splits.items() for row in group])
    seen = rows.groupby("db_id")["seen"].any()
    names = sorted(rows["db_id"].value_counts().index[:MAX_DATABASES], key=lambda db_id: (not seen[db_id], db_id))
    title = f"{len(rows):,} rows about {len(seen)} databases, {sum(~seen)} of them unseen in training"
    title += f"; the {MAX_DATABASES} with most rows" if len(seen) > MAX_DATABASES else ""
    axes = new_axes(title, height=0.3 * len(names) + 2)
    counts = pd.crosstab(rows["db_id"], [rows["split"], rows["difficulty"]]).loc[names]
    found = set(rows["difficulty"])
    ordered = [*(level for level in DIFFICULTIES if level in found), *sorted(found - set(DIFFICULTIES))]
    levels = {level: HATCHES[index % len(HATCHES)] for index, level in enumerate(ordered)}
    left = pd.Series(0, names)
    for split, level in filter(counts.columns.__contains__, product(SPLIT_COLOURS, levels)):
        widths, colour, hatch = counts[split, level], SPLIT_COLOURS[split], levels[level]
        axes.barh(names, widths, left=left, color=colour, hatch=hatch, edgecolor="black", linewidth=0.5)
        left += widths
    axes.set_yticks(range(len(names)), [name if seen[name] else f"{name} (unseen)" for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("rows")
    of_split = [Patch(facecolor=colour, label=split) for split, colour in SPLIT_COLOURS.items()]
    axes.figure.legend(handles=of_split, loc="outside lower left", ncols=len(of_split))
    of_level = [Patch(fill=False, hatch=hatch, label=level) for level, hatch in levels.items()]
    axes.figure.legend(handles=of_level, loc="outside lower right", ncols=2)
    return axes


def parts_of(query: str) -> set[str]:
    """The names in ``PARTS`` of the parts that a query uses."""
    text = skeleton(query)
    return {name for name, pattern in PARTS.items() if re.search(rf"(?<![A-Z])(?:{pattern})(?![A-Z])", text)}


@course_style
def plot_query_parts(splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> "Axes":
    """Plot the share of queries in each split that use each of ``PARTS``; unused parts are not learned or measured."""
    import pandas as pd

    shares = pd.DataFrame(index=[*PARTS])
    for split, rows in splits.items():
        used = [parts_of(row["query"]) for row in rows]
        shares[split] = [100 * sum(part in parts for parts in used) / max(1, len(used)) for part in PARTS]
    highest = shares.max(axis="columns")
    rarest = f"Rarest part: {highest.idxmin()}, in at most {highest.min():.1f} % of a split's queries"
    n_unused = sum(highest == 0)
    axes = new_axes(f"Parts that no query uses: {n_unused} of {len(PARTS)}" if n_unused else rarest, height=5.5)
    shares.plot.barh(ax=axes, width=0.8, color=SPLIT_COLOURS)
    for bars, hatch in zip(axes.containers, HATCHES, strict=False):
        for bar in bars:
            bar.set_hatch(hatch)
    axes.invert_yaxis()
    axes.legend()
    axes.set_xlabel("queries that use it (%)")
    return axes


@course_style
def plot_gains(gains: Mapping[str, Sequence[tuple[float, float, float]]]) -> "Axes":
    """Plot cleaning's gain in accuracy by kind of defect; each run is a gain and its 95 % interval's ends, -1 to 1."""
    spans = {kind: (100 * min(runs)[0], 100 * max(runs)[0]) for kind, runs in gains.items()}
    shown = [f"{low:+.0f}{f' to {high:+.0f}' if high > low else ''} ({kind})" for kind, (low, high) in spans.items()]
    axes = new_axes(f"Cleaning gains, in points: {', '.join(shown)}", height=0.6 * len(gains) + 1.8)
    for place, runs in enumerate(gains.values()):
        for number, (gain, low, high) in enumerate(sorted(runs)):
            at = place + 0.2 * (number - (len(runs) - 1) / 2)
            ends = [[100 * (gain - low)], [100 * (high - gain)]]
            axes.errorbar([100 * gain], [at], xerr=ends, fmt="os^D"[place % 4], capsize=3, color=PALETTE[place])
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_yticks(range(len(gains)), list(gains))
    axes.set_ylim(len(gains) - 0.5, -0.5)
    axes.set_xlabel("accuracy after cleaning minus before (points), with 95 % interval")
    return axes
