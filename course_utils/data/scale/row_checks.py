"""All checks of one row by itself as one pure function, to be mapped in processes or on Spark."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_utils.data.privacy.detect import database_values
from course_utils.data.validation.finding import Finding, Problem
from course_utils.data.validation.results import Facts, examine_query, query_problems
from course_utils.data.validation.rows import clean_query, field_problems
from course_utils.data.validation.texts import TEXT_CHECKS, text_problems
from course_utils.errors import QueryError

Row = dict[str, Any]


ROW_CHECKS = ("schema", *TEXT_CHECKS, "syntax", "execution", "empty-result", "constant-result", "enormous-result")
"""What can be said of a row without the others."""


@dataclass(frozen=True)
class RowChecks:
    """What the checks of a row need to know; small, since it goes to every process."""

    databases: Mapping[str, Path]  # the SQLite file of each db_id, as the mapping process sees it
    largest: Mapping[str, int]  # rows of each database's largest table
    checks: Collection[str] = ROW_CHECKS


def row_problems(row: Row, using: RowChecks) -> list[Problem]:
    """What is wrong with a row's fields, texts and query.

    Raises:
        MissingExtraError: "profanity" without its library.
    """
    fields = {name: value for name, value in row.items() if value is not None}  # tables have a gap where JSON has none
    problems = field_problems(fields, using.databases)
    if not problems:
        database, query = using.databases[row["db_id"]], row["query"]
        allowed = _values(database) if "personal-data" in using.checks else frozenset()
        problems += text_problems(row["question"], query, using.checks, allowed)
        problems += query_problems(fields, _examine(database, clean_query(query)), using.largest)
    return [problem for problem in problems if problem.check in using.checks]


def row_findings(row: Row, using: RowChecks) -> list[Row]:
    """The problems as findings, each as a row of a table; ``row`` has ``split``, ``number`` and ``place`` too."""
    place = row["split"], row["number"], row["place"]
    return [asdict(problem.at(*place)) for problem in row_problems(row, using)]


def finding_of(row: Row) -> Finding:
    """A finding from its row."""
    return Finding(**row)


@lru_cache(maxsize=2**14)  # rows share queries; running one is the dearest part of a row's checks
def _examine(database: Path, query: str) -> Facts:
    return examine_query(database, query)


@lru_cache(maxsize=4)
def _values(database: Path) -> frozenset[str]:
    try:
        return database_values([database])
    except QueryError:  # the checks of queries report it
        return frozenset()
