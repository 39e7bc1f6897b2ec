"""One row as a file holds it, and how its place is named to people."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_utils.artifacts import PROJECT
from course_utils.errors import FormatError

Row = dict[str, Any]
MAX_LISTED = 20
"""Bad rows that one error lists; it counts the others."""


@dataclass(frozen=True)
class Record:
    """One row as its file holds it; ``fault`` says why ``fields`` could not be read."""

    path: Path
    line: int
    fields: Row = field(default_factory=dict)
    fault: str = ""
    """``what is wrong; what to do``"""
    split: str = ""
    number: int = 0
    """Which row of its split it is: the line, or in a JSON array the position."""
    check: str = ""
    """What kind of fault: ``encoding`` (the bytes are not clean UTF-8 text) or ``schema`` (anything else)."""

    @property
    def place(self) -> str:
        """``data/train.jsonl:17``, from the project where the file lies in it."""
        row = "" if self.path.suffix == ".jsonl" else f" (row {self.number})"
        return f"{shown(self.path)}:{self.line}{row}"

    @property
    def key(self) -> tuple[str, str]:
        """What makes two rows the same question: the database and the words, whatever case and punctuation."""
        return str(self.fields.get("db_id")), normalise(str(self.fields.get("question")))


class Misfit(ValueError):  # noqa: N818 - a reason on its way to a Record's fault or a FormatError, never seen outside
    """Why a value does not fit: ``what is wrong; what to do``."""


@lru_cache(maxsize=256)  # every row of a file asks
def shown(path: Path) -> str:
    """A path to show to people: from the project where it lies in it."""
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


def normalise(question: str) -> str:
    """A question without case, punctuation at its end and repeated spaces."""
    return " ".join(question.casefold().split()).strip(" ?.!")


def misfit(path: Path, reason: str, line: int = 0) -> FormatError:
    """The error for a whole file, or for one of its lines."""
    return FormatError(f"{shown(path)}{f':{line}' if line else ''}: {reason}")


def refuse_rows(path: Path, faults: list[str]) -> None:
    """Stop if rows that should be written do not fit.

    Args:
        path: The file that should be written.
        faults: ``row 3: what is wrong; what to do``, one for each bad row.

    Raises:
        FormatError: There are some; lists the first ``MAX_LISTED``.
    """
    if not faults:
        return
    more = [f"... and {len(faults) - MAX_LISTED} more"] if len(faults) > MAX_LISTED else []
    raise misfit(path, "\n".join([f"{len(faults)} rows do not fit:", *faults[:MAX_LISTED], *more]))
