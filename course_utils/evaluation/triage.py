"""How well a model sorts tickets: both fields, each field, and the replies that could not be read."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from course_utils.evaluation.classification import ClassificationScores, score_classes
from course_utils.evaluation.intervals import Proportion, wilson_interval
from course_utils.evaluation.ordinal import OrdinalScores, score_order
from course_utils.tables import Table
from course_utils.tasks import LABELS, PRIORITIES, Row, parse_triage, ticket_triage


@dataclass(frozen=True)
class TriageScores:
    """One model's triage of one set of tickets; unreadable replies are wrong in everything."""

    name: str
    both: Proportion
    """The share of tickets with the right label and the right priority; higher is better."""
    correct: tuple[bool, ...]
    """The same ticket by ticket, for paired tests."""
    valid_json: Proportion
    """The share of replies in which a label and a priority can be read, right or not; higher is better."""
    labels: ClassificationScores
    priorities: ClassificationScores
    order: OrdinalScores | None
    """Of the priorities; None where no reply has one."""

    def summary(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        shares = {"accuracy": self.both, "valid_json": self.valid_json}
        ends = {f"{key}_{end}": getattr(share, end) for key, share in shares.items() for end in ("low", "high")}
        return {
            "n": self.both.n,
            **{key: share.value for key, share in shares.items()},
            **ends,
            "label": self.labels.summary(),
            "priority": self.priorities.summary() | ({"kappa": asdict(self.order.kappa)} if self.order else {}),
        }

    def _repr_html_(self) -> str:
        return triage_table(self)._repr_html_() + self.labels._repr_html_() + self.priorities._repr_html_()


def score_triage(
    rows: Sequence[Row],
    *,
    labels: Sequence[str] = LABELS,
    priorities: Sequence[str] = PRIORITIES,
    name: str = "model",
) -> TriageScores:
    """Score predicted triage with intervals.

    Args:
        rows: With ``label``, ``priority`` and ``predicted``, as the task's ``read_reply`` gives it.
        labels: The closed set of labels.
        priorities: The closed set of priorities, least urgent first.
        name: What tables and plots call the model.

    Raises:
        DataError: There are no rows, or some lack a prediction or have a gold value outside the closed sets.
    """
    correct = ticket_triage(labels, priorities).score(rows).correct
    found = [parse_triage(row["predicted"]) for row in rows]
    by_label, by_priority = (
        score_classes(
            [row[key] for row in rows], [reply[key] if reply else None for reply in found], classes, name=name
        )
        for key, classes in (("label", labels), ("priority", priorities))
    )
    on_scale = any(value in priorities for value in by_priority.predicted)
    return TriageScores(
        name,
        wilson_interval(sum(correct), len(rows)),
        correct,
        wilson_interval(sum(reply is not None for reply in found), len(rows)),
        by_label,
        by_priority,
        score_order(by_priority.confusion) if on_scale else None,
    )


def triage_table(*scores: TriageScores) -> Table:
    """One or more models side by side, with 95 % intervals, beside always answering the majority class."""
    first = scores[0]
    always_label, always_priority = first.labels.baseline, first.priorities.baseline
    measures = (
        ("label and priority right", "", [model.both for model in scores]),
        ("label right", f"{always_label.accuracy.value:.1%}", [model.labels.accuracy for model in scores]),
        ("label, macro-F1", f"{always_label.macro_f1.value:.3f}", [model.labels.macro_f1 for model in scores]),
        ("priority right", f"{always_priority.accuracy.value:.1%}", [model.priorities.accuracy for model in scores]),
        ("priority, macro-F1", f"{always_priority.macro_f1.value:.3f}", [m.priorities.macro_f1 for m in scores]),
        ("priority, quadratic kappa", "0.000", [m.order.kappa if m.order else "(none read)" for m in scores]),
        ("reply is valid JSON", "", [model.valid_json for model in scores]),
    )
    return Table(
        f"Triage of {first.both.n} tickets, with 95 % intervals in brackets",
        ("measure", "majority class", *(model.name for model in scores)),
        tuple((measure, baseline, *map(str, values)) for measure, baseline, values in measures),
        frozenset({"measure"}),
    )
