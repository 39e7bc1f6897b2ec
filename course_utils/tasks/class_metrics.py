"""Precision, recall and F1 of classes, as plain counting."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassScore:
    """How well one class is recognised; the shares lie in 0 to 1, higher is better."""

    name: str
    n_gold: int
    """Rows that belong to the class."""
    n_predicted: int
    """Rows that were said to belong to it."""
    n_right: int
    """Rows of which both are true."""

    @property
    def precision(self) -> float:
        """``n_right / n_predicted``; 0 where the class was never predicted."""
        return self.n_right / self.n_predicted if self.n_predicted else 0.0

    @property
    def recall(self) -> float:
        """``n_right / n_gold``; 0 where no row belongs to the class."""
        return self.n_right / self.n_gold if self.n_gold else 0.0

    @property
    def f1(self) -> float:
        """``2 n_right / (n_gold + n_predicted)``, the harmonic mean of precision and recall."""
        return 2 * self.n_right / max(1, self.n_gold + self.n_predicted)


def class_scores(gold: Sequence[str], predicted: Sequence[str | None], classes: Sequence[str]) -> list[ClassScore]:
    """Counts of every class, in the order of ``classes``.

    Args:
        gold: The right class of each row.
        predicted: The model's; None, or a name that is no class, is a miss for the gold class and
            counts for no other.
        classes: The closed set.
    """
    n_gold, n_predicted = Counter(gold), Counter(predicted)
    n_right = Counter(right for right, found in zip(gold, predicted, strict=True) if right == found)
    return [ClassScore(name, n_gold[name], n_predicted[name], n_right[name]) for name in classes]


def macro_f1(scores: Sequence[ClassScore]) -> float:
    """The mean F1 over classes that occur in gold or predictions, so that rare classes weigh as much as others.

    0 to 1, higher is better; 0 where no class occurs.
    """
    occurring = [score for score in scores if score.n_gold or score.n_predicted]
    return sum(score.f1 for score in occurring) / max(1, len(occurring))
