"""Diagnose a training run from its losses, and plot them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from course_utils.errors import DataError
from course_utils.figures import PALETTE, course_style, new_axes, show_logarithmic
from course_utils.tables import value_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from course_utils.training.sft import TrainingResult

Verdict = Literal["unstable", "overfit", "underfit", "too short", "healthy"]
Points = list[tuple[float, float]]  # (step, loss) pairs in order
LOSS = itemgetter(1)

FIXES: dict[Verdict, str] = {
    "unstable": "divide the learning rate by five to ten",
    "overfit": "stop at this step, or train on more rows",
    "underfit": "multiply the learning rate by ten; if that does not help, raise the rank and look at the labels",
    "too short": "take more steps: more epochs, or more rows",
    "healthy": "keep the settings, and evaluate the model's answers next",
}
CLIMB = 0.25
SPIKE = 2.5
NOISE = 5
RISE = 0.1
MEMORY, GAP = 4, 0.125
LITTLE = 0.25
PACE = 0.2
FEW_STEPS = 30


@dataclass(frozen=True)
class Diagnosis:
    """One verdict on a run, and the step that it is about."""

    verdict: Verdict
    step: int  # where the loss climbs, where validation is at its best or first close to it, or the last step
    evidence: str
    is_last: bool = False  # validation is at its best at the end, so there is nothing to stop

    @property
    def fix(self) -> str:
        """What to change first."""
        return "train on more rows" if self.verdict == "overfit" and self.is_last else FIXES[self.verdict]

    def _repr_html_(self) -> str:
        values = {"verdict": self.verdict, "at step": self.step, "evidence": self.evidence, "what to do": self.fix}
        return value_table(values)._repr_html_()


def diagnose(history: Sequence[Mapping[str, float]]) -> Diagnosis:
    """Say whether a run was unstable, overfit, underfit, too short or healthy; the first verdict that fits is given.

    Losses are compared with the loss at the start, so that the thresholds hold for any task and vocabulary:

    - *unstable*: a loss is not finite; or the running median of the training loss climbs above the lowest loss so far
      by ``CLIMB`` of the start and by ``NOISE`` times the noise of its logarithm; or a single loss is ``SPIKE`` times
      the start, whatever the noise, because in a short run the climb itself looks like noise; or validation ends
      ``CLIMB`` of the start above its best, and training ends above that best too.
    - *overfit*: validation ends ``RISE`` above its best while training ends below that best; a tenth is no noise,
      because the validation rows are always the same. Or validation has settled at ``MEMORY`` times the training loss,
      and ``GAP`` of the start above it: the model knows the rows by heart. (Twice the loss, or a small gap, is common.)
    - *underfit*: validation has fallen by less than ``LITTLE`` of the start.
    - *too short*: in the last third of the way validation still falls at more than ``PACE`` of its mean pace; training
      replaces it if validation was measured at most twice and training more often. The way is the summed learning
      rate, not the steps, because a rate that decays to zero flattens any curve. An exponential decay has a pace of 0.7
      after one time constant, 0.3 after three and 0.15 after four. A falling run of under ``FEW_STEPS`` steps is too
      short, not underfit; nor is it healthy by a training loss alone, which jitters.

    Losses cannot tell a base model that knew the task from one that learns nothing, nor say how many answers are right.

    Args:
        history: As in ``TrainingResult.history``. Without a validation loss at step 0, the first training loss is
            the start; without ``learning_rate``, a constant one is assumed.

    Raises:
        DataError: There is no training loss, or no validation loss after step 0.
    """
    training, validation = _points(history, "loss"), _points(history, "eval_loss")
    if not training or not any(step for step, _ in validation):
        raise DataError("a history needs training losses and validation losses; train with n_evaluations of 1 or more")
    if broken := [step for step, loss in sorted(training + validation) if not math.isfinite(loss)]:
        return Diagnosis("unstable", int(broken[0]), "the loss is NaN or infinite")
    smooth, start, end = _running_median(training), training[0][1], validation[-1][1]
    last, lowest = int(max(training[-1][0], validation[-1][0])), math.inf
    if validation[0][0] == 0:
        start = validation[0][1]  # more exact than the loss of one training batch
        lowest = max(start, training[0][1])  # rows to train on may be harder, which is no climb
    best, learned = min(map(LOSS, validation)), smooth[-1][1]
    both_climbed = (last, best, end) if end > best + CLIMB * start and learned > best else None
    if climb := _find_climb(training, smooth, start, lowest) or both_climbed:
        step, low, high = climb
        climbs = f"the loss climbs from {low:.3g} to {high:.3g}; it began at {start:.3g}"
        return Diagnosis("unstable", int(step), climbs)
    # One or two validation losses after the start are too few for a curve, unless training has no more.
    has_curve = sum(step > 0 for step, _ in validation) >= min(3, len(training))
    pace = _pace(history, validation if has_curve else smooth, start)
    fell = f"validation loss goes from {start:.3g} to {end:.3g}"
    if found := _find_overfit(learned, validation, fell, GAP * start if pace <= PACE else math.inf):
        return found
    if end > start * (1 - LITTLE) and (last >= FEW_STEPS or pace <= PACE):
        return Diagnosis("underfit", last, f"{fell}, {end / start - 1:+.0%} in {last} steps")
    slowly = f"at {pace:.0%} of its mean pace" if pace < 1 else "no slower than before"  # jitter can make it 1330%
    slows = f"{fell}; in the last third of the way it falls {slowly}"
    if pace > PACE or (last < FEW_STEPS and not has_curve):
        few = f"{fell} in {last} steps, too few to say whether it falls on"
        return Diagnosis("too short", last, slows if pace > PACE else few)
    return Diagnosis("healthy", int(min(validation, key=LOSS)[0]), slows)


def _points(history: Sequence[Mapping[str, float]], key: str) -> Points:
    return [(record["step"], record[key]) for record in history if key in record]


def _running_median(points: Points) -> Points:
    """The median of each loss and its neighbours: five losses, three in runs of under 25, fewer at the ends."""
    reach = 2 if len(points) >= 25 else 1
    return [(step, median(map(LOSS, points[max(0, i - reach) : i + reach + 1]))) for i, (step, _) in enumerate(points)]


def _find_climb(training: Points, smooth: Points, start: float, low: float) -> tuple[float, float, float] | None:
    """Where training first spikes or climbs: the step, the loss before, and the loss it reaches; None if nowhere."""
    logs = [math.log(max(loss, 1e-9)) for _, loss in training]
    bends = [abs(before - 2 * here + after) for before, here, after in zip(logs, logs[1:], logs[2:], strict=False)]
    # The median second difference estimates the noise, because a slope does not affect it; for white noise with a
    # standard deviation of 1 it is 1.65.
    noise = math.exp(NOISE * median(bends or [0.0]) / 1.65)
    for (step, loss), (_, middle) in list(zip(training, smooth, strict=True))[1:-1]:
        if loss > SPIKE * start:
            return step, start, loss
        if middle > max(low * noise, low + CLIMB * start):
            return step, low, max(map(LOSS, smooth))
        low = min(low, loss)
    return None


def _find_overfit(learned: float, validation: Points, fell: str, gap: float) -> Diagnosis | None:
    """The verdict *overfit*, if it fits; ``gap`` nats above the last smoothed training loss are too many."""
    (best_step, best), end = min(validation, key=LOSS), validation[-1][1]
    if end > best * (1 + RISE) and learned < best:
        rises = f"validation loss rises from {best:.3g} to {end:.3g}, training does not"
        return Diagnosis("overfit", int(best_step), rises)
    if end > max(MEMORY * learned, learned + gap):
        step = next(step for step, loss in validation if loss <= best * (1 + RISE))
        times = f"{end / max(learned, 1e-9):.0f} times the training loss of {learned:.3g}"
        return Diagnosis("overfit", int(step), f"{fell}, {times}", end == best)
    return None


def _pace(history: Sequence[Mapping[str, float]], points: Points, start: float) -> float:
    """The pace at which a loss falls in the last third of the summed learning rate: 1 is its mean pace, 0 is flat."""
    import numpy as np

    rates = [(record["step"], record.get("learning_rate", 1.0)) for record in history if "loss" in record]
    logged, rate = np.array([(0.0, 0.0), *rates]).T
    summed = np.cumsum(rate * np.diff(logged, prepend=0.0))
    steps, losses = np.array([(0.0, start), *(point for point in points if point[0] > 0)]).T
    way = np.interp(steps, logged, summed)
    then, fall = np.interp(way[-1] * 2 / 3, way, losses), start - losses[-1]
    return max(0.0, float(3 * (then - losses[-1]) / fall)) if fall > 0 else 0.0


@course_style
def plot_losses(*results: "TrainingResult", labels: tuple[str, ...] = ("",)) -> "Axes":
    """Plot training losses as lines and validation losses as dots by step, one label per run, with the diagnoses.

    A vertical line marks the step that each diagnosis is about.
    """
    first = results[0].diagnosis
    ends = (f"{run.diagnosis.verdict}, ends at {run.final_validation_loss:.3g}" for run in results)
    compared = "; ".join(f"{label}: {end}" for label, end in zip(labels, ends, strict=True))
    axes = new_axes(compared if results[1:] else f"{first.verdict.capitalize()}: {first.evidence}", height=3.6)
    for number, (result, label) in enumerate(zip(results, labels, strict=True)):
        colour = PALETTE[number % len(PALETTE)]
        looks = (("loss", ("-", "--", ":")[number % 3], "training"), ("eval_loss", "os^"[number % 3], "validation"))
        for key, look, kind in looks:
            steps, losses = zip(*_points(result.history, key), strict=True)
            axes.plot(steps, losses, look, color=colour, label=f"{label}, {kind}" if label else kind)
        found = result.diagnosis
        axes.axvline(found.step, color=colour, linestyle=(0, (2, 2)))
        place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "color": colour}
        axes.text(found.step, 1.02 + 0.1 * len(axes.texts), f"{found.verdict}, step {found.step}", **place)
    axes.set(xlabel="optimizer step", ylabel="loss (nats per token)")
    axes.locator_params("x", integer=True)
    show_logarithmic(axes)
    axes.figure.legend(loc="outside lower left", ncols=2)  # inside the axes it might cover a curve
    return axes
