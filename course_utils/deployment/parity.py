"""Compare the replies of a converted model with the trained one's, and the size and accuracy of each format."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from course_utils.figures import PALETTE, course_style, new_axes
from course_utils.proportion import Proportion, wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def equal_replies(first: Sequence[str], second: Sequence[str]) -> Proportion:
    """The share of pairs of replies, to the same conversations, that are equal apart from leading and trailing space.

    In [0, 1], higher is better. The interval is wide for few questions: even 100 % does not show that all are equal.

    Raises:
        DataError: There are no replies.
        ValueError: The numbers of replies differ.
    """
    equal = [one.strip() == other.strip() for one, other in zip(first, second, strict=True)]
    return wilson_interval(sum(equal), len(equal))


@course_style
def plot_frontier(forms: Mapping[str, tuple[float, Proportion]]) -> "Axes":
    """Plot size (MiB) and accuracy of each form of a model, and the frontier: the best accuracy up to each size."""
    points = sorted(forms.items(), key=lambda form: (form[1][0], -form[1][1].value))
    line: list[tuple[float, float]] = []
    for _, (mib, right) in points:
        if not line or 100 * right.value > line[-1][1]:
            line.append((mib, 100 * right.value))
    smallest, (_, right) = points[0]
    axes = new_axes(f"{smallest} is the smallest, with {right.value:.0%} of {right.n} answers right")
    axes.step(*zip(*line, (points[-1][1][0], line[-1][1]), strict=True), where="post", color="0.6", label="frontier")
    for (name, (mib, right)), marker, colour in zip(points, cycle("osD^vPX*"), cycle(PALETTE), strict=False):
        ends = [[100 * (right.value - right.low)], [100 * (right.high - right.value)]]
        axes.errorbar(mib, 100 * right.value, ends, fmt=marker, markersize=8, color=colour, capsize=3, label=name)
    axes.set(xlabel="size on disk (MiB)", ylabel="right answers (%),\nwith 95 % interval", xlim=(0, None))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes
