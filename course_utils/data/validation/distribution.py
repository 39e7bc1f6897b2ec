"""What a split as a whole tells: classes out of balance, how varied its words and queries are, what it never asks.

Distinct-n (Li et al. 2016, arXiv 1510.03055) = different n-grams / all n-grams, in 0 to 1; higher is more varied.
It falls as a split grows, so compare splits of like size.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from course_utils.data.formats.record import Record, shown
from course_utils.data.validation.query_forms import skeleton
from course_utils.finding import Finding, Severity
from course_utils.sql import Schema

LABELS = ("db_id", "difficulty", "source")
"""Fields that hold classes."""
RARE_SHARE = 0.01
RARE_OF_EVEN = 0.2
"""A class is rare below both: with a hundred classes, one in a hundred is just its turn."""
DOMINANT_SHARE = 0.8
_MAX_NAMED_CLASSES, _MAX_NAMED_COLUMNS = 5, 12
_WORD = re.compile(r"\w+")


def find_imbalance(records: Iterable[Record], fields: Sequence[str] = LABELS) -> list[Finding]:
    """Classes below 1 % or above 80 % of a split; a field with one class, or in few of the rows, is no label."""
    found = []
    for split, rows in _by_split(records).items():
        # What training has little of is not learned, elsewhere it is just not measured.
        rare_is: Severity = "warning" if split == "train" else "note"
        for name in fields:
            values = [str(row.fields[name]) for row in rows if row.fields.get(name) is not None]
            if len(values) > len(rows) / 2:
                found += [_of_split(finding, rows) for finding in _imbalance(name, Counter(values), rare_is)]
    return found


def _imbalance(name: str, counts: Counter[str], rare_is: Severity) -> Iterator[Finding]:
    n_rows = counts.total()
    if len(counts) < 2:
        return
    rare = sorted((n, label) for label, n in counts.items() if n / n_rows < min(RARE_SHARE, RARE_OF_EVEN / len(counts)))
    if rare:
        named = _some([f"{label} ({n})" for n, label in rare], _MAX_NAMED_CLASSES)
        reason = f'"{name}": {len(rare)} of {len(counts)} classes have under 1 % of {n_rows:,} rows: {named}'
        yield Finding("label-balance", rare_is, reason, "add rows of them, or expect nothing of a model there")
    label, n = counts.most_common(1)[0]
    if n / n_rows > DOMINANT_SHARE:
        reason = f'"{name}": {n / n_rows:.0%} of {n_rows:,} rows are {label}, so always saying so scores as much'
        yield Finding("label-balance", "warning", reason, "add rows of the others, and report the score of each class")


def describe_diversity(records: Iterable[Record], schemas: Mapping[str, Schema]) -> list[Finding]:
    """Notes on each split: distinct-1 and distinct-2, coverage of query shapes, and unused tables and columns.

    Args:
        records: Rows that run.
        schemas: By ``db_id``; a database without one is passed over.
    """
    found = []
    for rows in _by_split(records).values():
        found += [_of_split(note, rows) for note in (_words(rows), _shapes(rows), *_unasked(rows, schemas))]
    return found


def distinct_n(texts: Iterable[str], n: int) -> float:
    """Different n-grams of words as a share of all; 0 where there are none."""
    grams: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = _WORD.findall(text.casefold())
        grams.update(zip(*(words[start:] for start in range(n)), strict=False))
    return len(grams) / grams.total() if grams else 0.0


def _words(rows: Sequence[Record]) -> Finding:
    questions = [row.fields["question"] for row in rows]
    words = {word for question in set(questions) for word in _WORD.findall(question.casefold())}
    shares = [distinct_n(questions, n) for n in (1, 2)]
    reason = f"distinct-1 of the questions is {shares[0]:.3f} and distinct-2 {shares[1]:.3f}, of {len(words):,} words"
    return _note(reason, "add other ways of asking where it is lower than in splits of like size")


def _shapes(rows: Sequence[Record]) -> Finding:
    counts = Counter(skeleton(row.fields["query"]) for row in rows)
    shape, n = counts.most_common(1)[0]
    reason = f"{len(counts):,} query shapes in {len(rows):,} rows; the most frequent, {shape}, has {n / len(rows):.0%}"
    return _note(reason, "add rows of other shapes where few have most of the rows")


def _unasked(rows: Sequence[Record], schemas: Mapping[str, Schema]) -> Iterator[Finding]:
    """Tables and columns that no query of the split names; keys are left out, because joins name them."""
    used: dict[str, set[str]] = defaultdict(set)
    for db_id, query in {(row.fields["db_id"], row.fields["query"]) for row in rows}:
        used[db_id].update(_WORD.findall(query.casefold()))
    unasked, n_names = [], 0
    for db_id in sorted(used.keys() & schemas.keys()):
        for table in schemas[db_id].tables:
            columns = [column.name for column in table.columns if not (column.is_primary_key or column.references)]
            n_names += 1 + len(columns)
            if not _is_used(table.name, used[db_id]):
                unasked.append(f"{db_id}.{table.name}")
            unasked += [f"{db_id}.{table.name}.{name}" for name in columns if not _is_used(name, used[db_id])]
    if unasked:
        named = _some(unasked, _MAX_NAMED_COLUMNS)
        reason = f"{len(unasked):,} of {n_names:,} tables and columns are in no query: {named}"
        yield _note(reason, "ask about them, or a model will not learn their names")


def _is_used(name: str, words: set[str]) -> bool:
    return all(word in words for word in _WORD.findall(name.casefold()))


def _some(names: Sequence[str], limit: int) -> str:
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _note(reason: str, fix: str) -> Finding:
    return Finding("diversity", "note", reason, fix)


def _by_split(records: Iterable[Record]) -> dict[str, list[Record]]:
    by_split: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_split[record.split].append(record)
    return by_split


def _of_split(finding: Finding, rows: Sequence[Record]) -> Finding:
    return finding.at(rows[0].split, 0, f"{rows[0].split} rows of {shown(rows[0].path)}")
