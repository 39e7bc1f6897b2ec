"""Run queries and judge what comes back: nothing, an error, nothing to see, or far too much."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.data.finding import Problem
from course_utils.data.validation.rows import Row, clean_query
from course_utils.data.validation.syntax import (
    Reading,
    constant_problem,
    is_syntax_error,
    read_syntax,
    syntax_problems,
)
from course_utils.errors import CourseError, QueryError
from course_utils.sql import QueryResult, quote, read_schema, run_queries, run_query

MAX_SENSIBLE_ROWS = 1_000
"""Nobody reads a longer answer, and comparing it costs more than it tells."""
SHARE_OF_LARGEST = 1.5
"""A join along keys has hardly more rows than the largest table; without its condition it has twice as many."""
MIN_SUSPICIOUS_ROWS = 20
"""Below this, more rows than any table has need no remark."""


@dataclass(frozen=True)
class Facts:
    """What is known of one query on one database after it ran."""

    reading: Reading = field(default_factory=Reading)
    error: str = ""
    n_rows: int = 0
    truncated: bool = False
    only_null: bool = False
    """Whether there are rows and no value in them."""
    digest: str = ""
    """Equal for equal answers, whatever the order of their rows."""
    sequence: str = ""
    """The same with the order of the rows; empty where the query asks for none."""


def examine_queries(database: Path, queries: Sequence[str]) -> dict[str, Facts]:
    """Parse and run queries on one database; what goes wrong is among the facts.

    Raises:
        QueryError: The database cannot be opened.
    """
    results = run_queries(database, queries)
    return {query: _facts(query, result) for query, result in zip(queries, results, strict=True)}


def _facts(query: str, result: QueryResult | QueryError) -> Facts:
    reading = read_syntax(query)
    if isinstance(result, QueryError):
        return Facts(reading, str(result).partition(f": {query}")[0])
    lines = [repr([_plain(value) for value in row]) for row in result.rows]
    sequence = _digest(lines) if reading.ordered else ""
    only_null = bool(lines) and all(value is None for row in result.rows for value in row)
    return Facts(reading, "", len(lines), result.truncated, only_null, _digest(sorted(lines)), sequence)


def _digest(lines: list[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _plain(value: object) -> object:
    """Numbers count to nine digits, and 2 is 2.0, as for the evaluation."""
    return ("number", f"{value:.9g}") if isinstance(value, int | float) else value


def query_problems(row: Row, facts: Facts, largest: Mapping[str, int]) -> list[Problem]:
    """Everything that is wrong with the query of one row.

    Args:
        row: Its db_id, query and marks; ``answerable: false`` excuses a constant, ``empty: true`` an empty result.
        facts: From ``examine_queries``.
        largest: Rows of the largest table by ``db_id``; without an entry, no result is too large for its database.
    """
    problems = syntax_problems(facts.reading, facts.error)
    if facts.error and not is_syntax_error(facts.error) and not problems:
        reason = f'"query" does not run on {row["db_id"]} ({facts.error})'
        problems.append(Problem("execution", "error", reason, "correct the SQL or remove the row"))
    if facts.error or row.get("answerable") is False:
        return problems
    constant = constant_problem(facts.reading, clean_query(row["query"]))
    found = (constant, _empty(row, facts), _enormous(row["db_id"], facts, largest))
    return [*problems, *(problem for problem in found if problem)]


def _empty(row: Row, facts: Facts) -> Problem | None:
    if row.get("empty") is True:
        if facts.n_rows == 0 or facts.only_null:
            return None
        reason = f'the row is marked "empty", but its result has {facts.n_rows} rows'
        return Problem("empty-result", "warning", reason, "remove the mark or correct the query")
    if facts.n_rows and not facts.only_null:
        return None
    what = "has nothing but NULL" if facts.n_rows else "is empty, so any query without rows counts as right"
    fix = 'check the values against the database; mark the row "empty": true if nothing is the right answer'
    return Problem("empty-result", "warning", f"the result {what}", fix)


def _enormous(db_id: str, facts: Facts, largest: Mapping[str, int]) -> Problem | None:
    n_rows = f"more than {facts.n_rows:,}" if facts.truncated else f"{facts.n_rows:,}"
    limit = largest.get(db_id)
    if limit is not None and facts.n_rows > max(limit * SHARE_OF_LARGEST, MIN_SUSPICIOUS_ROWS):
        reason = f"the result has {n_rows} rows and the largest table of {db_id} only {limit:,}"
        return Problem("enormous-result", "warning", reason, "look for a join without its condition")
    if facts.n_rows > MAX_SENSIBLE_ROWS:
        reason = f"the result has {n_rows} rows; more than {MAX_SENSIBLE_ROWS:,} nobody reads"
        return Problem("enormous-result", "warning", reason, "ask for a part, a count or the first few")
    return None


def largest_table(database: Path) -> int:
    """Rows of the database's largest table.

    Raises:
        DataError: The file is not a SQLite database.
        QueryError: A table cannot be counted.
    """
    tables = read_schema(database).tables
    counts = [run_query(database, f"SELECT COUNT(*) FROM {quote(table.name)}").rows[0][0] for table in tables]
    return max((int(str(count)) for count in counts), default=0)


def count_largest(databases: Mapping[str, Path]) -> dict[str, int]:
    """Rows of each database's largest table; one that cannot be read is left out, as its queries have errors."""
    counts = {}
    for db_id, database in databases.items():
        try:
            counts[db_id] = largest_table(database)
        except CourseError:
            continue
    return counts
