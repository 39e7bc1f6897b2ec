"""Rows by what they are about, so that a score can be looked at in parts."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from course_utils.artifacts import DIFFICULTIES, Row

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
SHAPES = {
    "several queries": r"\bSELECT\b.*\bSELECT\b",
    "join": r"\bJOIN\b",
    "groups": r"\bGROUP\s+BY\b",
    "aggregate": r"\b(?:COUNT|SUM|AVG|MIN|MAX)\s*\(",
    "one table": "",
}
"""What a query is called by the first that it holds, the hardest first."""
LENGTHS = {"to 8 words": 8, "9 to 14 words": 14, "15 words and more": 10**9}


def shape_of(query: str) -> str:
    """The first of ``SHAPES`` that a query has, read off its keywords."""
    text = _QUOTED.sub("''", query)
    return next(name for name, words in SHAPES.items() if re.search(words, text, re.IGNORECASE | re.DOTALL))


def _length_of(question: str) -> str:
    return next((name for name, longest in LENGTHS.items() if 0 < len(question.split()) <= longest), "")


SLICES: dict[str, Callable[[Row], str]] = {
    "seen": lambda row: (
        {True: "seen", False: "unseen"}.get(row["seen"], "") if isinstance(row.get("seen"), bool) else ""
    ),
    "difficulty": lambda row: str(row.get("difficulty") or ""),
    "shape": lambda row: shape_of(str(row.get("query", ""))),
    "question_length": lambda row: _length_of(str(row.get("question") or "")),
    "source": lambda row: str(row.get("source") or "").partition(":")[0],
}
"""How each kind of slice names the one that a row is in; empty where the row does not say."""
_ORDER = ("seen", "unseen", *DIFFICULTIES, *reversed(SHAPES), *LENGTHS)


def slice_rows(rows: Sequence[Row]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Indices of the rows in each slice of each kind, the simplest first."""
    found: dict[str, dict[str, list[int]]] = {kind: defaultdict(list) for kind in SLICES}
    for index, row in enumerate(rows):
        for kind, name_of in SLICES.items():
            if name := name_of(row):
                found[kind][name].append(index)

    def place(name: str) -> tuple[int, str]:
        return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)

    return {kind: {name: tuple(names[name]) for name in sorted(names, key=place)} for kind, names in found.items()}
