"""How varied a split is: its questions' words, its queries' shapes, and what of the schemas it never asks about.

Distinct-n (Li et al. 2016, arXiv 1510.03055) = different n-grams / all n-grams, in 0 to 1; higher is more varied.
It falls as a split grows, so compare splits of like size.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from course_utils.data.finding import Finding, Problem
from course_utils.data.formats.record import Record, shown
from course_utils.data.validation.skeleton import skeleton
from course_utils.data.validation.syntax import pattern
from course_utils.sql import Schema

_WORD = re.compile(r"\w+")
_MAX_NAMED = 12


def distinct_n(texts: Iterable[str], n: int) -> float:
    """Different n-grams of words as a share of all; 0 where there are none."""
    grams: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = _WORD.findall(text.casefold())
        grams.update(zip(*(words[start:] for start in range(n)), strict=False))
    return len(grams) / grams.total() if grams else 0.0


def describe_diversity(records: Iterable[Record], schemas: Mapping[str, Schema]) -> list[Finding]:
    """Notes on each split: distinct-1 and distinct-2, coverage of query shapes, and unused tables and columns.

    Args:
        records: Rows that run.
        schemas: By ``db_id``; a database without one is passed over.
    """
    by_split: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_split[record.split].append(record)
    found = []
    for split, rows in by_split.items():
        problems = [_words(rows), _shapes(rows), _unasked(rows, schemas)]
        found += [problem.at(split, 0, f"{split} rows of {shown(rows[0].path)}") for problem in problems if problem]
    return found


def _words(rows: Sequence[Record]) -> Problem:
    questions = [row.fields["question"] for row in rows]
    words = {word for question in set(questions) for word in _WORD.findall(question.casefold())}
    shares = [distinct_n(questions, n) for n in (1, 2)]
    reason = f"distinct-1 of the questions is {shares[0]:.3f} and distinct-2 {shares[1]:.3f}, of {len(words):,} words"
    return _note(reason, "add other ways of asking where it is lower than in splits of like size")


def _shapes(rows: Sequence[Record]) -> Problem:
    counts = Counter(map(skeleton, Counter(pattern(row.fields["query"]) for row in rows).elements()))
    shape, n = counts.most_common(1)[0]
    reason = f"{len(counts):,} query shapes in {len(rows):,} rows; the most frequent, {shape}, has {n / len(rows):.0%}"
    return _note(reason, "add rows of other shapes where few have most of the rows")


def _unasked(rows: Sequence[Record], schemas: Mapping[str, Schema]) -> Problem | None:
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
    if not unasked:
        return None
    named = ", ".join(unasked[:_MAX_NAMED]) + (" ..." if len(unasked) > _MAX_NAMED else "")
    reason = f"{len(unasked):,} of {n_names:,} tables and columns are in no query: {named}"
    return _note(reason, "ask about them, or a model will not learn their names")


def _is_used(name: str, words: set[str]) -> bool:
    return all(word in words for word in _WORD.findall(name.casefold()))


def _note(reason: str, fix: str) -> Problem:
    return Problem("diversity", "note", reason, fix)
