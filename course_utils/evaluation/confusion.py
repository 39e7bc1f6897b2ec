"""Which class is taken for which: counts, their resampling, and how they look."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from course_utils.errors import DataError
from course_utils.evaluation.intervals import CONFIDENCE
from course_utils.tables import Table

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

NO_CLASS = "(no class)"
"""Where a reply names none of the classes, or cannot be read."""
N_RESAMPLES = 9_999
DARK = 0.5
"""Share from which a cell is so dark that its number is written in white."""


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class ConfusionMatrix:
    """Rows of each gold class by predicted class."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...] = field(repr=False)
    """Shape ``(n_classes, n_classes + 1)``: a line for each gold class, a column for each predicted
    class and a last one for ``NO_CLASS``."""

    @property
    def n(self) -> int:
        """Rows counted."""
        return sum(map(sum, self.counts))

    def confused(self) -> list[tuple[str, str, int]]:
        """Gold class, predicted class and count of each kind of mistake, most frequent first."""
        columns = (*self.classes, NO_CLASS)
        found = [
            (gold, predicted, count)
            for gold, line in zip(self.classes, self.counts, strict=True)
            for predicted, count in zip(columns, line, strict=True)
            if count and gold != predicted
        ]
        return sorted(found, key=lambda item: -item[2])

    def estimate(self, statistic: "Callable[[NDArray[np.float64]], NDArray[np.float64]]", seed: int = 0) -> Estimate:
        """A statistic of the counts with the ends of its 95 % bootstrap interval, by percentiles.

        Drawing rows with replacement and counting them again is drawing the counts from a
        multinomial distribution, which is fast for any number of rows.

        Args:
            statistic: From counts of shape ``(n_tables, n_classes, n_classes + 1)`` to ``(n_tables,)``.
            seed: Of the resampling.

        Source: Efron (1979), Annals of Statistics 7, 1-26.
        """
        import numpy as np

        counts = np.array(self.counts, dtype=float)
        drawn = np.random.default_rng(seed).multinomial(self.n, counts.ravel() / self.n, size=N_RESAMPLES)
        values = statistic(drawn.reshape(N_RESAMPLES, *counts.shape).astype(float))
        low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Estimate(float(statistic(counts[None])[0]), float(low), float(high))

    def _repr_html_(self) -> str:
        rows = tuple(
            (gold, *map(str, line), str(sum(line))) for gold, line in zip(self.classes, self.counts, strict=True)
        )
        return Table(
            "Rows of each gold class (line) by predicted class (column)",
            ("gold", *self.classes, NO_CLASS, "all"),
            rows,
            frozenset({"gold"}),
        )._repr_html_()


def confusion_matrix(gold: Sequence[str], predicted: Sequence[str | None], classes: Sequence[str]) -> ConfusionMatrix:
    """Count gold against predicted classes.

    Args:
        gold: The right class of each row.
        predicted: The model's; None or a name that is no class counts as ``NO_CLASS``.
        classes: The closed set, in the order to show; of a scale, least first.

    Raises:
        DataError: There are no rows, or a gold class is not in the closed set; all are listed.
    """
    if not gold:
        raise DataError("no rows to score; the share of nothing has no value: give at least one row")
    if unknown := sorted(set(gold) - set(classes)):
        raise DataError(f"gold classes outside the closed set: {', '.join(unknown)}; classes: {', '.join(classes)}")
    columns = (*classes, NO_CLASS)
    named = [found if found in classes else NO_CLASS for found in predicted]
    pairs = Counter(zip(gold, named, strict=True))
    counts = tuple(tuple(pairs[right, found] for found in columns) for right in classes)
    return ConfusionMatrix(tuple(classes), counts)


def plot_confusion(matrix: ConfusionMatrix, *, title: str = "") -> "Axes":
    """The confusion matrix: colour shows the share of the gold class, the number counts rows."""
    import matplotlib.pyplot as plt
    import numpy as np

    counts = np.array(matrix.counts)
    n_gold = counts.sum(axis=1)
    shares = counts / np.maximum(n_gold, 1)[:, None]
    columns = [*matrix.classes, NO_CLASS]
    size = (2.4 + 0.62 * len(columns), 1.9 + 0.45 * len(n_gold))
    axes: Axes = plt.figure(figsize=size, layout="constrained").add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for line, column in np.argwhere(counts):
        colour = "white" if shares[line, column] > DARK else "black"
        axes.text(column, line, str(counts[line, column]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(n_gold)), [f"{name} ({n})" for name, n in zip(matrix.classes, n_gold, strict=True)])
    axes.set_xlabel("predicted class")
    axes.set_ylabel("gold class (rows)")
    axes.set_title(title)
    return axes
