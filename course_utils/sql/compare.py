"""The one rule for when two queries give the same answer, for evaluation, validation, feedback and data generation.

It compares the results, in the worker that runs the queries; on one database, a wrong query may be right by luck.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from sqlite3 import Connection
from typing import Literal, NamedTuple

from course_utils.errors import QueryError
from course_utils.sql.execute import TIMEOUT_S, QueryLimits, QueryResult, execute, to_query_error
from course_utils.sql.opening import open_database, open_image
from course_utils.sql.query_forms import has_top_level_order
from course_utils.sql.row_equality import same_rows
from course_utils.sql.worker import WorkerDiedError, limit_time, run_each

MAX_COMPARED_ROWS = 100_000
"""Most rows of a result that are fetched; of a longer result only these are compared, in the order they came."""
COMPARE_S = 10.0
"""Time limit for comparing two results, in seconds."""
Difference = Literal[
    "wrong number of columns", "wrong number of rows", "wrong rows", "rows in another order", "too much to compare"
]


class QueryPair(NamedTuple):
    """A gold query, the query to compare with it, and further instances of the database, each as its file's bytes."""

    gold: str
    other: str
    instances: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class ResultShape:
    """The size of a result, kept after the comparison instead of its rows."""

    n_columns: int
    n_rows: int
    truncated: bool
    is_empty: bool
    seconds: float = 0.0

    def __str__(self) -> str:
        rows = f"{self.n_rows:,}{'+' if self.truncated else ''} row{'s' * (self.n_rows != 1)}"
        return f"{rows} of {self.n_columns} column{'s' * (self.n_columns != 1)}"


@dataclass(frozen=True)
class AnswerComparison:
    """How the answers of two queries differ, and so whether the other query is as correct as the gold query."""

    gold: ResultShape
    found: ResultShape | QueryError
    """The error if the other query does not execute."""
    difference: Difference | None = None
    """None if the answers are the same, or the other query does not execute."""
    n_instances: int = 1
    """Instances of the database on which a correct query is tried, including the database itself."""
    refuted_by: int = 0
    """Number, from 1, of the first further instance on which the answers of a correct query differ; 0 if none."""

    @property
    def valid(self) -> bool:
        """Whether the other query parses and executes."""
        return isinstance(self.found, ResultShape)

    @property
    def correct(self) -> bool:
        """Whether the other query gives the same answer on the database."""
        return self.valid and self.difference is None

    @property
    def correct_on_all(self) -> bool:
        """Whether the other query gives the same answer on the database and every further instance."""
        return self.correct and not self.refuted_by

    @property
    def failure(self) -> str:
        """The kind of error or difference, such as ``"no such column"``; empty if correct."""
        return self.found.kind if isinstance(self.found, QueryError) else self.difference or ""

    @property
    def detail(self) -> str:
        """The database's error, or the size of the other query's result and, if different, of the gold's."""
        found = str(self.found)
        return found if not self.valid or found == str(self.gold) else f"{found} instead of {self.gold}"


def same_answer(database: Path, gold: str, other: str) -> bool:
    """Whether two queries give the same answer by ``find_difference``; raises QueryError if one does not execute."""
    comparison = compare_answers(database, gold, other)
    if isinstance(comparison.found, QueryError):
        raise comparison.found
    return comparison.difference is None


def compare_answers(database: Path, gold: str, other: str, *, instances: tuple[bytes, ...] = ()) -> AnswerComparison:
    """Run two queries and compare their answers by ``find_difference``, on ``instances`` too if they are the same.

    Raises:
        QueryError: The gold query does not execute.
    """
    (comparison,) = compare_pairs(database, [QueryPair(gold, other, instances)])
    if isinstance(comparison, QueryError):
        raise comparison
    return comparison


def compare_pairs(database: Path, pairs: Sequence[QueryPair]) -> Iterator[AnswerComparison | QueryError]:
    """``compare_answers`` for many pairs in one worker; yields the QueryError that it would raise."""
    results = run_each(_compare, database.resolve(), items=pairs)
    for pair, result in zip(pairs, results, strict=True):
        if isinstance(result, WorkerDiedError):
            result = _blame(to_query_error(result, TIMEOUT_S), database, pair)
        yield result if isinstance(result, QueryError) else replace(result, n_instances=1 + len(pair.instances))


def _blame(failure: QueryError, database: Path, pair: QueryPair) -> AnswerComparison | QueryError:
    """Find what killed the worker by running less: the last instance, a query by itself, or else the comparison."""
    if pair.gold == pair.other:
        return failure
    if n := len(pair.instances):
        (fewer,) = compare_pairs(database, [pair._replace(instances=pair.instances[:-1])])
        if isinstance(fewer, QueryError) or not fewer.correct_on_all:
            return fewer
        return replace(fewer, refuted_by=n)
    gold, found = compare_pairs(database, [QueryPair(query, query) for query in (pair.gold, pair.other)])
    if isinstance(gold, QueryError):
        return gold
    if isinstance(found, QueryError):
        return replace(gold, found=found)
    return replace(gold, found=found.found, difference="too much to compare")  # counts as wrong, for lack of proof


def _compare(database: Path, pairs: list[QueryPair]) -> Iterator[AnswerComparison | QueryError]:
    endless: dict[str, QueryError] = {}  # queries that timed out, which are not run again for another gold query
    for pair in pairs:
        try:
            connection = open_database(database)
            comparison = _compare_with(_run_gold(connection, pair.gold), connection, pair, TIMEOUT_S, endless)
            if comparison.difference is None and not isinstance(comparison.found, QueryError):
                comparison = replace(comparison, refuted_by=_refute(pair, comparison.found))
            yield comparison
        except QueryError as error:
            yield error


@lru_cache(maxsize=1)
def _run_gold(connection: Connection, gold: str) -> QueryResult:
    """Run a gold query; the last result is cached, because several models' queries for it often come in a row."""
    return execute(connection, gold, QueryLimits(TIMEOUT_S, MAX_COMPARED_ROWS))


def _compare_with(
    gold: QueryResult, connection: Connection, pair: QueryPair, timeout_s: float, endless: dict[str, QueryError]
) -> AnswerComparison:
    try:
        if pair.other in endless:
            raise endless[pair.other]
        # Queries of the same text are not run twice and count as the same, even with random() or the time.
        limits = QueryLimits(timeout_s, MAX_COMPARED_ROWS)
        found = gold if pair.other == pair.gold else execute(connection, pair.other, limits)
    except QueryError as error:
        if error.kind == "timeout":
            endless[pair.other] = error
        return AnswerComparison(_shape_of(gold), error)
    limit_time(COMPARE_S)
    return AnswerComparison(_shape_of(gold), _shape_of(found), find_difference(gold, found, pair.gold))


def _refute(pair: QueryPair, found: ResultShape) -> int:
    """Number, from 1, of the first instance with differing answers, else 0; all share the time limit of one query."""
    left_s = TIMEOUT_S - found.seconds
    for number, instance in enumerate(pair.instances if pair.gold != pair.other else (), 1):
        with closing(open_image(instance)) as connection:
            gold = execute(connection, pair.gold, QueryLimits(TIMEOUT_S, MAX_COMPARED_ROWS))
            comparison = _compare_with(gold, connection, pair, left_s, {})
        if comparison.difference or isinstance(comparison.found, QueryError):
            return number
        left_s -= comparison.found.seconds
    return 0


def _shape_of(result: QueryResult) -> ResultShape:
    return ResultShape(len(result.columns), len(result.rows), result.truncated, result.is_empty, result.seconds)


def find_difference(gold: QueryResult, found: QueryResult, query: str) -> Difference | None:
    """How ``found`` differs from ``gold``, the result of the gold ``query``; None if it is the same answer.

    Two results are the same answer if they have equally many columns and the same rows (``same_rows``), in the same
    order if the gold query has a top-level ORDER BY. Truncated results are compared in the order their rows came.
    """
    if len(gold.columns) != len(found.columns):
        return "wrong number of columns"
    if gold.truncated != found.truncated or len(gold.rows) != len(found.rows):
        return "wrong number of rows"
    if gold.rows == found.rows or same_rows(gold.rows, found.rows, ordered=True):
        return None
    if not same_rows(gold.rows, found.rows):
        return "wrong rows"
    return "rows in another order" if gold.truncated or has_top_level_order(query) else None
