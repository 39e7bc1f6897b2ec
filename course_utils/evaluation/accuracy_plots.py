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
    axes = new_axes(title)
    height = 0.8 / len(scores)
    for number, model in enumerate(scores):
        shares = [model.accuracy_by_group()[name] for name in groups]
        below = [share.value - share.low for share in shares]
        above = [share.high - share.value for share in shares]
        places = [index + (number - (len(scores) - 1) / 2) * height for index in range(len(groups))]
        values = [share.value for share in shares]
        hatch = HATCHES[number % len(HATCHES)]
        axes.barh(
            places,
            values,
            height * 0.9,
            xerr=[below, above],
            capsize=3,
            label=model.name,
            hatch=hatch,
            edgecolor="white",
        )
    axes.set_yticks(range(len(groups)), [f"{name}\n({len(scores[0].groups()[name])} rows)" for name in groups])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}")
    axes.set_xlabel("execution accuracy (% of rows), with 95 % interval")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes
