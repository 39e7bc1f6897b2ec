"""What the checks across rows need to know of a row; made row by row, so that it can be made in parallel."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from course_utils.data.validation.skeleton import canonical, skeleton

SPLIT_ORDER = ("train", "validation", "test")
"""Of two rows that are alike, the one in the later split is reported: what training has seen is fixed."""
_MARKS = ".,;:!?\"'()[]{}…“”‘’„«»`"


@dataclass(frozen=True, slots=True)
class Signature:
    """One row, reduced to what other rows are compared by."""

    split: str
    number: int  # row number in its split, from 1
    place: str  # "data/train.jsonl:17", for people
    db_id: str
    question: str  # as normalise_question gives it
    query: str  # as canonical gives it
    skeleton: str
    answerable: bool = True

    @property
    def order(self) -> tuple[int, str, int]:
        """Sorts rows: training first, then validation, test and others, each by number."""
        return *order_of(self.split), self.number


def order_of(split: str) -> tuple[int, str]:
    """Sorts splits."""
    return SPLIT_ORDER.index(split) if split in SPLIT_ORDER else len(SPLIT_ORDER), split


def row_signature(row: Mapping[str, Any], split: str, number: int, place: str) -> Signature:
    """Reduce one row.

    Args:
        row: Has ``db_id``, ``question`` and ``query``; one that is missing counts as empty, which is like no other row.
        split: The row's split.
        number: Its number there, from 1.
        place: Its file and line, for people.
    """
    db_id, question, query = (str(row.get(name) or "") for name in ("db_id", "question", "query"))
    answerable = row.get("answerable") is not False
    return Signature(
        split, number, place, db_id, normalise_question(question), canonical(query), skeleton(query), answerable
    )


def sign_rows(rows: Iterable[Mapping[str, Any]]) -> list[Signature]:
    """``row_signature`` of rows that have ``split``, ``number`` and ``place``, in their order."""
    return [row_signature(row, row["split"], row["number"], row["place"]) for row in rows]


def normalise_question(question: str) -> str:
    """The words without case, Unicode's variants, and marks around them: ``"Who's 3.5%?"`` is ``who's 3.5%``."""
    words = unicodedata.normalize("NFKC", question).casefold().split()
    return " ".join(filter(None, (word.strip(_MARKS) for word in words)))
