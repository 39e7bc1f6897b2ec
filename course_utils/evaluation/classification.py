"""How well rows are put into classes: accuracy, macro-F1 and the classes one by one, with intervals.

The plain counting is the task's (``course_utils.tasks``); here is how sure it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from course_utils.evaluation.confusion import ConfusionMatrix, Estimate, confusion_matrix
from course_utils.evaluation.intervals import Proportion, wilson_interval
from course_utils.tables import Table
from course_utils.tasks import ClassScore, class_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassificationScores:
    """One model's classes for one set of rows; never empty. Build it with ``score_classes``."""

    name: str
    gold: tuple[str, ...] = field(repr=False)
    predicted: tuple[str | None, ...] = field(repr=False)
    confusion: ConfusionMatrix = field(repr=False)

    @property
    def n(self) -> int:
        """Rows scored."""
        return len(self.gold)

    @cached_property
    def correct(self) -> tuple[bool, ...]:
        """Whether each row is right, in the rows' order."""
        return tuple(right == found for right, found in zip(self.gold, self.predicted, strict=True))

    @cached_property
    def accuracy(self) -> Proportion:
        """The share of rows in their right class; higher is better."""
        return wilson_interval(sum(self.correct), self.n)

    @cached_property
    def macro_f1(self) -> Estimate:
        """The mean F1 over the classes that occur, 0 to 1, higher is better: a rare class weighs as much as another."""
        return self.confusion.estimate(_macro_f1)

    @cached_property
    def per_class(self) -> tuple[ClassScore, ...]:
        """Counts, precision, recall and F1 of each class."""
        return tuple(class_scores(self.gold, self.predicted, self.confusion.classes))

    @property
    def majority(self) -> str:
        """The most frequent gold class."""
        return Counter(self.gold).most_common(1)[0][0]

    @cached_property
    def baseline(self) -> "ClassificationScores":
        """The scores of always answering ``majority``: what a model must beat to have read anything."""
        return score_classes(
            self.gold, [self.majority] * self.n, self.confusion.classes, name=f"always {self.majority}"
        )

    def summary(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            "n": self.n,
            "accuracy": self.accuracy.value,
            "accuracy_low": self.accuracy.low,
            "accuracy_high": self.accuracy.high,
            "macro_f1": self.macro_f1.value,
            "macro_f1_low": self.macro_f1.low,
            "macro_f1_high": self.macro_f1.high,
            "majority_class": self.majority,
            "majority_accuracy": self.baseline.accuracy.value,
            "majority_macro_f1": self.baseline.macro_f1.value,
            "by_class": {
                score.name: {**asdict(score), "precision": score.precision, "recall": score.recall, "f1": score.f1}
                for score in self.per_class
            },
        }

    def _repr_html_(self) -> str:
        return class_table(self)._repr_html_()


def score_classes(
    gold: Sequence[str], predicted: Sequence[str | None], classes: Sequence[str], *, name: str = "model"
) -> ClassificationScores:
    """Score predicted classes.

    Args:
        gold: The right class of each row.
        predicted: The model's, in the same order; None, or a name that is no class, is wrong.
        classes: The closed set, in the order to show.
        name: What tables and plots call the model.

    Raises:
        DataError: There are no rows, or a gold class is not in the closed set; all are listed.
    """
    return ClassificationScores(name, tuple(gold), tuple(predicted), confusion_matrix(gold, predicted, classes))


def _macro_f1(counts: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Macro-F1 of each table of ``counts``, shape (n_tables, n_classes, n_classes + 1)."""
    import numpy as np

    right = np.diagonal(counts, axis1=1, axis2=2)  # (n_tables, n_classes)
    said_or_true = counts.sum(axis=2) + counts.sum(axis=1)[:, :-1]  # rows of the class plus predictions of it
    f1 = 2 * right / np.maximum(said_or_true, 1)
    means: NDArray[np.float64] = f1.sum(axis=1) / np.maximum((said_or_true > 0).sum(axis=1), 1)
    return means


def class_table(scores: ClassificationScores) -> Table:
    """Precision, recall and F1 of each class, with the whole and the baseline in the caption."""
    rows = tuple(
        (score.name, str(score.n_gold), str(score.n_predicted), *_percents(score.precision, score.recall, score.f1))
        for score in scores.per_class
    )
    caption = (
        f"{scores.name}: accuracy {scores.accuracy}, macro-F1 {scores.macro_f1}; "
        f"{scores.baseline.name}: {scores.baseline.accuracy.value:.1%} ({scores.n} rows)"
    )
    return Table(caption, ("class", "rows", "predicted", "precision", "recall", "F1"), rows, frozenset({"class"}))


def _percents(*shares: float) -> tuple[str, ...]:
    return tuple(f"{share:.0%}" for share in shares)
