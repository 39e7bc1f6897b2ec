"""Rows that say the same thing twice: duplicates within a split, leaks between splits.

A row twice weighs double in training, and in a test it makes the result look surer than it is. A test row that
training has seen measures memory and not skill. That two splits share query *skeletons* is normal, since people ask
the same kinds of questions: it is counted and no fault. That they share the whole query is one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from course_utils.artifacts import SPLITS
from course_utils.data.formats.record import Record, normalise
from course_utils.data.validation.near import similar_pairs
from course_utils.data.validation.query_forms import canonical, skeleton
from course_utils.finding import Finding, Severity

N_SHOWN = 3


class Compared(NamedTuple):
    """A row by what others are compared with it."""

    record: Record
    question: str  # as normalise gives it
    query: str  # as canonical gives it


def find_repeats(records: Iterable[Record]) -> list[Finding]:
    """Duplicates and leaks: of each row at most one of either, the strongest.

    Of rows that are alike, the first and those of the earlier split have none.

    Args:
        records: Rows that run, of all splits, in any order.

    Returns:
        Errors for exact duplicates and for rows with the same question, nearly the same question or the same query
        about one database as an earlier split has; warnings for near-duplicates, and for the same question and query
        about another database; then one note a split (with row number 0) on how many of its skeletons training has.
    """
    rows = compared_rows(records)
    by_query: dict[tuple[str, str], list[Compared]] = defaultdict(list)
    for row in rows:
        by_query[row.record.fields["db_id"], row.query].append(row)
    repeats: dict[tuple[str, str, int], Finding] = {}
    groups = [group for group in by_query.values() if len(group) > 1]
    for finding in (*_same_question(rows), *(found for group in groups for found in _same_query(group))):
        kind = finding.check.partition("-")[0] if finding.check.startswith("leak") else "duplicate"
        repeats.setdefault((kind, finding.split, finding.number), finding)
    return [*repeats.values(), *_skeleton_notes(rows)]


def compared_rows(records: Iterable[Record]) -> list[Compared]:
    """Rows with a question, training first: of two that are alike, the one in the later split is reported."""
    queries: dict[str, str] = {}
    rows = []
    for record in sorted(records, key=_order):
        query = record.fields["query"]
        if query not in queries:
            queries[query] = canonical(query)
        if question := normalise(record.fields["question"]):
            rows.append(Compared(record, question, queries[query]))
    return rows


def _order(record: Record) -> tuple[int, str, int]:
    place = SPLITS.index(record.split) if record.split in SPLITS else len(SPLITS)
    return place, record.split, record.number


def _same_question(rows: Sequence[Compared]) -> Iterator[Finding]:
    """The same question about one database, or the same question and query about another."""
    first: dict[tuple[str, ...], Record] = {}
    times = Counter(row.question for row in rows)
    # Most questions are asked once: not to keep them saves a quarter of the memory of a million rows.
    for record, question, query in (row for row in rows if times[row.question] > 1):
        asked = first.setdefault((record.fields["db_id"], question), record)
        if asked.split != record.split:
            yield _leak(record, "leak-exact", f"the question is also in {asked.split} ({asked.place})")
        elif _is_answerable(record):
            answered = first.setdefault(("", question, query), record)
            if answered.split != record.split:
                # Tables of one name ask for the same words, so it may be chance, and the schema is not the same.
                reason = f"the question and its query are also in {answered.split}, about {answered.fields['db_id']}"
                yield _leak(record, "leak-exact", f"{reason} ({answered.place})", "warning")


def _same_query(group: Sequence[Compared]) -> Iterator[Finding]:
    """What is wrong among rows of one query: duplicates, near ones, and the query itself in two splits."""
    first: dict[tuple[str, str], Compared] = {}
    for row in group:
        earlier = first.setdefault((row.record.split, row.question), row).record
        if earlier is not row.record:
            reason = f"the same question and query about {earlier.fields['db_id']} as in {earlier.place}"
            yield _at(row.record, Finding("exact-duplicate", "error", reason, "remove one of the two"))
    yield from _near([*first.values()])
    source = next((row.record for row in group if _is_answerable(row.record)), None)
    for record, _, query in group:
        # Questions that no query answers all have the same one.
        if source and query and record.split != source.split and _is_answerable(record):
            reason = f"its query is in {source.split} too ({source.place}), names and values included: {query}"
            yield _leak(record, "leak-skeleton", reason)


def _near(group: Sequence[Compared]) -> Iterator[Finding]:
    pairs = similar_pairs([row.question for row in group], [row.record.split for row in group])
    for place, earlier_place, similarity in pairs:
        later, earlier = group[place], group[earlier_place]
        evidence = (
            f"({earlier.record.place}), with the same query (Jaccard similarity {similarity:.2f}): "
            f"{later.question!r}, {earlier.question!r}"
        )
        if later.record.split != earlier.record.split:
            yield _leak(later.record, "leak-near", f"nearly the question is in {earlier.record.split} {evidence}")
        else:
            fix = "remove one of the two, or ask in words that differ more"
            reason = f"nearly the question of an earlier row {evidence}"
            yield _at(later.record, Finding("near-duplicate", "warning", reason, fix))


def _skeleton_notes(rows: Iterable[Compared]) -> Iterator[Finding]:
    """One note a split: the share of its rows whose skeleton training has, and the most frequent ones."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record, _, _ in rows:
        counts[record.split][skeleton(record.fields["query"])] += 1
    trained = counts.pop("train", Counter())
    for split, found in counts.items():
        shared = {shape: n for shape, n in found.items() if shape in trained}
        if shared:
            n_rows, n_shared = found.total(), sum(shared.values())
            most = sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:N_SHOWN]
            reason = (
                f"{n_shared} of {n_rows} rows ({n_shared / n_rows:.0%}) have one of {len(shared)} query skeletons "
                f"that train has too, most often {'; '.join(f'{n} x {text}' for text, n in most)}"
            )
            fix = "normal for one kind of questions; report results on other skeletons apart"
            yield Finding("leak-skeleton", "note", reason, fix, split, split)


def _is_answerable(record: Record) -> bool:
    return record.fields.get("answerable") is not False


def _leak(record: Record, check: str, reason: str, severity: Severity = "error") -> Finding:
    return _at(record, Finding(check, severity, reason, "remove it from one of the two splits"))


def _at(record: Record, finding: Finding) -> Finding:
    return finding.at(record.split, record.number, record.place)
