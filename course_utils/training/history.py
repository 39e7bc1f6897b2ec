"""What a training run leaves to look at: losses by step and speed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of ``train_sft``.

    ``history`` holds one record a logging step, with ``step``, ``epoch`` and either ``loss`` and
    ``learning_rate`` (training) or ``eval_loss`` (validation). Losses are mean cross-entropy in nats
    per token with a label; lower is better.
    """

    adapter: Path = field(repr=False)
    history: list[dict[str, float]] = field(repr=False)
    n_steps: int
    n_examples: int
    """Rows seen, epochs counted."""
    n_tokens: int
    """Tokens of the rows seen, epochs counted, padding not. A schema that several rows share counts for each of them,
    so that speeds with and without ``share_prompts`` compare."""
    seconds: float
    """Wall-clock time of training with its evaluations."""

    @property
    def final_validation_loss(self) -> float:
        """The last validation loss."""
        return next(record["eval_loss"] for record in reversed(self.history) if "eval_loss" in record)

    def results(self) -> dict[str, Any]:
        """Numbers for the manifest."""
        return {
            "n_steps": self.n_steps,
            "train_examples_per_s": round(self.n_examples / self.seconds, 2),
            "train_tokens_per_s": round(self.n_tokens / self.seconds, 1),
            "final_validation_loss": round(self.final_validation_loss, 4),
        }

    def _repr_html_(self) -> str:
        rows = {"steps": self.n_steps, "seconds": round(self.seconds)} | self.results()
        return f"<table>{''.join(f'<tr><th>{name}</th><td>{value}</td></tr>' for name, value in rows.items())}</table>"


def plot_losses(*results: TrainingResult, labels: tuple[str, ...] = ("",)) -> "Axes":
    """Training loss as a line and validation loss as dots, by step, for one run or several.

    Args:
        results: Runs to compare.
        labels: A name for each run, in the same order.

    Returns:
        The axes, with a logarithmic loss axis.
    """
    from matplotlib import pyplot

    axes: Axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")[1]
    for color, result, label in zip(("C0", "C3", "C2"), results, labels, strict=False):
        for key, style, kind in (("loss", "-", "training"), ("eval_loss", "o", "validation")):
            points = [(record["step"], record[key]) for record in result.history if key in record]
            axes.plot(*zip(*points, strict=True), style, color=color, label=f"{label} {kind}".strip(), alpha=0.8)
    axes.set(xlabel="optimizer step", ylabel="loss (nats per token)", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    return axes
