"""The task as one small object: prompt, target, what counts of a reply, and the score.

Its four functions are module-level functions or partials of them, so that a task can be pickled
and sent to worker processes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils.errors import DataError
from course_utils.prompts import Message

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TaskScores:
    """How well predictions do on a task. Intervals and comparisons are the evaluation's business."""

    task: str
    headline: str
    """The metric that counts most; one of ``metrics``."""
    metrics: Mapping[str, float]
    """Shares in 0 to 1, higher is better."""
    correct: tuple[bool, ...]
    """Whether each row is wholly right, in the rows' order; paired tests start from here."""

    @property
    def n(self) -> int:
        """Rows scored."""
        return len(self.correct)

    @property
    def value(self) -> float:
        """The headline metric."""
        return self.metrics[self.headline]


@dataclass(frozen=True)
class Task:
    """What a model is asked and taught, and how its replies are judged."""

    name: str
    to_messages: Callable[[Row], list[Message]]
    """The prompt of a row."""
    to_target: Callable[[Row], str]
    """What the model should reply to it."""
    read_reply: Callable[[str], str]
    """What counts of a reply; goes into the row's ``predicted``."""
    score: Callable[[Sequence[Row]], TaskScores]
    """Judges rows that carry ``predicted``."""


def require_predictions(task: str, rows: Sequence[Row]) -> None:
    """Refuse rows that cannot be scored.

    Raises:
        DataError: There are no rows, or some have no ``predicted`` text; all are listed.
    """
    if not rows:
        raise DataError(f"{task}: no rows to score; give at least one row")
    missing = [str(row.get("id", number)) for number, row in enumerate(rows, 1) if not _has_prediction(row)]
    if missing:
        raise DataError(f'{task}: rows without a "predicted" text: {", ".join(missing)}; let the model answer first')


def _has_prediction(row: Row) -> bool:
    return isinstance(row.get("predicted"), str)
