"""How well tickets are sorted: both fields, each by scikit-learn's metrics; what cannot be read is wrong."""

from collections.abc import Sequence
from typing import Any

from course_utils.artifacts import Row
from course_utils.errors import DataError
from course_utils.proportion import wilson_interval
from course_utils.tables import Table, frame_table
from course_utils.tasks import FIELDS, LABELS, PRIORITIES, parse_triage

TICKET_FIELDS = ("id", *FIELDS, "predicted")
"""What a row of a file of predictions needs."""
CLASSES = dict(zip(FIELDS, (LABELS, PRIORITIES), strict=True))
NO_CLASS = "(no class)"
"""Where a reply names none of the classes, or cannot be read."""


def is_sorted_right(row: Row) -> bool:
    """Whether label and priority are both right."""
    reply = parse_triage(row["predicted"]) or {}
    return all(reply.get(field) == row[field] for field in FIELDS)


def score_tickets(rows: Sequence[Row]) -> dict[str, Any]:
    """Score predictions with ``label``, ``priority`` and ``predicted``, the reply or what the task read of it.

    Returns:
        Plain JSON values: shares with their 95 % intervals; for each field scikit-learn's report over the classes that
        occur, and how often which was taken for which; for the priorities, which have an order, the quadratic weighted
        kappa of the replies that name one. Where every row has a ``confidence``, 0 to 1, that it is right, also their
        Brier score, 0 to 1, lower is better, and the mean confidence and share right of up to five equally large bins.

    Raises:
        DataError: There are no rows, or a value is outside its closed set; all are listed.
    """
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss, cohen_kappa_score

    wrong = [
        f"{row.get('place', row.get('id'))}: {field} {row[field]!r} is none of {', '.join(classes)}; correct this row"
        for row in rows
        for field, classes in CLASSES.items()
        if row[field] not in classes
    ]
    confidences = [row["confidence"] for row in rows if "confidence" in row]
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in confidences):
        wrong.append('a "confidence" is no number from 0 to 1; correct it or leave it out')
    if wrong:
        raise DataError("\n".join(wrong))
    replies = [parse_triage(row["predicted"]) or {} for row in rows]
    correct = [is_sorted_right(row) for row in rows]
    scores: dict[str, Any] = {
        "n": len(rows),
        **wilson_interval(sum(correct), len(rows)).as_dict("accuracy"),
        **wilson_interval(sum(map(bool, replies)), len(rows)).as_dict("valid_json"),
        **{field: _score_field(field, rows, replies) for field in FIELDS},
    }
    said = [(row["priority"], reply.get("priority")) for row, reply in zip(rows, replies, strict=True)]
    read = [pair for pair in said if pair[1] in PRIORITIES]
    if len({name for pair in read for name in pair}) > 1:  # of one class, kappa is 0 / 0
        kappa = cohen_kappa_score(*zip(*read, strict=True), labels=list(PRIORITIES), weights="quadratic")
        scores["priority"]["kappa"] = float(kappa)
    if len(confidences) == len(rows):
        right, expected = calibration_curve(correct, confidences, n_bins=5, strategy="quantile")
        brier = float(brier_score_loss(correct, confidences))
        scores["calibration"] = {"brier": brier, "confidence": expected.tolist(), "accuracy": right.tolist()}
    return scores


def _score_field(field: str, rows: Sequence[Row], replies: Sequence[dict[str, str]]) -> dict[str, Any]:
    from sklearn.metrics import classification_report, confusion_matrix

    gold = [row[field] for row in rows]
    said = [reply[field] if reply.get(field) in CLASSES[field] else NO_CLASS for reply in replies]
    names = [*CLASSES[field], NO_CLASS]
    occurring = [name for name in CLASSES[field] if name in {*gold, *said}]
    right = [wanted == found for wanted, found in zip(gold, said, strict=True)]
    return {
        **wilson_interval(sum(right), len(right)).as_dict("accuracy"),
        "by_class": classification_report(gold, said, labels=occurring, output_dict=True, zero_division=0.0),
        "classes": names,
        "confusion": confusion_matrix(gold, said, labels=names).tolist(),
    }


def tickets_table(scores: dict[str, Any]) -> Table:
    """Precision, recall and F1 of each class of what ``score_tickets`` gives; above them, shares of all tickets."""
    from pandas import DataFrame, concat

    by_field = {field: DataFrame(scores[field]["by_class"]).T.round(2) for field in FIELDS}
    shares = [f"{name}: {value:.1%}" for name, value in scores.items() if isinstance(value, float)]
    return frame_table(concat(by_field, names=["field", "class"]).reset_index(), ", ".join(shares))
