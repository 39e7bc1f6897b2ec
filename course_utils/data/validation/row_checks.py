"""All checks of rows by themselves as one pure function, which any engine maps: this process, several, or Spark."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from course_utils.data.finding import Finding, Problem
from course_utils.data.privacy.detect import database_values
from course_utils.data.validation.results import Facts, examine_queries, query_problems
from course_utils.data.validation.rows import Row, clean_query, field_problems
from course_utils.data.validation.texts import TEXT_CHECKS, text_problems
from course_utils.errors import QueryError

QUERY_CHECKS = ("syntax", "execution", "empty-result", "constant-result", "enormous-result")
ROW_CHECKS = ("schema", *TEXT_CHECKS, *QUERY_CHECKS)
"""What can be said of a row without the others."""


@dataclass(frozen=True)
class RowChecks:
    """What the checks of rows need to know; small, since it goes to every process."""

    databases: Mapping[str, Path | str]  # the SQLite file of each db_id as the process sees it, or why there is none
    largest: Mapping[str, int]  # rows of each database's largest table
    checks: Collection[str] = ROW_CHECKS  # queries are run where one of QUERY_CHECKS is among them


class Checked(NamedTuple):
    """What is known of one row by itself. Texts and query are looked at where the fields are sound."""

    fields: tuple[Problem, ...] = ()
    texts: tuple[Problem, ...] = ()
    query: tuple[Problem, ...] = ()
    facts: Facts | None = None
    """Of the query, where it was run."""


def check_rows(rows: list[Row], using: RowChecks) -> list[Checked]:
    """What is wrong with the fields, the texts and the query of each row, in their order.

    Args:
        rows: Each query that several of them share is run once.
        using: What to check, and against what.
    """
    fields = [_schema_problems(row, using.databases) for row in rows]
    sound = [row for row, problems in zip(rows, fields, strict=True) if not problems]
    paths = {name: path for name, path in using.databases.items() if isinstance(path, Path)}
    facts = _examine(sound, paths) if not set(using.checks).isdisjoint(QUERY_CHECKS) else {}
    allowed = {name: _values(paths[name]) for name in _names(sound)} if "personal-data" in using.checks else {}
    checked = []
    for row, problems in zip(rows, fields, strict=True):
        if problems:
            checked.append(Checked(tuple(problems)))
            continue
        texts = text_problems(row["question"], row["query"], using.checks, allowed.get(row["db_id"], frozenset()))
        known = facts.get((row["db_id"], clean_query(row["query"])))
        about_query = query_problems(row, known, using.largest) if known else []
        checked.append(Checked((), tuple(texts), tuple(about_query), known))
    return checked


def row_findings(rows: list[Row], using: RowChecks) -> list[Row]:
    """The problems of rows as findings, each as a row of a table; ``rows`` have ``split``, ``number`` and ``place``."""
    return [
        asdict(problem.at(row["split"], row["number"], row["place"]))
        for row, checked in zip(rows, check_rows(rows, using), strict=True)
        for problem in (*checked.fields, *checked.texts, *checked.query)
    ]


def finding_of(row: Row) -> Finding:
    """A finding from its row."""
    return Finding(**row)


def _schema_problems(row: Row, databases: Mapping[str, Path | str]) -> list[Problem]:
    problems = field_problems(row, databases)
    database = None if problems else databases[row["db_id"]]
    if isinstance(database, str):
        what, _, remedy = database.partition("; ")
        problems.append(Problem("schema", "error", what, remedy or "mend the database"))
    return problems


def _names(rows: Iterable[Row]) -> set[str]:
    return {row["db_id"] for row in rows}


def _examine(rows: Iterable[Row], databases: Mapping[str, Path]) -> dict[tuple[str, str], Facts]:
    """Facts by ``(db_id, clean query)``: running queries is the dearest part, and one connection serves many."""
    queries: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        queries[row["db_id"]][clean_query(row["query"])] = None
    return {
        (db_id, query): facts
        for db_id, of_database in queries.items()
        for query, facts in examine_queries(databases[db_id], list(of_database)).items()
    }


def _values(database: Path) -> frozenset[str]:
    return _values_of(database, database.stat().st_mtime_ns)


@lru_cache(maxsize=4)  # batches of one database follow each other
def _values_of(database: Path, changed_ns: int) -> frozenset[str]:
    try:
        return database_values([database])
    except QueryError:  # the queries' own checks report a database that cannot be read
        return frozenset()
