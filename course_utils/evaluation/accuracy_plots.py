"""Figures of accuracies with their intervals, and of the evidence that two of them differ."""

from typing import TYPE_CHECKING

from course_utils.evaluation.comparison import sequential_evidence
from course_utils.evaluation.scores import Scores
from course_utils.figures import HATCHES, PALETTE, course_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@course_style
def plot_accuracy(*scores: Scores) -> "Axes":
    """Execution accuracy of each model over all rows, seen and unseen databases, with 95 % intervals."""
    groups = scores[0].groups(["seen"])
    shares = [f"{100 * model.accuracy.value:.0f} % for {model.name}" for model in scores]
    title = f"Right answers to {scores[0].n} questions: {', '.join(shares)}"
    axes = new_axes(title, height=max(3.6, 0.34 * len(scores) * len(groups)))
    height = 0.8 / len(scores)
    for number, model in enumerate(scores):
        by_group = model.accuracy_by_group()
        shown = [by_group[name] for name in groups]
        values = [share.value for share in shown]
        ends = [[share.value - share.low for share in shown], [share.high - share.value for share in shown]]
        places = [index + (number - (len(scores) - 1) / 2) * height for index in range(len(groups))]
        hatch = HATCHES[number % len(HATCHES)]
        bars = axes.barh(places, values, height * 0.9, xerr=ends, capsize=3, hatch=hatch, edgecolor="white")
        bars.set_label(model.name)
        # A bar of 0 % has no width: its end and its number show that it is there.
        tops, bottoms = ([bar.get_y() + side * bar.get_height() for bar in bars] for side in (0, 1))
        axes.vlines(values, tops, bottoms, color=bars[0].get_facecolor(), linewidth=3)
        axes.bar_label(bars, [f"{100 * value:.0f}" for value in values], padding=4, fontsize=9)
    axes.set_yticks(range(len(groups)), [f"{name}\n({len(indices)} rows)" for name, indices in groups.items()])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    label = "execution accuracy (% of rows), with 95 % interval"
    axes.set(xlim=(-0.01, 1.06), xticks=[tick / 5 for tick in range(6)], xlabel=label)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


@course_style
def plot_evidence(first: Scores, second: Scores, alpha: float = 0.05) -> "Axes":
    """Evidence that one of two models is better, row by row, with the line at which an A/B test stops."""
    evidence = sequential_evidence(*([x.verdict.correct for x in scores.outcomes] for scores in (first, second)))
    reached = evidence >= 1 / alpha
    end = f"stops after {reached.argmax() + 1} rows" if reached.any() else f"is open after {len(evidence)} rows"
    axes = new_axes(f"A test that may look after every row {end}")
    axes.plot(range(1, len(evidence) + 1), evidence)
    axes.axhline(1 / alpha, color=PALETTE[3], linestyle="--", label=f"decided, with an error of {100 * alpha:g} %")
    axes.set(yscale="log", xlabel="rows answered", ylabel="evidence that one is better")
    axes.legend(loc="best")
    return axes
