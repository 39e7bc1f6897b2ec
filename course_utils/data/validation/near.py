"""Questions that are nearly the same, among those that have the same query about the same database.

"Older than 30" and "older than 40" are nearly the same text and different questions, and their queries say so. So only
rows of one query are compared, and such groups are small. Where nothing groups the texts, MinHash finds candidates
(Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3); here it would find the same pairs.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

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


def similar_pairs(texts: Sequence[str], splits: Sequence[str]) -> list[tuple[int, int, float]]:
    """For each text the first earlier one of its own split that is nearly the same, and the first of another split.

    Args:
        texts: Normalised questions of one group, in the order of their rows.
        splits: The split of each.

    Returns:
        Places of the later and the earlier text, and their Jaccard similarity, at least ``THRESHOLD``; sorted. Texts
        that are equal are no pair. In groups above ``MAX_GROUP`` a pair that is alike in its middle alone is missed.
    """
    first: dict[tuple[int, bool], tuple[int, float]] = {}
    for later, earlier in _compared(texts):
        key = later, splits[later] == splits[earlier]
        if texts[later] == texts[earlier] or (key in first and first[key][0] <= earlier):
            continue
        if (similarity := jaccard(texts[later], texts[earlier])) >= THRESHOLD:
            first[key] = earlier, similarity
    return sorted((later, earlier, similarity) for (later, _), (earlier, similarity) in first.items())


def _compared(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Places of a later and an earlier text each."""
    n_texts = len(texts)
    if n_texts <= MAX_GROUP:
        yield from ((later, earlier) for later in range(n_texts) for earlier in range(later))
        return
    for step in (1, -1):
        order = sorted(range(n_texts), key=lambda place: texts[place][::step])
        for rank, place in enumerate(order):
            for other in order[rank + 1 : rank + 1 + N_NEIGHBOURS]:
                yield max(place, other), min(place, other)


def jaccard(first: str, second: str) -> float:
    """``|A and B| / |A or B|`` of two texts' runs, 0 to 1, 1 for the same runs (Jaccard 1901)."""
    a, b = _shingles(first), _shingles(second)
    n_common = len(a & b)
    return n_common / (len(a) + len(b) - n_common)


@lru_cache(maxsize=2 * MAX_GROUP)  # a text is compared with several others, one after the other; a set takes 10 KB
def _shingles(text: str) -> frozenset[str]:
    return frozenset(text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1)))
