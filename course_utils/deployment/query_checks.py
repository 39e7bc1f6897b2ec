"""Decide what a query that a model wrote may do: it is parsed, refused unless it only reads, then run."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from course_utils.errors import QueryError, QueryErrorKind
from course_utils.sql import QueryResult, run_query

Outcome = Literal["executed", "not_parsed", "refused", "failed", "timeout"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_OUTCOME_BY_KIND: dict[QueryErrorKind, Outcome] = {"timeout": "timeout", "not allowed": "refused"}


@dataclass(frozen=True)
class CheckedQuery:
    """A query, what became of it, and its rows if it was executed."""

    query: str
    outcome: Outcome
    seconds: float
    error: str = ""
    result: QueryResult | None = None

    @property
    def checks(self) -> dict[str, bool]:
        """Whether it is SQL at all, only reads, and was executed."""
        parses = self.outcome != "not_parsed"
        return {
            "parses": parses,
            "read_only": parses and self.outcome != "refused",
            "executed": self.outcome == "executed",
        }


def check_and_run(database: Path, query: str, *, timeout_s: float, max_rows: int) -> CheckedQuery:
    """Run a query if it is one statement that only reads; SQLite's authorizer has the last word.

    Args:
        database: A SQLite file.
        query: As the model wrote it.
        timeout_s: Wall-clock limit in seconds.
        max_rows: Rows to return at most.

    Returns:
        The outcome; a bad query is an outcome, not an error.
    """
    began = time.perf_counter()
    n_statements, reads = _look_at(query)
    if n_statements > 1 or (n_statements == 1 and not reads):
        what = "it is more than one statement" if n_statements > 1 else "it does more than read"
        return CheckedQuery(query, "refused", time.perf_counter() - began, f"refused: {what}")
    try:
        result = run_query(database, query, timeout_s=timeout_s, max_rows=max_rows)
    except QueryError as error:
        failure: Outcome = "failed" if n_statements == 1 else "not_parsed"
        outcome = _OUTCOME_BY_KIND.get(error.kind, failure)
        return CheckedQuery(query, outcome, time.perf_counter() - began, str(error))
    return CheckedQuery(query, "executed", result.seconds, result=result)


def _look_at(query: str) -> tuple[int, bool]:
    """How many statements sqlglot sees (0: none that it can parse), and whether the first only reads."""
    import sqlglot
    from sqlglot import expressions

    try:
        statements = [statement for statement in sqlglot.parse(query, dialect="sqlite") if statement is not None]
    except sqlglot.errors.SqlglotError:
        return 0, False
    writes = (expressions.DML, expressions.DDL, expressions.Command, expressions.Drop, expressions.Alter)
    reads = bool(statements) and isinstance(statements[0], expressions.Query)
    return len(statements), reads and not statements[0].find(*writes)
