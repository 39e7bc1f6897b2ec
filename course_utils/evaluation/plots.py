"""Figures of accuracies with their intervals."""

from typing import TYPE_CHECKING

from course_utils.evaluation.scores import ALL, SEEN, UNSEEN, Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_accuracy(*scores: Scores) -> "Axes":
    """Execution accuracy of each model over all rows, seen and unseen databases, with 95 % intervals."""
    present = scores[0].groups()
    return _plot_groups(scores, [name for name in (ALL, SEEN, UNSEEN) if name in present])


def plot_by_difficulty(*scores: Scores) -> "Axes":
    """Execution accuracy of each model by difficulty, with 95 % intervals; all rows where none is named."""
    return _plot_groups(scores, scores[0].difficulties() or [ALL])


def _plot_groups(scores: tuple[Scores, ...], groups: list[str]) -> "Axes":
    import matplotlib.pyplot as plt

    axes: Axes = plt.figure(figsize=(6.4, 3.2), layout="constrained").add_subplot()
    height = 0.8 / len(scores)
    for number, model in enumerate(scores):
        shares = [model.accuracy_by_group()[name] for name in groups]
        below = [share.value - share.low for share in shares]
        above = [share.high - share.value for share in shares]
        places = [index + (number - (len(scores) - 1) / 2) * height for index in range(len(groups))]
        values = [share.value for share in shares]
        axes.barh(places, values, height * 0.9, xerr=[below, above], capsize=3, label=model.name)
    labels = [f"{name} ({len(scores[0].groups()[name])} rows)" for name in groups]
    axes.set_yticks(range(len(groups)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("execution accuracy, with 95 % interval")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(scores), frameon=False)
    return axes
