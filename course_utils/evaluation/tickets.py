"""Score the ticket task: both fields by scikit-learn's metrics; a reply that cannot be parsed is wrong."""

from collections.abc import Sequence
from typing import Any

from course_utils.errors import DataError
from course_utils.files import Row
from course_utils.proportion import wilson_interval
from course_utils.tables import Table, frame_table
from course_utils.tasks import FIELDS, LABELS, PRIORITIES, parse_triage

TICKET_FIELDS = ("id", *FIELDS, "predicted")
"""The fields that each row of a file of predictions needs."""
CLASSES = dict(zip(FIELDS, (LABELS, PRIORITIES), strict=True))
NO_CLASS = "(no class)"
"""The class of a reply that names none of the classes or cannot be parsed."""


def is_sorted_right(row: Row) -> bool:
    """Whether label and priority are both right."""
    reply = parse_triage(row["predicted"]) or {}
    return all(reply.get(field) == row[field] for field in FIELDS)


def score_tickets(rows: Sequence[Row]) -> dict[str, Any]:
    """Score predictions with ``label``, ``priority`` and ``predicted``, the reply or what the task read in it.

    Returns:
        JSON values: shares with their 95 % intervals and, for each field, scikit-learn's report over the classes that
        occur and the confusion matrix (rows: gold, columns: predicted).

    Raises:
        DataError: There are no rows, or a gold label or priority is not in its closed set; all such rows are listed.
    """
    from sklearn.metrics import classification_report, confusion_matrix

    if wrong := [
        f"{row.get('place', row.get('id'))}: {field} {row[field]!r} is none of {', '.join(classes)}; correct this row"
        for row in rows
        for field, classes in CLASSES.items()
        if row[field] not in classes
    ]:
        raise DataError("\n".join(wrong))
    replies = [parse_triage(row["predicted"]) or {} for row in rows]
    scores: dict[str, Any] = {
        "n": len(rows),
        **wilson_interval(sum(map(is_sorted_right, rows)), len(rows)).as_dict("accuracy"),
        **wilson_interval(sum(map(bool, replies)), len(rows)).as_dict("valid_json"),
    }
    for field, classes in CLASSES.items():
        gold = [row[field] for row in rows]
        said = [reply[field] if reply.get(field) in classes else NO_CLASS for reply in replies]
        names = [*classes, NO_CLASS]
        occurring = [name for name in classes if name in {*gold, *said}]
        n_right = sum(wanted == found for wanted, found in zip(gold, said, strict=True))
        scores[field] = {
            **wilson_interval(n_right, len(rows)).as_dict("accuracy"),
            "by_class": classification_report(gold, said, labels=occurring, output_dict=True, zero_division=0.0),
            "classes": names,
            "confusion": confusion_matrix(gold, said, labels=names).tolist(),
        }
    return scores


def tickets_table(scores: dict[str, Any]) -> Table:
    """Precision, recall and F1 of each class from ``score_tickets``; the caption has the shares of all tickets."""
    from pandas import DataFrame, concat

    reports = {field: DataFrame(scores[field]["by_class"]).T.round(2) for field in FIELDS}
    # scikit-learn's accuracy is a single number, which a DataFrame would repeat in every column.
    by_field = {field: report.drop("accuracy", errors="ignore") for field, report in reports.items()}
    shares = [f"{name}: {value:.1%}" for name, value in scores.items() if isinstance(value, float)]
    return frame_table(concat(by_field, names=["field", "class"]).reset_index(), ", ".join(shares))
