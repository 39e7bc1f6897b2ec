"""What a training run leaves to look at: losses by step and speed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.figures import PALETTE, course_style, new_axes, show_logarithmic
from course_utils.tables import value_table
from course_utils.training.diagnosis import Diagnosis, diagnose

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of ``train_sft``.

    ``history`` holds one record a logging step, with ``step``, ``epoch`` and either ``loss`` and
    ``learning_rate`` (training) or ``eval_loss`` (validation); the first one is the validation loss of the
    base model, at step 0. Losses are mean cross-entropy in nats per token with a label; lower is better.
    """

    adapter: Path = field(repr=False)
    history: list[dict[str, float]] = field(repr=False)
    n_steps: int
    n_examples: int
    """Rows seen by this call, epochs counted; a run that was killed before counts from where it went on."""
    n_tokens: int
    """Tokens of these rows, epochs counted, padding not. A schema that several rows share counts for each of them,
    so that speeds with and without ``share_prompts`` compare."""
    seconds: float
    """Wall-clock time of training with its evaluations, in this call."""
    n_trainable_parameters: int
    kept_step: int | None = None
    """The step whose weights were kept, as the best by validation loss; None for the last."""

    @property
    def final_validation_loss(self) -> float:
        """The validation loss of the weights that were kept."""
        measured = {record["step"]: record["eval_loss"] for record in self.history if "eval_loss" in record}
        return measured[max(measured) if self.kept_step is None else self.kept_step]

    @property
    def diagnosis(self) -> Diagnosis:
        """What the losses say of the run."""
        return diagnose(self.history)

    def results(self) -> dict[str, Any]:
        """Numbers for the manifest."""
        return {
            "n_steps": self.n_steps,
            "train_examples_per_s": round(self.n_examples / self.seconds, 2),
            "train_tokens_per_s": round(self.n_tokens / self.seconds, 1),
            "final_validation_loss": round(self.final_validation_loss, 4),
            "n_trainable_parameters": self.n_trainable_parameters,
        }

    def _repr_html_(self) -> str:
        return value_table({"seconds": round(self.seconds)} | self.results())._repr_html_()


@course_style
def plot_losses(*results: TrainingResult, labels: tuple[str, ...] = ("",)) -> "Axes":
    """Training loss as a line and validation loss as dots, by step, for runs with as many labels, and their diagnoses.

    A vertical line marks the step that a diagnosis is about, unless it is the last one.
    """
    first = results[0].diagnosis
    ends = (f"{run.diagnosis.verdict}, ends at {run.final_validation_loss:.2g}" for run in results)
    compared = "; ".join(f"{label}: {end}" for label, end in zip(labels, ends, strict=True))
    axes = new_axes(compared if results[1:] else f"{first.verdict.capitalize()}: {first.evidence}", height=3.2)
    for number, (result, label) in enumerate(zip(results, labels, strict=True)):
        colour = PALETTE[number % len(PALETTE)]
        looks = (("loss", ("-", "--", ":")[number % 3], "training"), ("eval_loss", "os^"[number % 3], "validation"))
        for key, look, kind in looks:
            points = [(record["step"], record[key]) for record in result.history if key in record]
            axes.plot(*zip(*points, strict=True), look, color=colour, label=f"{label} {kind}".strip())
        found = result.diagnosis
        if found.verdict != "healthy" and found.step != result.n_steps:
            axes.axvline(found.step, color=colour, linestyle=(0, (2, 2)))
            place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "color": colour}
            axes.text(found.step, 1.02 + 0.1 * len(axes.texts), f"{found.verdict}, step {found.step}", **place)
    axes.set(xlabel="optimizer step", ylabel="loss (nats per token)")
    show_logarithmic(axes)
    axes.legend()
    return axes
