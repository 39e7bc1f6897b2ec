"""Execution match: run the gold and the predicted query, and say whether and how what comes back differs.

It judges the answer, not the text: two queries that return the same are equally right. Which answers are the same is
``course_utils.sql``'s rule; here a difference gets the name that tables count it under.
"""

from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import QueryError, QueryErrorKind
from course_utils.sql import QueryPair, compare_answers
from course_utils.sql.compare import MAX_COMPARED_ROWS, AnswerComparison, Difference, ResultShape

FAILURES: dict[QueryErrorKind, str] = {
    "syntax": "syntax error",
    "no such table": "no such table",
    "no such column": "no such column",
    "not allowed": "not one reading statement",
    "timeout": "too slow",
    "too large": "too large",
    "other": "other error",
}
"""What tables call a query that fails."""
EMPTY_REPLY = "empty reply"


@dataclass(frozen=True)
class Verdict:
    """What execution says about one predicted query."""

    correct: bool
    valid: bool
    """It parses and executes."""
    failure: str
    """Class of what went wrong, such as ``"no such column"``; empty when correct."""
    detail: str
    """The database's error, or how the rows differ; empty when correct."""
    gold_is_empty: bool
    """The gold returns no rows, or only NULL: then many wrong queries match it too."""
    truncated: bool
    """A result had more rows than were compared."""
    n_instances: int = 1
    """Instances of the database on which it was tried if right, the given one included."""
    refuted_by: int = 0
    """Number of the first further instance of the database on which a correct query is wrong; 0 if on none."""
    time_ratio: float | None = None
    """Seconds of the prediction by those of the gold; None if it does not execute."""


def judge(
    database: Path, query: str, predicted: str, *, instances: tuple[bytes, ...] = (), max_rows: int = MAX_COMPARED_ROWS
) -> Verdict:
    """Execute the gold ``query`` and ``predicted`` and compare their answers as ``sql.find_difference`` does.

    ``instances`` are further ones of the database, as ``find_instances`` makes them.

    Raises:
        QueryError: The gold query does not execute; a prediction that does not is a verdict.
    """
    comparison = compare_answers(database, query, predicted, instances=instances, max_rows=max_rows)
    return read_verdict(comparison, QueryPair(query, predicted, instances))


def read_verdict(comparison: AnswerComparison, pair: QueryPair) -> Verdict:
    """What the comparison of a pair says about the query that is not the gold."""
    gold, found, difference, n_instances = comparison.gold, comparison.found, comparison.difference, len(pair.instances)
    if isinstance(found, QueryError):
        failure = FAILURES[found.kind] if pair.other.strip() else EMPTY_REPLY
        return Verdict(False, False, failure, str(found), gold.is_empty, gold.truncated, n_instances + 1)
    return Verdict(
        correct=not difference,
        valid=True,
        failure=difference or "",
        detail=_describe(difference, gold, found) if difference else "",
        gold_is_empty=gold.is_empty,
        truncated=gold.truncated or found.truncated,
        n_instances=n_instances + 1,
        refuted_by=comparison.refuted_by,
        time_ratio=found.seconds / gold.seconds,
    )


def _describe(difference: Difference, gold: ResultShape, found: ResultShape) -> str:
    details: dict[Difference, str] = {
        "wrong number of columns": f"{_counted(found.n_columns, 'column')} instead of {gold.n_columns}",
        "wrong number of rows": f"{_count(found)} instead of {_count(gold)}",
        "wrong rows": f"{_count(found)} as expected, with other values",
        "rows in another order": "the right rows, not in the order asked for",
        "columns in another order": "the right columns, not in the order asked for",
    }
    return details[difference]


def _count(result: ResultShape) -> str:
    counted = _counted(result.n_rows, "row")
    return f"more than {counted}" if result.truncated else counted


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
