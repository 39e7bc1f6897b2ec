"""MinHash keys that texts share when they are alike: candidates for near-duplicates without comparing all pairs.

A text is the set of its runs of three characters. Such runs were chosen by measuring, on 1,800 questions of the
course, how many of five small edits keep a Jaccard similarity of 0.8: of typos 97 % (runs of four characters: 90 %,
single words: 63 %, pairs of words: 9 %), of two words swapped 99 % (62 %, 100 %, 0 %). Questions are short, so one
changed word changes most of the longer runs.

Hashing is rensa's (MIT, wheels for Linux, macOS and Windows): 60 hashes of 100,000 questions take 0.9 s, and 10 s with
datasketch 2.0 (MIT, pure Python). It gives the same numbers in every process and on every machine, which the join on
Spark relies on.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from course_utils.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHINGLE = 3
"""Characters in a run."""
N_HASHES = 64
"""At most so many hashes a text: more find no more pairs, since candidates are compared exactly afterwards."""
RECALL = 0.99
"""Share of the pairs exactly at the threshold that must share a key; pairs above it share one more often."""
_SEED = 20
_CHUNK = 50_000


@lru_cache(maxsize=2**12)  # a text is compared with several others, one after the other; a set takes 10 KB
def shingles(text: str) -> frozenset[str]:
    """The runs of three characters; a shorter text is its own and only run."""
    return frozenset(text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1)))


def jaccard(first: str, second: str) -> float:
    """``|A and B| / |A or B|`` of two texts' runs, 0 to 1, 1 for the same runs (Jaccard 1901)."""
    a, b = shingles(first), shingles(second)
    n_common = len(a & b)
    return n_common / (len(a) + len(b) - n_common)


def choose_bands(threshold: float) -> tuple[int, int]:
    """Bands and hashes a band: the longest bands whose recall at the threshold is still ``RECALL``.

    Two texts of similarity s share a band of r hashes with probability s^r, and one of b bands with
    1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4). Longer bands give fewer
    candidates that are none.

    Raises:
        ConfigurationError: The threshold is not above 0.1 and at most 1, below which everything is alike.
    """
    if not 0.1 < threshold <= 1:
        raise ConfigurationError(f"threshold={threshold} is not a similarity; choose one above 0.1 and at most 1")
    for n_rows in range(16, 1, -1):
        n_bands = N_HASHES // n_rows
        if 1 - (1 - threshold**n_rows) ** n_bands >= RECALL:
            return n_bands, n_rows
    return N_HASHES, 1


def band_keys(texts: Sequence[str], blocks: Sequence[str], threshold: float) -> "NDArray[np.int64]":
    """Keys of which alike texts of one block share at least one.

    Args:
        texts: What to compare, normalised.
        blocks: Texts of different blocks are never alike, such as questions about different databases.
        threshold: The Jaccard similarity from which texts are alike.

    Returns:
        Shape (texts, bands); keys of different bands are not to be compared.

    Raises:
        ConfigurationError: The threshold is no similarity.
    """
    import numpy as np

    n_bands, n_rows = choose_bands(threshold)
    if not texts:
        return np.empty((0, n_bands), dtype=np.int64)
    hashed = {block: blake2b(block.encode(), digest_size=8).digest() for block in set(blocks)}
    seeds = np.frombuffer(b"".join(hashed[block] for block in blocks), dtype="<u8")
    chunks = []
    for start in range(0, len(texts), _CHUNK):  # the library answers in Python's integers, which are large
        digests = _digests(texts[start : start + _CHUNK], n_bands * n_rows)
        parts = digests.reshape(-1, n_bands, n_rows).astype(np.uint64)
        chunks.append(_fold(seeds[start : start + _CHUNK], parts))
    return np.concatenate(chunks)


def _digests(texts: Sequence[str], n_hashes: int) -> Any:
    """MinHash digests, shape (texts, hashes), uint32."""
    import numpy as np
    from rensa import RMinHash  # type: ignore[import-untyped, unused-ignore]

    padded = [text.ljust(SHINGLE, "\0") for text in texts]
    lengths = np.fromiter(map(len, padded), dtype=np.uint64, count=len(padded))
    # A character has 21 bits, so a run of three is exactly one 64-bit number, and numpy makes all of them at once.
    text = np.frombuffer("".join([*padded, "\0" * (SHINGLE - 1)]).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    characters = text.astype(np.uint64)
    runs = characters[:-2] | characters[1:-1] << np.uint64(21) | characters[2:] << np.uint64(42)
    # Runs across the end of a text belong to none.
    ends = np.cumsum(lengths)
    inside = np.ones(len(runs), dtype=bool)
    for back in range(1, SHINGLE):
        inside[(ends - np.uint64(back)).astype(np.int64)] = False
    offsets = np.concatenate([[np.uint64(0)], np.cumsum(lengths - np.uint64(SHINGLE - 1))]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(runs[inside], offsets, n_hashes, _SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32)


def _fold(seeds: Any, parts: Any) -> Any:
    """One 64-bit key of each band's hashes and the block's (FNV-1a's multiplier, and a shift to mix high bits down)."""
    import numpy as np

    keys = np.repeat(seeds[:, None], parts.shape[1], axis=1)
    for place in range(parts.shape[2]):
        keys = (keys ^ parts[:, :, place]) * np.uint64(1099511628211)
        keys ^= keys >> np.uint64(29)
    return keys.view(np.int64)
