"""Rows that an earlier split gives away: by the question, by nearly the question, or by the query.

A test row that training has seen measures memory and not skill. That two splits share query *skeletons* is normal,
since people ask the same kinds of questions: it is counted and no fault. That they share the whole query is one.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from course_utils.data.finding import Finding, Severity
from course_utils.data.validation.near import THRESHOLD, NearPair, near_pairs
from course_utils.data.validation.signature import Signature, order_of

_FIX = "remove it from one of the two splits"
N_SHOWN = 3


def find_leaks(signatures: Sequence[Signature], pairs: Sequence[NearPair] | None = None) -> list[Finding]:
    """Leakage between splits. A row has at most one finding, the strongest; rows of the earlier split have none.

    Args:
        signatures: Rows of all splits, in any order.
        pairs: What ``near_pairs`` found in them; found here, with the default threshold, if not given.

    Returns:
        Errors for rows with the same question, nearly the same question or the same query about one database as an
        earlier split has, warnings for the same question and query about another; then one note a split (with row
        number 0) on how many of its skeletons training has.
    """
    rows = [row for row in signatures if row.question]
    near = near_pairs(rows, THRESHOLD) if pairs is None else pairs
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.split, Counter())[row.skeleton] += 1
    return [*leaking_rows(rows, near), *skeleton_notes(counts)]


def leaking_rows(signatures: Sequence[Signature], pairs: Sequence[NearPair]) -> list[Finding]:
    """The errors and warnings of ``find_leaks``."""
    rows = sorted((row for row in signatures if row.question), key=lambda signature: signature.order)
    found: dict[tuple[str, int], Finding] = {}
    for finding in (*_exact(rows), *_near(pairs), *_same_query(rows)):
        found.setdefault((finding.split, finding.number), finding)
    return list(found.values())


def skeleton_notes(counts: Mapping[str, Counter[str]]) -> list[Finding]:
    """One note a split: the share of its rows whose skeleton training has, and the most frequent ones.

    Args:
        counts: By split, how many rows have each skeleton.
    """
    found = []
    for split in sorted(counts.keys() - {"train"}, key=order_of):
        shared = shared_skeletons(counts[split], counts.get("train", Counter()))
        if shared:
            n_rows, n_shared = sum(counts[split].values()), sum(shared.values())
            most = sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:N_SHOWN]
            shown = "; ".join(f"{n} x {text}" for text, n in most)
            reason = (
                f"{n_shared} of {n_rows} rows ({n_shared / n_rows:.0%}) have one of {len(shared)} query skeletons "
                f"that train has too, most often {shown}"
            )
            fix = "normal for one kind of questions; report results on other skeletons apart"
            found.append(Finding("leak-skeleton", "note", reason, fix, split, split))
    return found


def shared_skeletons(counts: Counter[str], known: Collection[str]) -> Counter[str]:
    """How many rows have each skeleton that is among the known ones."""
    return Counter({skeleton: n for skeleton, n in counts.items() if skeleton in known})


def _exact(rows: Sequence[Signature]) -> list[Finding]:
    """The same question about one database, or the same question and query about another."""
    first: dict[tuple[str, ...], Signature] = {}
    found = []
    for row in rows:
        asked = first.setdefault(("question", row.db_id, row.question), row)
        answered = first.setdefault(("row", row.question, row.query), row) if row.answerable else row
        if asked.split != row.split:
            found.append(_finding(row, "leak-exact", f"the question is also in {asked.split} ({asked.place})"))
        elif answered.split != row.split:
            # Tables of one name ask for the same words, so it may be chance, and the schema is not the same.
            reason = f"the question and its query are also in {answered.split}, about {answered.db_id}"
            found.append(_finding(row, "leak-exact", f"{reason} ({answered.place})", "warning"))
    return found


def _near(pairs: Sequence[NearPair]) -> list[Finding]:
    found = []
    for later, earlier, similarity in pairs:
        if later.split != earlier.split:
            reason = (
                f"nearly the question is in {earlier.split} ({earlier.place}), with the same query "
                f"(Jaccard similarity {similarity:.2f}): {later.question!r}, {earlier.question!r}"
            )
            found.append(_finding(later, "leak-near", reason))
    return found


def _same_query(rows: Sequence[Signature]) -> list[Finding]:
    first: dict[tuple[str, str], Signature] = {}
    found = []
    for row in rows:
        # Questions that no query answers all have the same one.
        if not row.answerable or not row.query:
            continue
        earlier = first.setdefault((row.db_id, row.query), row)
        if earlier.split != row.split:
            reason = f"its query is in {earlier.split} too ({earlier.place}), names and values included: {row.query}"
            found.append(_finding(row, "leak-skeleton", reason))
    return found


def _finding(row: Signature, check: str, reason: str, severity: Severity = "error") -> Finding:
    return Finding(check, severity, reason, _FIX, row.place, row.split, row.number)
