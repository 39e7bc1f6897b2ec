"""How far off a model is where classes have an order, such as low < normal < high < urgent."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_utils.errors import DataError
from course_utils.evaluation.confusion import ConfusionMatrix, Estimate
from course_utils.evaluation.intervals import Proportion, wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class OrdinalScores:
    """Agreement on a scale, over the rows whose prediction is on the scale."""

    kappa: Estimate
    """Quadratic weighted kappa: 1 is agreement, 0 is chance, below 0 is worse than chance."""
    within_one: Proportion
    """The share of rows at most one step off; higher is better."""
    too_low: Proportion
    """The share of rows placed below their gold class: of priorities, those that would wait too long."""
    n_off_scale: int
    """Rows left out, since their prediction is no class."""

    def __str__(self) -> str:
        return f"quadratic kappa {self.kappa}, within one step {self.within_one}, too low {self.too_low}"


def score_order(confusion: ConfusionMatrix) -> OrdinalScores:
    """Score a confusion matrix whose classes are in order, least first.

    Raises:
        DataError: There are fewer than two classes, or no prediction is on the scale.
    """
    size = len(confusion.classes)
    on_scale = tuple((*line[:size], 0) for line in confusion.counts)
    n = sum(map(sum, on_scale))
    if size < 2 or n == 0:
        raise DataError(f"nothing to order: {size} classes and {n} predictions among them; both must be there")
    cells = [(found - gold, count) for gold, line in enumerate(on_scale) for found, count in enumerate(line)]
    return OrdinalScores(
        ConfusionMatrix(confusion.classes, on_scale).estimate(quadratic_kappa),
        wilson_interval(sum(count for steps, count in cells if abs(steps) <= 1), n),
        wilson_interval(sum(count for steps, count in cells if steps < 0), n),
        confusion.n - n,
    )


def quadratic_kappa(counts: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Cohen's kappa with quadratic weights, of each table of counts.

    With O the counts, E those expected if gold and predicted classes were independent, and
    ``w_ij = (i - j)²``: ``1 - Σ w O / Σ w E``. So two steps off costs four times one step. Where E leaves
    no room for disagreement, all rows being in one class on both sides, it is 0: nothing is shown.

    Args:
        counts: Shape ``(n_tables, n_classes, n_classes + 1)``; the last column is left out.

    Source: Cohen (1968), Psychological Bulletin 70, 213-220.
    """
    import numpy as np

    seen = counts[:, :, :-1]  # (n_tables, n_classes, n_classes)
    places = np.arange(seen.shape[1])
    weights = (places[:, None] - places[None, :]) ** 2
    totals = np.maximum(seen.sum(axis=(1, 2)), 1)[:, None, None]
    expected = seen.sum(axis=2)[:, :, None] * seen.sum(axis=1)[:, None, :] / totals
    disagreement, chance = (weights * seen).sum(axis=(1, 2)), (weights * expected).sum(axis=(1, 2))
    kappas: NDArray[np.float64] = np.where(chance > 0, 1 - disagreement / np.where(chance > 0, chance, 1), 0.0)
    return kappas
