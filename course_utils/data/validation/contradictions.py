"""Rows that ask the same of the same database and answer differently: at most one of them can be right."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from course_utils.data.finding import Finding, Problem, quoted
from course_utils.data.formats.record import Record
from course_utils.data.validation.results import Facts
from course_utils.data.validation.rows import clean_query
from course_utils.data.validation.signature import normalise_question

FactsByQuery = Mapping[tuple[str, str], Facts]
"""Facts by ``(db_id, clean query)``."""


def find_contradictions(records: Iterable[Record], facts: FactsByQuery) -> list[Finding]:
    """Rows with the same question and database whose queries give different results.

    Where most rows of a question agree, only the others are named; where none is the most, all are.

    Args:
        records: Rows that run.
        facts: What their queries gave.
    """
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[record.fields["db_id"], normalise_question(record.fields["question"])].append(record)
    return [finding for group in groups.values() if len(group) > 1 for finding in _judge(group, facts)]


def _judge(group: list[Record], facts: FactsByQuery) -> list[Finding]:
    known = [facts[record.fields["db_id"], clean_query(record.fields["query"])] for record in group]
    in_order = all(fact.sequence for fact in known)
    results = [fact.sequence if in_order else fact.digest for fact in known]
    ranked = Counter(results).most_common()
    if len(ranked) == 1:
        return []
    trusted = ranked[0][0] if ranked[0][1] > ranked[1][1] else None
    findings = []
    for record, result in zip(group, results, strict=True):
        if result != trusted:
            wanted = trusted or next(other for other in results if other != result)
            against = group[results.index(wanted)]
            findings.append(_problem(against).at(record.split, record.number, record.place))
    return findings


def _problem(against: Record) -> Problem:
    query = quoted(clean_query(against.fields["query"]))
    reason = f"{against.place} asks the same, and its query {query} gives another result"
    return Problem("contradiction", "error", reason, "keep the right one, or make the questions say how they differ")
