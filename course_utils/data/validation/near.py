"""Pairs of rows whose questions are nearly the same, in time that grows linearly with the rows.

Rows are compared that ask the same database and have the same query: "older than 30" and "older than 40" are nearly
the same text but different questions, and their queries say so.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from course_utils.data.validation.minhash import band_keys, jaccard
from course_utils.data.validation.signature import Signature

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLD = 0.8
"""The usual one for duplicates in training data (Lee et al. 2022, arXiv 2107.06499)."""
SMALL_BUCKET = 32
"""Up to so many rows with one key are all compared with each other."""
N_LEADERS = 2
"""In a larger bucket each row is compared with the first ones and with its predecessor, lest time grow quadratic."""


class NearPair(NamedTuple):
    """Two rows that are alike; ``later`` is the one to remove."""

    later: Signature
    earlier: Signature
    similarity: float


def near_pairs(signatures: Sequence[Signature], threshold: float = THRESHOLD) -> list[NearPair]:
    """The pairs of rows with the same query and nearly the same question, without those that are exactly the same.

    Args:
        signatures: Rows of all splits, in any order.
        threshold: Jaccard similarity, above 0.1 and at most 1.

    Returns:
        Each with its exact similarity; sorted by the later row, then by the earlier. Of rows of one split that are
        exact duplicates only the first is compared. Among more than ``SMALL_BUCKET`` rows that are all alike, each
        is paired with the first ones only.

    Raises:
        ConfigurationError: The threshold is no similarity.
    """
    rows = distinct_rows(signatures)
    questions = [row.question for row in rows]
    pairs = near_texts(questions, [block_of(row) for row in rows], threshold)
    return [NearPair(rows[later], rows[earlier], value) for later, earlier, value in pairs]


def distinct_rows(signatures: Sequence[Signature]) -> list[Signature]:
    """Rows to compare, in their order: those with a question, the first of each split's exact duplicates."""
    seen: set[tuple[str, ...]] = set()
    rows = []
    for row in sorted(signatures, key=lambda signature: signature.order):
        key = (row.split, row.db_id, row.question, row.query)
        if row.question and key not in seen:
            seen.add(key)
            rows.append(row)
    return rows


def block_of(row: Signature) -> str:
    """What two rows must share to be compared at all."""
    return f"{row.db_id}\n{row.query}"


def near_texts(
    texts: Sequence[str], blocks: Sequence[str], threshold: float = THRESHOLD
) -> list[tuple[int, int, float]]:
    """Pairs of different texts of one block that are alike, as (later place, earlier place, Jaccard similarity).

    Raises:
        ConfigurationError: The threshold is no similarity.
    """
    import numpy as np

    numbers: dict[str, int] = {}
    block = np.fromiter((numbers.setdefault(text, len(numbers)) for text in blocks), dtype=np.int64, count=len(blocks))
    later, earlier = candidates(band_keys(texts, blocks, threshold)).T
    same = np.flatnonzero(block[later] == block[earlier])  # keys may collide
    # Block by block, so that a text's runs are made once for all its pairs.
    same = same[np.argsort(block[later[same]], kind="stable")]
    found = []
    for i, j in zip(later[same].tolist(), earlier[same].tolist(), strict=True):
        if texts[i] != texts[j] and (value := jaccard(texts[i], texts[j])) >= threshold:
            found.append((i, j, value))
    return sorted(found)


def candidates(keys: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Pairs of rows that share a key in some band: shape (pairs, 2), later and earlier place, each pair once."""
    import numpy as np

    n_rows = len(keys)
    codes = np.empty(0, dtype=np.int64)
    for band in range(keys.shape[1]):
        order = np.argsort(keys[:, band], kind="stable")  # stable: within a bucket the places ascend
        later, earlier = bucket_pairs(keys[order, band], order)
        codes = np.sort(np.concatenate([codes, later * n_rows + earlier]))
        codes = codes[np.diff(codes, prepend=-1) != 0]  # np.unique hashes since numpy 2.3, ten times slower here
    return np.stack([codes // max(n_rows, 1), codes % max(n_rows, 1)], axis=1)


def bucket_pairs(
    keys: "NDArray[np.int64]", places: "NDArray[np.int64]"
) -> tuple["NDArray[np.int64]", "NDArray[np.int64]"]:
    """Which rows to compare, as later and earlier places; in large buckets not more than linear in their size.

    Args:
        keys: Keys of one band, sorted: rows with one key are a bucket.
        places: The rows' places, ascending within a bucket.
    """
    import numpy as np

    starts = np.flatnonzero(np.concatenate([np.ones(min(len(keys), 1), dtype=bool), keys[1:] != keys[:-1]]))
    sizes = np.diff(starts, append=len(keys))
    rank = np.arange(len(keys)) - np.repeat(starts, sizes)  # 0 is the bucket's first row
    small = np.repeat(sizes <= SMALL_BUCKET, sizes)
    pairs = []
    at = np.flatnonzero(small & (rank > 0))
    for distance in range(1, SMALL_BUCKET):
        pairs.append((at, at - distance))
        at = at[rank[at] > distance]
    at = np.flatnonzero(~small)
    for leader in range(N_LEADERS):
        follows = at[rank[at] > leader]
        pairs.append((follows, follows - rank[follows] + leader))
    follows = at[rank[at] > N_LEADERS]
    pairs.append((follows, follows - 1))
    return tuple(places[np.concatenate(side)] for side in zip(*pairs, strict=True))
