"""Find personal data in questions and queries.

People in the course's databases are invented, and a question must name them: what a database holds is allowed there.
For a dataset about real people, allow nothing, and anonymise questions, queries and databases together.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from course_utils.data.finding import Finding, Problem
from course_utils.data.privacy.kinds import IN_WORDS, SEVERITY, PersonalData
from course_utils.data.privacy.patterns import find_by_patterns

Row = Mapping[str, Any]
Engine = Literal["patterns", "presidio"]
FIELDS = ("question", "query")


def find_personal_data(text: str, *, engine: Engine = "patterns") -> list[PersonalData]:
    """Personal data in a text, without overlaps, in the order of the text.

    Args:
        text: Any text.
        engine: ``patterns`` is fast and needs nothing; ``presidio`` has Presidio's recognisers and, with a spaCy
            model, knows persons.

    Raises:
        MissingExtraError: ``presidio`` without presidio-analyzer.
    """
    if engine == "patterns":
        return find_by_patterns(text)
    from course_utils.data.privacy.presidio import find_by_presidio

    return find_by_presidio(text)


def personal_data_problems(
    question: str, query: str, allowed: Collection[str] = frozenset(), *, engine: Engine = "patterns"
) -> list[Problem]:
    """The personal data of one row, masked: the report must not be the next leak.

    Args:
        question: The question.
        query: The query.
        allowed: Values that may stand there, in lower case: those of the row's database (``database_values``).
        engine: As for ``find_personal_data``.

    Raises:
        MissingExtraError: ``presidio`` without presidio-analyzer.
    """
    problems = []
    for name, text in (("question", question), ("query", query)):
        for piece in find_personal_data(text, engine=engine):
            if not _is_allowed(piece.text, allowed):
                reason = f'"{name}" has {IN_WORDS[piece.kind]}: {piece.masked} at {piece.start}-{piece.end}'
                fix = "replace it with an invented value, or anonymise question, query and database together"
                problems.append(Problem("personal-data", SEVERITY[piece.kind], reason, fix))
    return problems


def _is_allowed(text: str, allowed: Collection[str]) -> bool:
    """Whether the text is a value, as it stands or without the quotes and stops around it."""
    lowered = text.lower().replace("''", "'")
    return lowered in allowed or lowered.strip(" .,'\"") in allowed


def check_personal_data(
    splits: Mapping[str, Sequence[Row]],
    allowed: Mapping[str, Collection[str]] | None = None,
    *,
    place: Callable[[str, int], str] = lambda split, number: f"{split}:{number}",
    engine: Engine = "patterns",
) -> list[Finding]:
    """The personal data in all rows.

    Args:
        splits: Rows by split, with ``db_id``, ``question`` and ``query``.
        allowed: Allowed values by database.
        place: Where a row stands, for people, from its split and number.
        engine: As for ``find_personal_data``.

    Raises:
        MissingExtraError: ``presidio`` without presidio-analyzer.
    """
    allowed = allowed or {}
    return [
        problem.at(split, number, place(split, number))
        for split, rows in splits.items()
        for number, row in enumerate(rows, start=1)
        for problem in personal_data_problems(
            row["question"], row["query"], allowed.get(row["db_id"], frozenset()), engine=engine
        )
    ]


def database_values(databases: Iterable[Path]) -> frozenset[str]:
    """Every text in SQLite files in lower case, and the single words of names, for ``allowed``.

    Raises:
        DataError: A file is no SQLite database.
    """
    from course_utils.data.privacy.databases import text_values

    values = {value.lower() for database in databases for value in text_values(database)}
    return frozenset(values | {word for value in values if len(value) < 60 for word in value.split() if len(word) > 1})
