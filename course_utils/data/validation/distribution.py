"""Describe each split as a whole: imbalanced classes, variety of words and queries, tables and columns never asked for.

Distinct-n (Li et al. 2016, arXiv 1510.03055) = different n-grams / all n-grams, in 0 to 1; higher is more varied.
It falls as a split grows, so compare splits of similar size.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from course_utils.data.formats.record import Record
from course_utils.files import portable
from course_utils.finding import Finding, Severity
from course_utils.sql import Schema
from course_utils.sql.query_forms import skeleton

LABELS = ("db_id", "difficulty", "source")
"""Fields that hold classes."""
RARE_SHARE = 0.01
RARE_OF_EVEN = 0.2
"""A class is rare if its share of the rows is below ``RARE_SHARE`` and below this multiple of an even share."""
DOMINANT_SHARE = 0.8
N_NAMED = 8  # names that a finding lists at most
_WORD = re.compile(r"\w+")


def describe_splits(records: Iterable[Record], schemas: Mapping[str, Schema]) -> list[Finding]:
    """Findings on each split's rare and dominant classes, and notes on its words, query shapes and unasked columns.

    ``records`` are rows whose queries run. Databases that are not in ``schemas`` have no note on unasked columns.
    """
    by_split: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_split[record.split].append(record)
    found = []
    for split, rows in by_split.items():
        about = (*_imbalance(rows), _variety(rows), *_unasked(rows, schemas))
        place = f"{split} rows of {portable(rows[0].path)}"
        found += [replace(finding, split=split, place=place) for finding in about]
    return found


def _imbalance(rows: Sequence[Record]) -> Iterator[Finding]:
    """Rare and dominant classes of one split, for fields with two classes or more in over half of its rows."""
    for name in LABELS:
        counts = Counter(str(row.fields[name]) for row in rows if row.fields.get(name) is not None)
        n_rows = counts.total()
        if len(counts) < 2 or n_rows <= len(rows) / 2:
            continue
        share = min(RARE_SHARE, RARE_OF_EVEN / len(counts))
        if rare := [f"{label} ({n})" for label, n in reversed(counts.most_common()) if n < share * n_rows]:
            which = f"{len(rare)} of {len(counts)} classes have under {100 * share:.2g} % of {n_rows:,} rows"
            reason = f'"{name}": {which}: {_some(rare)}'
            # A class that is rare in training is not learned; in another split it is only measured inaccurately.
            severity: Severity = "warning" if rows[0].split == "train" else "note"
            fix = "add rows of these classes: so few can hardly teach a model, nor measure it"
            yield Finding("label-balance", severity, reason, fix)
        label, n = counts.most_common(1)[0]
        if n / n_rows > DOMINANT_SHARE:
            reason = f'"{name}": {n / n_rows:.0%} of {n_rows:,} rows are {label}, which hides the score of the others'
            fix = "add rows of the other classes, and report the score of each class"
            yield Finding("label-balance", "warning", reason, fix)


def distinct_n(texts: Iterable[str], n: int) -> float:
    """Different n-grams of words as a share of all n-grams, 0 to 1; 0 if there are none."""
    grams: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = _WORD.findall(text.casefold())
        grams.update(zip(*(words[start:] for start in range(n)), strict=False))
    return len(grams) / grams.total() if grams else 0.0


def _variety(rows: Sequence[Record]) -> Finding:
    one, two = (distinct_n((row.fields["question"] for row in rows), n) for n in (1, 2))
    shapes = Counter(skeleton(row.fields["query"]) for row in rows)
    shape, n = shapes.most_common(1)[0]
    reason = (
        f"distinct-1 of the questions is {one:.3f} and distinct-2 {two:.3f} (different words and pairs of words, as "
        f"shares of all); {len(shapes):,} query shapes in {len(rows):,} rows, the most frequent in "
        f"{n / len(rows):.0%}: {shape}"
    )
    return Finding("diversity", "note", reason, "ask in more varied words, and add queries of other shapes")


def _unasked(rows: Sequence[Record], schemas: Mapping[str, Schema]) -> Iterator[Finding]:
    """Tables and columns that no query of the split names; keys are left out, because joins name them."""
    used: dict[str, set[str]] = defaultdict(set)
    for db_id, query in {(row.fields["db_id"], row.fields["query"]) for row in rows}:
        used[db_id].update(_WORD.findall(query.casefold()))
    names = {}  # database and name of each table or column, by the text that a finding shows
    for db_id in sorted(used.keys() & schemas.keys()):
        for table in schemas[db_id].tables:
            names[f"{db_id}.{table.name}"] = db_id, table.name
            columns = [each.name for each in table.columns if not (each.is_primary_key or each.references)]
            names |= {f"{db_id}.{table.name}.{column}": (db_id, column) for column in columns}
    words = ((shown, db_id, _WORD.findall(name.casefold())) for shown, (db_id, name) in names.items())
    if unused := [shown for shown, db_id, found in words if not used[db_id].issuperset(found)]:
        reason = f"{len(unused):,} of {len(names):,} tables and columns are in no query: {_some(unused)}"
        yield Finding("diversity", "note", reason, "add questions about them, or a model will not learn to use them")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:N_NAMED]) + (f" and {len(names) - N_NAMED:,} more" if len(names) > N_NAMED else "")
