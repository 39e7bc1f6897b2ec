"""How well a model sorts tickets: both fields, each of them by scikit-learn's metrics, and unreadable replies."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from course_utils.artifacts import Row
from course_utils.errors import DataError
from course_utils.evaluation import Proportion, wilson_interval
from course_utils.tasks import LABELS, PRIORITIES, parse_triage

NO_CLASS = "(no class)"
"""Where a reply names none of the classes, or cannot be read."""
N_RESAMPLES = 999


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % bootstrap interval, by percentiles."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class FieldScores:
    """One field of all tickets: the gold class of each, and the model's, or ``NO_CLASS``."""

    classes: tuple[str, ...]
    gold: tuple[str, ...] = field(repr=False)
    predicted: tuple[str, ...] = field(repr=False)

    @property
    def accuracy(self) -> Proportion:
        """The share of rows in their right class; higher is better."""
        right = sum(wanted == found for wanted, found in zip(self.gold, self.predicted, strict=True))
        return wilson_interval(right, len(self.gold))

    @cached_property
    def macro_f1(self) -> Estimate:
        """The mean F1 over the classes that occur, 0 to 1, higher is better: a rare class weighs as much as another."""
        return _bootstrap(_macro_f1, self.gold, self.predicted)

    @cached_property
    def kappa(self) -> Estimate | None:
        """Quadratic weighted kappa of classes in order, over the rows whose prediction is one; None if none is.

        1 is agreement, 0 is chance. Source: Cohen (1968), Psychological Bulletin 70, 213-220.
        """
        from sklearn.metrics import cohen_kappa_score

        def statistic(gold: Sequence[str], predicted: Sequence[str]) -> float:
            if len({*gold, *predicted}) == 1:
                return 0.0  # all rows in one class on both sides: nothing is shown
            return float(cohen_kappa_score(gold, predicted, labels=list(self.classes), weights="quadratic"))

        read = [pair for pair in zip(self.gold, self.predicted, strict=True) if pair[1] != NO_CLASS]
        return _bootstrap(statistic, *zip(*read, strict=True)) if read else None

    def always_majority(self) -> "FieldScores":
        """The scores of always answering the most frequent gold class."""
        majority = Counter(self.gold).most_common(1)[0][0]
        return FieldScores(self.classes, self.gold, (majority,) * len(self.gold))

    def summary(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        from sklearn.metrics import precision_recall_fscore_support

        names = ("precision", "recall", "f1", "n_gold")
        columns = precision_recall_fscore_support(
            self.gold, self.predicted, labels=list(self.classes), zero_division=0.0
        )
        by_class = {
            label: {name: float(column[at]) for name, column in zip(names, columns, strict=True)}
            for at, label in enumerate(self.classes)
        }
        majority = self.always_majority()
        return {
            **_ends("accuracy", self.accuracy),
            **_ends("macro_f1", self.macro_f1),
            "majority_class": majority.predicted[0],
            "majority_accuracy": majority.accuracy.value,
            "majority_macro_f1": _macro_f1(majority.gold, majority.predicted),
            "by_class": by_class,
        }


@dataclass(frozen=True)
class TriageScores:
    """One model's triage of one set of tickets; unreadable replies are wrong in everything."""

    name: str
    correct: tuple[bool, ...]
    """Label and priority both right, ticket by ticket, for paired tests."""
    valid_json: Proportion
    """The share of replies in which a label and a priority can be read, right or not; higher is better."""
    labels: FieldScores
    priorities: FieldScores

    @property
    def both(self) -> Proportion:
        """The share of tickets with the right label and the right priority; higher is better."""
        return wilson_interval(sum(self.correct), len(self.correct))

    def summary(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        kappa = {"kappa": asdict(self.priorities.kappa)} if self.priorities.kappa else {}
        return {
            "n": self.both.n,
            **_ends("accuracy", self.both),
            **_ends("valid_json", self.valid_json),
            "label": self.labels.summary(),
            "priority": self.priorities.summary() | kappa,
        }


def score_triage(rows: Sequence[Row], *, name: str = "model") -> TriageScores:
    """Score predicted triage.

    Args:
        rows: With ``label``, ``priority`` and ``predicted``, as the task's ``read_reply`` gives it.
        name: What tables and plots call the model.

    Raises:
        DataError: There are no rows, or a gold value is outside the closed sets; all are listed.
    """
    replies = [parse_triage(row["predicted"]) or {} for row in rows]
    labels, priorities = (
        _score_field(key, rows, replies, classes) for key, classes in (("label", LABELS), ("priority", PRIORITIES))
    )
    pairs = zip(labels.gold, labels.predicted, priorities.gold, priorities.predicted, strict=True)
    correct = tuple(label == found and priority == said for label, found, priority, said in pairs)
    return TriageScores(name, correct, wilson_interval(sum(map(bool, replies)), len(rows)), labels, priorities)


def _score_field(
    key: str, rows: Sequence[Row], replies: Sequence[dict[str, str]], classes: tuple[str, ...]
) -> FieldScores:
    if unknown := [f"{row.get('id')}: {key} {row[key]!r}" for row in rows if row[key] not in classes]:
        raise DataError(f"{'; '.join(unknown)}: none of {', '.join(classes)}; correct these rows")
    said = (reply.get(key, NO_CLASS) for reply in replies)
    return FieldScores(classes, tuple(row[key] for row in rows), tuple(x if x in classes else NO_CLASS for x in said))


def _macro_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    from sklearn.metrics import f1_score

    labels = sorted({*gold, *predicted} - {NO_CLASS})
    return float(f1_score(gold, predicted, labels=labels, average="macro", zero_division=0.0))


def _bootstrap(
    statistic: Callable[[Any, Any], float],
    gold: Sequence[str],
    predicted: Sequence[str],
) -> Estimate:
    """Draw rows with replacement. Source: Efron (1979), Annals of Statistics 7, 1-26."""
    import numpy as np

    first, second = np.array(gold), np.array(predicted)
    draws = np.random.default_rng(0).integers(0, len(first), (N_RESAMPLES, len(first)))
    low, high = np.quantile([statistic(first[rows], second[rows]) for rows in draws], [0.025, 0.975])
    return Estimate(statistic(first, second), float(low), float(high))


def _ends(name: str, share: Proportion | Estimate) -> dict[str, float]:
    return {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
