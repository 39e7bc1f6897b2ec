"""Rows that say the same thing twice: duplicates within a split, leaks between splits.

A duplicate counts twice in training, and in the test set it makes the interval narrower than it should be. A test row
that was in training measures memory, not skill. Two splits that share a whole query are reported as a leak; shared
query *skeletons* (queries without names and values) are normal and only counted. Near-duplicates are searched for only
among rows with the same query: "older than 30" and "older than 40" are similar texts but different questions.
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
"""Characters of a shingle, the unit of comparison. With a typo in each of 1,800 of the course's questions, 97 % keep a
similarity of 0.8 or more; with shingles of four characters 90 % do, with single words 63 %."""
MAX_GROUP = 200
"""In a group of at most this many rows with one query, each row is compared with every other."""
N_NEIGHBOURS = 25
"""In a larger group, each row is compared with this many next ones in two orders: sorted by the text, and by the text
reversed. A small change leaves one end equal (the sorted-neighbourhood method, Hernandez and Stolfo 1995)."""


class Compared(NamedTuple):
    """A row with the forms of its texts that are compared."""

    record: Record
    question: str  # in the form of ``tasks.normalise``
    query: str  # in the form of ``query_forms.canonical``


def find_repeats(records: Iterable[Record]) -> list[Finding]:
    """Duplicates and leaks among rows whose queries run: for each row at most one of either, the strongest.

    Of similar rows, the later one is reported: training comes first, then validation and test, then by row number.
    Near-duplicates are warnings, all others errors. For each split but training, one note (row number 0) gives the
    share of its rows whose query skeleton training has too, unless it is 0.
    """
    forms = lru_cache(maxsize=None)(canonical)
    places = {split: place for place, split in enumerate(SPLITS)}
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
    # Most questions are asked once; leaving those out saves a quarter of the memory for a million rows.
    for record, question, _ in (row for row in rows if times[row.question] > 1):
        asked = first.setdefault((record.fields["db_id"], question), record)
        if asked.split != record.split:
            yield _leak(record, "leak-exact", f"the question is also in {asked.split} ({asked.place})")


def _same_query(group: Sequence[Compared]) -> Iterator[Finding]:
    """Duplicates, near-duplicates and leaks among rows of one query, and the query itself if it is in two splits."""
    first: dict[tuple[str, str], Compared] = {}
    for row in group:
        earlier = first.setdefault((row.record.split, row.question), row).record
        if earlier is not row.record:
            reason = f"the same question and query about {earlier.fields['db_id']} as in {earlier.place}"
            yield row.record.mark(Finding("exact-duplicate", "error", reason, "remove one of the two"))
    yield from _same_words([*first.values()])
    # Unanswerable questions all have the same query, which is no leak.
    answerable = [row for row in group if row.query and row.record.fields.get("answerable") is not False]
    for record, _, query in answerable:
        source = answerable[0].record
        if record.split != source.split:
            reason = f"the query is also in {source.split} ({source.place}), with the same names and values: {query}"
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
            yield _leak(later.record, "leak-near", f"nearly the same question is in {earlier.record.split} {evidence}")
        else:
            fix = "remove one of the two, or ask in words that differ more"
            reason = f"nearly the same question as in an earlier row {evidence}"
            yield later.record.mark(Finding("near-duplicate", "warning", reason, fix))


def similar_pairs(texts: Sequence[str], splits: Sequence[str]) -> list[tuple[int, int, float]]:
    """For each text, the first earlier similar text of the same split, and the first of another split.

    Returns the indices of the later and the earlier text and their Jaccard similarity, ``THRESHOLD`` to 1, sorted.
    Equal texts are no pair. Above ``MAX_GROUP`` texts, a pair that differs at both ends may be missed.
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
    """Indices of the pairs of texts to compare, the earlier text first; a pair may come twice."""
    places = range(len(texts))
    if len(texts) <= MAX_GROUP:
        yield from combinations(places, 2)
        return
    for order in (sorted(places, key=lambda place: texts[place][::step]) for step in (1, -1)):
        for rank, place in enumerate(order):
            yield from ((min(place, other), max(place, other)) for other in order[rank + 1 : rank + 1 + N_NEIGHBOURS])


def jaccard(first: str, second: str) -> float:
    """``|A and B| / |A or B|`` of two texts' sets of shingles, 0 to 1; 1 for equal sets (Jaccard 1901)."""
    a, b = _shingles(first), _shingles(second)
    n_common = len(a & b)
    return n_common / (len(a) + len(b) - n_common)


@lru_cache(maxsize=2 * MAX_GROUP)  # a text is compared with several others in a row; one set takes about 10 KB
def _shingles(text: str) -> frozenset[str]:
    return frozenset(text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1)))


def _skeleton_notes(rows: Iterable[Compared]) -> Iterator[Finding]:
    """For each split but training, a note with the share of its rows whose query skeleton training has too."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record, _, _ in rows:
        counts[record.split][skeleton(record.fields["query"])] += 1
    trained = counts.pop("train", Counter())
    for split, found in counts.items():
        n_rows, n_shared = found.total(), sum(n for shape, n in found.items() if shape in trained)
        if n_shared:
            reason = f"{n_shared} of {n_rows} rows ({n_shared / n_rows:.0%}) have a query skeleton that train has too"
            fix = "this is normal; report the accuracy on the other rows, which test new forms of queries, separately"
            yield Finding("leak-skeleton", "note", reason, fix, split, split)


def _leak(record: Record, check: str, reason: str) -> Finding:
    return record.mark(Finding(check, "error", reason, "remove the row from one of the two splits"))
