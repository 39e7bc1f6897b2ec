"""Rows that ask the same of the same database and answer differently: at most one of them can be right."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.validation.query_forms import clean_query
from course_utils.errors import QueryError
from course_utils.finding import Finding, quoted
from course_utils.sql import same_answer

MAX_ANSWERS = 8
"""A query is compared with so many different answers to its question; what is none of them counts as one more."""


def find_contradictions(records: Sequence[Record], databases: Mapping[str, Path]) -> list[Finding]:
    """Rows with the same question and database whose queries run, and give different answers (``same_answer``).

    Where most rows of a question agree, only the others are named; where none is the most, all are.
    """
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    times = Counter(hash(record.key) for record in records)  # to group a million rows at once takes half a GiB
    for record in records:
        if times[hash(record.key)] > 1:
            groups[record.key].append(record)
    return [finding for (name, _), group in groups.items() for finding in _judge(_by_answer(databases[name], group))]


def _by_answer(database: Path, group: list[Record]) -> list[list[Record]]:
    """The rows of one question, those of one answer together."""
    by_query: dict[str, list[Record]] = defaultdict(list)
    for record in group:
        by_query[clean_query(record.fields["query"])].append(record)
    answers: dict[str, list[Record]] = {}
    for query, rows in by_query.items():
        known = next((other for other in [*answers][:MAX_ANSWERS] if _agree(database, query, other)), query)
        answers.setdefault(known, []).extend(rows)
    return [*answers.values()]


def _agree(database: Path, query: str, other: str) -> bool:
    """Whether nothing speaks against the two; where only one of them asks for an order, any order will do."""
    try:
        return same_answer(database, query, other) or same_answer(database, other, query)
    except QueryError:  # they ran before, so the machine is busy, and nothing is proved
        return True


def _judge(answers: list[list[Record]]) -> Iterator[Finding]:
    if len(answers) == 1:
        return
    ranked = sorted(answers, key=len, reverse=True)
    trusted = ranked[0] if len(ranked[0]) > len(ranked[1]) else None
    for rows in answers:
        if rows is not trusted:
            against = (trusted or next(other for other in answers if other is not rows))[0]
            query = quoted(clean_query(against.fields["query"]))
            reason = f"{against.place} asks the same, and its query {query} gives another result"
            finding = Finding(
                "contradiction", "error", reason, "keep the right one, or make the questions say how they differ"
            )
            yield from (finding.at(record.split, record.number, record.place) for record in rows)
