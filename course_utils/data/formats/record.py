"""One row as a file holds it, and how its place is named to people."""

import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_utils.artifacts import PROJECT, Row
from course_utils.errors import FormatError

_BY_ROW = (".json", ".parquet")
_MARKS = ".,;:!?\"'()[]{}…“”‘’„«»`"


@dataclass(frozen=True)
class Record:
    """One row as its file holds it; ``fault`` says why ``fields`` could not be read."""

    path: Path
    line: int  # in arrays and Parquet files, which row it is
    fields: Row = field(default_factory=dict)
    fault: str = ""  # ``what is wrong; what to do``
    split: str = ""
    number: int = 0  # which row of its split it is: the line, or in other files than JSON lines the position
    check: str = ""  # the fault's kind: ``encoding`` (the bytes are not clean UTF-8 text) or ``schema`` (all else)

    @property
    def place(self) -> str:
        """``data/train.jsonl:17``, or ``dev.json (row 17)``; from the project where the file lies in it."""
        return f"{shown(self.path)}{f' (row {self.line})' if self.path.suffix in _BY_ROW else f':{self.line}'}"

    @property
    def key(self) -> tuple[str, str]:
        """What makes two rows the same question: the database and the words, whatever case and punctuation."""
        return str(self.fields.get("db_id")), normalise(str(self.fields.get("question")))


class RowError(ValueError):
    """Why a row does not fit, ``what is wrong; what to do``: becomes a record's fault or a line of a FormatError."""


def file_error(path: Path, reason: str, line: int = 0) -> FormatError:
    """The error for a whole file, or for one of its lines."""
    return FormatError(f"{shown(path)}{f':{line}' if line else ''}: {reason}")


@lru_cache(maxsize=256)  # every row of a file asks
def shown(path: Path) -> str:
    """A path to show to people: from the project where it lies in it."""
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


def normalise(question: str) -> str:
    """The words without case, Unicode's variants, and marks around them: ``"Who's 3.5%?"`` is ``who's 3.5%``."""
    words = unicodedata.normalize("NFKC", question).casefold().split()
    return " ".join(filter(None, (word.strip(_MARKS) for word in words)))


def without_none(value: Any) -> Any:
    """A value whose objects have no fields that are None: columns cannot tell such a field from a missing one."""
    if isinstance(value, dict):
        return {name: without_none(inner) for name, inner in value.items() if inner is not None}
    return [without_none(inner) for inner in value] if isinstance(value, list) else value
