"""Rows of one split that say the same thing twice, word for word or nearly.

A row twice weighs double in training, and in a test it makes the result look surer than it is.
"""

from collections.abc import Sequence

from course_utils.data.finding import Finding
from course_utils.data.validation.near import THRESHOLD, NearPair, near_pairs
from course_utils.data.validation.signature import Signature


def find_duplicates(signatures: Sequence[Signature], pairs: Sequence[NearPair] | None = None) -> list[Finding]:
    """Exact and near duplicates within each split; a row has at most one finding, and the first of its like has none.

    Args:
        signatures: Rows of all splits, in any order.
        pairs: What ``near_pairs`` found in them; found here, with the default threshold, if not given.

    Returns:
        Sorted by split and row. Exact duplicates are errors, near ones warnings.
    """
    exact = _exact(signatures)
    repeated = {(finding.split, finding.number) for finding in exact}
    near = _near(near_pairs(signatures, THRESHOLD) if pairs is None else pairs)
    return [*exact, *(finding for finding in near if (finding.split, finding.number) not in repeated)]


def _exact(signatures: Sequence[Signature]) -> list[Finding]:
    first: dict[tuple[str, ...], Signature] = {}
    found = []
    for row in sorted(signatures, key=lambda signature: signature.order):
        if not row.question:
            continue
        earlier = first.setdefault((row.split, row.db_id, row.question, row.query), row)
        if earlier is not row:
            reason = f"the same question and query about {row.db_id} as in {earlier.place}"
            found.append(_finding(row, "exact-duplicate", reason))
    return found


def _near(pairs: Sequence[NearPair]) -> list[Finding]:
    """One finding a row: it names the first row that it is like."""
    found: dict[tuple[str, int], Finding] = {}
    for later, earlier, similarity in pairs:
        if later.split == earlier.split and (later.split, later.number) not in found:
            reason = (
                f"nearly the question of {earlier.place}, with the same query "
                f"(Jaccard similarity {similarity:.2f}): {later.question!r}, {earlier.question!r}"
            )
            found[later.split, later.number] = _finding(later, "near-duplicate", reason)
    return list(found.values())


def _finding(row: Signature, check: str, reason: str) -> Finding:
    if check == "exact-duplicate":
        return Finding(check, "error", reason, "remove one of the two", row.place, row.split, row.number)
    fix = "remove one of the two, or ask in words that differ more"
    return Finding(check, "warning", reason, fix, row.place, row.split, row.number)
