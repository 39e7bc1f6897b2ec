"""Verdicts by what is wrong, where a test is not about how they come to be."""

from typing import Any, get_args

from course_utils.errors import QueryError
from course_utils.evaluation.scores import Outcome, Scores
from course_utils.sql.compare import AnswerComparison, Difference, ResultShape

SHAPE = ResultShape(n_columns=1, n_rows=3, truncated=False, is_empty=False, seconds=0.1)


def verdict_of(failure: Any = "") -> AnswerComparison:
    """Nothing is wrong, or a difference of the answers, or else a kind of error of the prediction."""
    if not failure or failure in get_args(Difference):
        return AnswerComparison(SHAPE, SHAPE, failure or None)
    return AnswerComparison(SHAPE, QueryError("a message", failure))


def scores_of(name: str, rows: list[dict[str, Any]], right: list[bool]) -> Scores:
    """Rows of which some are right, and the others return wrong rows."""
    verdicts = [verdict_of("" if ok else "wrong rows") for ok in right]
    return Scores(name, tuple(map(Outcome, rows, verdicts)))
