"""Run a query that a model wrote and classify the outcome; the database itself decides what parses and only reads."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from course_utils.errors import DataError, QueryError, QueryErrorKind
from course_utils.sql import QueryLimits, QueryResult, Schema, quote, run_query
from course_utils.sql.postgres import run_postgres_query

Outcome = Literal["executed", "not_parsed", "refused", "failed", "timeout"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_OUTCOMES: dict[QueryErrorKind, Outcome] = {"syntax": "not_parsed", "not allowed": "refused", "timeout": "timeout"}
MAX_BYTES = 8_000_000
"""Limit on the memory of one answer's rows."""


@dataclass(frozen=True)
class CheckedQuery:
    """A query, its outcome, and its rows if it was executed."""

    query: str
    outcome: Outcome
    seconds: float
    error: str = ""
    result: QueryResult | None = None

    @property
    def checks(self) -> dict[str, bool]:
        """Whether the query parses, only reads, and was executed."""
        return {
            "parses": self.outcome != "not_parsed",
            "read_only": self.outcome not in ("not_parsed", "refused"),
            "executed": self.outcome == "executed",
        }


def check_and_run(database: Path | str, query: str, *, timeout_s: float, max_rows: int) -> CheckedQuery:
    """Run a read-only query on a SQLite file (Path) or a PostgreSQL URL (str); a query that fails raises nothing."""
    began = time.perf_counter()
    run: Callable[..., QueryResult] = run_query if isinstance(database, Path) else run_postgres_query
    try:
        result = run(database, query, QueryLimits(timeout_s, max_rows, MAX_BYTES))
    except QueryError as error:
        outcome = _OUTCOMES.get(error.kind, "failed")
        return CheckedQuery(query, outcome, time.perf_counter() - began, str(error))
    return CheckedQuery(query, "executed", result.seconds, result=result)


def sql_grammar(schema: Schema) -> str:
    """A GBNF grammar, for llama.cpp's ``grammar``, of one SQLite query over a database's tables and columns (a subset).

    Raises:
        DataError: The database has no tables or views to name.
    """
    if not (tables := [*schema.tables, *schema.views]):
        raise DataError(f"{schema.db_id}: no tables to ask about; add them, or answer without a grammar")
    names = {"TABLES": {table.name for table in tables}, "COLUMNS": {c.name for table in tables for c in table.columns}}
    grammar = Path(__file__).with_name("sql.gbnf").read_text("utf-8")
    quoted = {word: [json.dumps(quote(name), ensure_ascii=False) for name in sorted(names[word])] for word in names}
    return re.sub("|".join(names), lambda found: " | ".join(quoted[found[0]]), grammar)
