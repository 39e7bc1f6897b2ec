"""How well tickets are sorted: both fields, each by scikit-learn's metrics; what cannot be read is wrong."""

from collections.abc import Sequence
from typing import Any

from course_utils.artifacts import Row
from course_utils.errors import DataError
from course_utils.proportion import wilson_interval
from course_utils.tables import Table
from course_utils.tasks import FIELDS, LABELS, PRIORITIES, parse_triage

TICKET_FIELDS = ("id", *FIELDS, "predicted")
"""What a row of a file of predictions needs."""
CLASSES = dict(zip(FIELDS, (LABELS, PRIORITIES), strict=True))
MEASURED = ("precision", "recall", "f1-score")
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

    unknown = [
        f"{row.get('place', row.get('id'))}: {field} {row[field]!r} is none of {', '.join(classes)}; correct this row"
        for row in rows
        for field, classes in CLASSES.items()
        if row[field] not in classes
    ]
    confidences = [row["confidence"] for row in rows if "confidence" in row]
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in confidences):
        unknown.append('a "confidence" is no number from 0 to 1; correct it or leave it out')
    if unknown:
        raise DataError("\n".join(unknown))
    replies = [parse_triage(row["predicted"]) or {} for row in rows]
    correct = [is_sorted_right(row) for row in rows]
    scores: dict[str, Any] = {
        "n": len(rows),
        **_share("accuracy", correct),
        **_share("valid_json", [bool(reply) for reply in replies]),
        **{field: _score_field(field, rows, replies) for field in FIELDS},
    }
    read = [(row["priority"], reply["priority"]) for row, reply in zip(rows, replies, strict=True) if reply]
    read = [pair for pair in read if pair[1] in PRIORITIES]
    if len({name for pair in read for name in pair}) > 1:  # of one class, kappa is 0 / 0
        kappa = cohen_kappa_score(*zip(*read, strict=True), labels=list(PRIORITIES), weights="quadratic")
        scores["priority"]["kappa"] = float(kappa)
    if len(confidences) == len(rows):
        right, said = calibration_curve(correct, confidences, n_bins=5, strategy="quantile")
        brier = float(brier_score_loss(correct, confidences))
        scores["calibration"] = {"brier": brier, "confidence": said.tolist(), "accuracy": right.tolist()}
    return scores


def _score_field(field: str, rows: Sequence[Row], replies: Sequence[dict[str, str]]) -> dict[str, Any]:
    from sklearn.metrics import classification_report, confusion_matrix

    gold = [row[field] for row in rows]
    said = [reply[field] if reply.get(field) in CLASSES[field] else NO_CLASS for reply in replies]
    occurring = [name for name in CLASSES[field] if name in {*gold, *said}]
    names = [*CLASSES[field], NO_CLASS]
    return {
        **_share("accuracy", [wanted == found for wanted, found in zip(gold, said, strict=True)]),
        "by_class": classification_report(gold, said, labels=occurring, output_dict=True, zero_division=0.0),
        "classes": names,
        "confusion": confusion_matrix(gold, said, labels=names).tolist(),
    }


def _share(name: str, verdicts: Sequence[bool]) -> dict[str, float]:
    share = wilson_interval(sum(verdicts), len(verdicts))
    return {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}


def tickets_table(scores: dict[str, Any]) -> Table:
    """Precision, recall and F1 of each class of what ``score_tickets`` gives."""
    rows = [
        (field, name, *(f"{found[measure]:.2f}" for measure in MEASURED), f"{found['support']:.0f}")
        for field in FIELDS
        for name, found in scores[field]["by_class"].items()
        if isinstance(found, dict)  # where nothing else was said, scikit-learn adds the accuracy
    ]
    shares = {"label and priority right": scores, "label right": scores["label"], "priority right": scores["priority"]}
    ends = ("accuracy", "accuracy_low", "accuracy_high")
    caption = ["{}: {:.1%} [{:.1%}, {:.1%}]".format(name, *(of[end] for end in ends)) for name, of in shares.items()]
    caption.append(f"readable replies: {scores['valid_json']:.1%} of {scores['n']}")
    if "calibration" in scores:
        caption.append(f"Brier score of the confidence: {scores['calibration']['brier']:.3f}")
    columns = ("field", "class", "precision", "recall", "F1", "tickets")
    return Table("\n".join(caption), columns, tuple(rows), frozenset({"field", "class"}))
