"""Figures of accuracies with their intervals."""

from typing import TYPE_CHECKING

from course_utils.evaluation.scores import ALL, SEEN, UNSEEN, Scores
from course_utils.figures import HATCHES, course_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@course_style
def plot_accuracy(*scores: Scores) -> "Axes":
    """Execution accuracy of each model over all rows, seen and unseen databases, with 95 % intervals."""
    present = scores[0].groups()
    shares = [f"{100 * model.accuracy.value:.0f} % for {model.name}" for model in scores]
    title = f"Right answers to {scores[0].n} questions: {', '.join(shares)}"
    return _plot_groups(scores, [name for name in (ALL, SEEN, UNSEEN) if name in present], title)


@course_style
def plot_by_difficulty(*scores: Scores) -> "Axes":
    """Execution accuracy of each model by difficulty, with 95 % intervals; all rows where none is named."""
    groups, last = scores[0].difficulties() or [ALL], scores[-1]
    shares = [f"{100 * last.accuracy_by_group()[name].value:.0f} % of {name}" for name in groups]
    return _plot_groups(scores, groups, f"{last.name} answers {', '.join(shares)} questions right")


def _plot_groups(scores: tuple[Scores, ...], groups: list[str], title: str) -> "Axes":
    axes = new_axes(title, height=max(3.6, 0.34 * len(scores) * len(groups)))
    height = 0.8 / len(scores)
    for number, model in enumerate(scores):
        shares = [model.accuracy_by_group()[name] for name in groups]
        values = [share.value for share in shares]
        ends = [[share.value - share.low for share in shares], [share.high - share.value for share in shares]]
        places = [index + (number - (len(scores) - 1) / 2) * height for index in range(len(groups))]
        hatch = HATCHES[number % len(HATCHES)]
        bars = axes.barh(places, values, height * 0.9, xerr=ends, capsize=3, hatch=hatch, edgecolor="white")
        bars.set_label(model.name)
        # A bar of 0 % has no width: its end and its number show that it is there.
        tops, bottoms = ([bar.get_y() + side * bar.get_height() for bar in bars] for side in (0, 1))
        axes.vlines(values, tops, bottoms, color=bars[0].get_facecolor(), linewidth=3)
        axes.bar_label(bars, [f"{100 * value:.0f}" for value in values], padding=4, fontsize=9)
    axes.set_yticks(range(len(groups)), [f"{name}\n({len(scores[0].groups()[name])} rows)" for name in groups])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(-0.01, 1.06)
    axes.set_xticks([tick / 5 for tick in range(6)])
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}")
    axes.set_xlabel("execution accuracy (% of rows), with 95 % interval")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes
