"""The figures of the setup notebook: one call, one result, one Matplotlib ``Axes``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from course_utils.setup.memory import PARTS, MemoryEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_memory(estimates: Sequence[MemoryEstimate], limits_gb: Sequence[float] = (8, 16, 24)) -> "Axes":
    """Draw what each method's memory is made of, one bar a method.

    Args:
        estimates: One per method.
        limits_gb: Sizes of graphics memory to mark with dashed lines, in GB.
    """
    import matplotlib.pyplot as plt

    axes: Axes = plt.subplots(figsize=(8, 1 + 0.5 * len(estimates)))[1]
    names = [estimate.method for estimate in estimates]
    left = [0.0] * len(estimates)
    for part in PARTS:
        widths = [getattr(estimate, part) for estimate in estimates]
        axes.barh(names, widths, left=left, label=part)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, total in enumerate(left):
        axes.text(
            total + 0.8, place, f"{total:.1f}", va="center", bbox={"facecolor": "white", "linewidth": 0, "pad": 1}
        )
    for limit in limits_gb:
        axes.axvline(limit, color="grey", linestyle="--", linewidth=1)
        axes.text(limit, -0.9, f"{limit:g} GB", ha="center", color="grey")
    axes.invert_yaxis()
    axes.set_xlim(0, max([*left, *limits_gb]) * 1.1)
    axes.set_xlabel("memory for training (GB)")
    axes.legend(ncols=3, loc="lower right", fontsize="small")
    return axes
