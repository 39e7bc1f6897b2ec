"""Classes that a split has too few or too many rows of, whatever the field that holds them."""

from collections import Counter
from collections.abc import Iterable, Sequence

from course_utils.data.finding import Finding, Problem, Severity
from course_utils.data.formats.record import Record, shown

FIELDS = ("db_id", "difficulty", "source")
RARE_SHARE = 0.01
RARE_OF_EVEN = 0.2
"""A class is rare below both: with a hundred classes, one in a hundred is just its turn."""
DOMINANT_SHARE = 0.8
_MAX_NAMED = 5


def find_imbalance(records: Iterable[Record], fields: Sequence[str] = FIELDS) -> list[Finding]:
    """Classes below 1 % or above 80 % of a split; a field with one class, or in few of the rows, is no label.

    Args:
        records: Rows of any task.
        fields: Names of the fields that hold labels.
    """
    by_split: dict[str, list[Record]] = {}
    for record in records:
        by_split.setdefault(record.split, []).append(record)
    found = []
    for split, rows in by_split.items():
        for name in fields:
            values = [str(row.fields[name]) for row in rows if row.fields.get(name) is not None]
            if len(values) > len(rows) / 2:
                place = f"{split} rows of {shown(rows[0].path)}"
                problems = imbalance_problems(name, Counter(values), "warning" if split == "train" else "note")
                found += [problem.at(split, 0, place) for problem in problems]
    return found


def imbalance_problems(name: str, counts: Counter[str], rare_is: Severity = "warning") -> list[Problem]:
    """What is out of balance in one field.

    Args:
        name: The field's name.
        counts: Rows by class.
        rare_is: How bad a rare class is: what training has little of is not learned, elsewhere it is just not measured.
    """
    n_rows = counts.total()
    if len(counts) < 2:
        return []
    problems = []
    rare = sorted((n, label) for label, n in counts.items() if n / n_rows < min(RARE_SHARE, RARE_OF_EVEN / len(counts)))
    if rare:
        named = ", ".join(f"{label} ({n})" for n, label in rare[:_MAX_NAMED])
        more = f" and {len(rare) - _MAX_NAMED} more" if len(rare) > _MAX_NAMED else ""
        reason = f'"{name}": {len(rare)} of {len(counts)} classes have under 1 % of {n_rows:,} rows: {named}{more}'
        problems.append(
            Problem("label-balance", rare_is, reason, "add rows of them, or expect nothing of a model there")
        )
    label, n = counts.most_common(1)[0]
    if n / n_rows > DOMINANT_SHARE:
        reason = f'"{name}": {n / n_rows:.0%} of {n_rows:,} rows are {label}, so always saying so scores as much'
        fix = "add rows of the others, and report the score of each class"
        problems.append(Problem("label-balance", "warning", reason, fix))
    return problems
