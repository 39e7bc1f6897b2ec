"""Rows that say the same thing twice: duplicates within a split, leaks between splits.

A row twice weighs double in training, and in a test it makes the result look surer than it is. A test row that training
has seen measures memory and not skill. That two splits share query *skeletons* is normal, and counted; that they share
a whole query is a fault. Near ones are looked for among rows of one query alone: "older than 30" and "older than 40"
are nearly the same text and different questions, as their queries say.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from course_utils.data.formats.record import Record
from course_utils.files import SPLITS
from course_utils.finding import Finding
from course_utils.sql.query_forms import canonical, skeleton
from course_utils.tasks import normalise

THRESHOLD = 0.8
"""The usual Jaccard similarity for duplicates in training data (Lee et al. 2022, arXiv 2107.06499)."""
SHINGLE = 3
"""Characters in a run. Of typos in 1,800 of the course's questions 97 % keep a similarity of 0.8 so; with runs of four
90 %, with single words 63 %."""
MAX_GROUP = 200
"""Up to so many rows of one query are all compared with each other."""
N_NEIGHBOURS = 25
"""In a larger group each row is compared with so many behind it, sorted by the text from its beginning and from its
end: a small change leaves one of the two alike (the sorted-neighbourhood method, Hernandez and Stolfo 1995)."""


class Compared(NamedTuple):
    """A row by what others are compared with it."""

    record: Record
    question: str  # as normalise gives it
    query: str  # as canonical gives it


def find_repeats(records: Iterable[Record]) -> list[Finding]:
    """Duplicates and leaks among rows that run: of each row at most one of either, the strongest.

    Of rows that are alike, the first and those of the earlier split have none. Near-duplicates are warnings, the others
    errors; then comes one note a split (row number 0) on how many of its skeletons training has.
    """
    forms = lru_cache(maxsize=None)(canonical)
    places = {split: place for place, split in enumerate(SPLITS)}
    # Training first: of two rows that are alike, the one in the later split is reported.
    ordered = sorted(records, key=lambda row: (places.get(row.split, len(SPLITS)), row.split, row.number))
    compared = (Compared(row, normalise(row.fields["question"]), forms(row.fields["query"])) for row in ordered)
    rows = [row for row in compared if row.question]
    by_query: dict[tuple[str, str], list[Compared]] = defaultdict(list)
    for row in rows:
        by_query[row.record.fields["db_id"], row.query].append(row)
    groups = [group for group in by_query.values() if len(group) > 1]
    repeats: dict[tuple[bool, str, int], Finding] = {}
    for finding in (*_same_question(rows), *(found for group in groups for found in _same_query(group))):
        repeats.setdefault((finding.check.startswith("leak"), finding.split, finding.number), finding)
    return [*repeats.values(), *_skeleton_notes(rows)]


def _same_question(rows: Sequence[Compared]) -> Iterator[Finding]:
    first: dict[tuple[str, str], Record] = {}
    times = Counter(row.question for row in rows)
    # Most questions are asked once: not to keep them saves a quarter of the memory of a million rows.
    for record, question, _ in (row for row in rows if times[row.question] > 1):
        asked = first.setdefault((record.fields["db_id"], question), record)
        if asked.split != record.split:
            yield _leak(record, "leak-exact", f"the question is also in {asked.split} ({asked.place})")


def _same_query(group: Sequence[Compared]) -> Iterator[Finding]:
    """What is wrong among rows of one query: duplicates, near ones, and the query itself in two splits."""
    first: dict[tuple[str, str], Compared] = {}
    for row in group:
        earlier = first.setdefault((row.record.split, row.question), row).record
        if earlier is not row.record:
            reason = f"the same question and query about {earlier.fields['db_id']} as in {earlier.place}"
            yield row.record.mark(Finding("exact-duplicate", "error", reason, "remove one of the two"))
    yield from _same_words([*first.values()])
    # Questions that no query answers all have the same one.
    answerable = [row for row in group if row.query and row.record.fields.get("answerable") is not False]
    for record, _, query in answerable:
        source = answerable[0].record
        if record.split != source.split:
            reason = f"its query is in {source.split} too ({source.place}), names and values included: {query}"
            yield _leak(record, "leak-skeleton", reason)


def _same_words(group: Sequence[Compared]) -> Iterator[Finding]:
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
            yield later.record.mark(Finding("near-duplicate", "warning", reason, fix))


def similar_pairs(texts: Sequence[str], splits: Sequence[str]) -> list[tuple[int, int, float]]:
    """For each text the first earlier one of its own split that is nearly the same, and the first of another split.

    Gives the places of the later and the earlier text and their Jaccard similarity, ``THRESHOLD`` to 1, sorted. Equal
    texts are no pair; in groups above ``MAX_GROUP`` a pair that is alike in its middle alone is missed.
    """
    first: dict[tuple[int, bool], tuple[int, float]] = {}
    for earlier, later in _candidates(texts):
        key = later, splits[later] == splits[earlier]
        if texts[later] == texts[earlier] or (key in first and first[key][0] <= earlier):
            continue
        if (similarity := jaccard(texts[later], texts[earlier])) >= THRESHOLD:
            first[key] = earlier, similarity
    return sorted((later, earlier, similarity) for (later, _), (earlier, similarity) in first.items())


def _candidates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Places of an earlier and a later text each."""
    places = range(len(texts))
    if len(texts) <= MAX_GROUP:
        yield from combinations(places, 2)
        return
    for order in (sorted(places, key=lambda place: texts[place][::step]) for step in (1, -1)):
        for rank, place in enumerate(order):
            yield from ((min(place, other), max(place, other)) for other in order[rank + 1 : rank + 1 + N_NEIGHBOURS])


def jaccard(first: str, second: str) -> float:
    """``|A and B| / |A or B|`` of two texts' runs, 0 to 1, 1 for the same runs (Jaccard 1901)."""
    a, b = _shingles(first), _shingles(second)
    n_common = len(a & b)
    return n_common / (len(a) + len(b) - n_common)


@lru_cache(maxsize=2 * MAX_GROUP)  # a text is compared with several others, one after the other; a set takes 10 KB
def _shingles(text: str) -> frozenset[str]:
    return frozenset(text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1)))


def _skeleton_notes(rows: Iterable[Compared]) -> Iterator[Finding]:
    """One note a split: the share of its rows whose skeleton training has."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record, _, _ in rows:
        counts[record.split][skeleton(record.fields["query"])] += 1
    trained = counts.pop("train", Counter())
    for split, found in counts.items():
        n_rows, n_shared = found.total(), sum(n for shape, n in found.items() if shape in trained)
        if n_shared:
            reason = f"{n_shared} of {n_rows} rows ({n_shared / n_rows:.0%}) have a query skeleton that train has too"
            fix = "normal for one kind of questions; report results on other skeletons apart"
            yield Finding("leak-skeleton", "note", reason, fix, split, split)


def _leak(record: Record, check: str, reason: str) -> Finding:
    return record.mark(Finding(check, "error", reason, "remove it from one of the two splits"))
