"""Find personal data in questions and queries.

People in the course's databases are invented, and a question must name them: what a database holds is allowed there.
For a dataset about real people, allow nothing, and anonymise questions, queries and databases together.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Literal

from course_utils.data.privacy.entities import ENTITY_TYPES, Entity
from course_utils.data.privacy.patterns import find_by_patterns
from course_utils.finding import Finding
from course_utils.sql import QueryResult, quote, read_schema, run_queries

Detector = Literal["patterns", "presidio"]
_MAX_VALUES = 1_000_000
_TIMEOUT_S = 60.0


def load_detector(detector: Detector) -> Callable[[str], list[Entity]]:
    """A function that gives the personal data in a text, without overlaps, in the order of the text.

    Args:
        detector: ``patterns`` is fast and needs nothing; ``presidio`` has Presidio's recognisers as well and, with a
            spaCy model, knows persons.

    Raises:
        MissingExtraError: ``presidio`` without presidio-analyzer.
    """
    if detector == "patterns":
        return find_by_patterns
    from course_utils.data.privacy.presidio import find_by_presidio, load_engine

    load_engine()
    return find_by_presidio


def personal_data_findings(
    text: str, name: str, allowed: Collection[str] = frozenset(), detector: Detector = "patterns"
) -> list[Finding]:
    """The personal data of one text, masked: the report must not be the next leak.

    Args:
        text: A question or a query.
        name: The field's name.
        allowed: Values that may stand there, in lower case: those of the row's database (``database_values``).
        detector: As for ``load_detector``.

    Raises:
        MissingExtraError: ``presidio`` without presidio-analyzer.
    """
    findings = []
    for entity in load_detector(detector)(text):
        if not _is_allowed(entity.text, allowed):
            words, severity = ENTITY_TYPES[entity.type]
            reason = f'"{name}" has {words}: {entity.masked} at {entity.start}-{entity.end}'
            fix = "replace it with an invented value, or anonymise question, query and database together"
            findings.append(Finding("personal-data", severity, reason, fix))
    return findings


def _is_allowed(text: str, allowed: Collection[str]) -> bool:
    """Whether the text is a value, as it stands or without the quotes and stops around it."""
    lowered = text.lower().replace("''", "'")
    return lowered in allowed or lowered.strip(" .,'\"") in allowed


def database_values(databases: Iterable[Path]) -> frozenset[str]:
    """Every text in SQLite files in lower case, and the single words of names, for ``allowed``.

    Raises:
        DataError: A file is no SQLite database.
        QueryError: A file cannot be opened.
    """
    values = {value.lower() for database in databases for value in _texts(database)}
    return frozenset(values | {word for value in values if len(value) < 60 for word in value.split() if len(word) > 1})


def _texts(database: Path) -> Iterable[str]:
    """The distinct texts of every column; a column that cannot be read whole gives none."""
    queries = [
        f"SELECT DISTINCT {quote(column.name)} FROM {quote(table.name)} WHERE typeof({quote(column.name)}) = 'text'"
        for table in read_schema(database).tables
        for column in table.columns
    ]
    for result in run_queries(database, queries, timeout_s=_TIMEOUT_S, max_rows=_MAX_VALUES):
        if isinstance(result, QueryResult):
            yield from (str(value) for (value,) in result.rows)
