"""Rows as the text files of a stranger hold them: an error for a whole file, a fault for each bad line or row.

JSON is read as strictly as the standard has it, since other readers of the same rows are strict.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from course_utils.data.privacy.detect import mask
from course_utils.errors import FormatError
from course_utils.files import Row, portable
from course_utils.finding import Finding, printable
from course_utils.tasks import normalise

BOM = b"\xef\xbb\xbf"
# Archives, Parquet and SQLite.
_OTHER_KINDS = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"(\xb5/\xfd", b"PAR1", b"SQLite format 3\x00")
_BY_ROW = (".json", ".parquet")


@dataclass(frozen=True)
class Record:
    """One row as its file holds it; ``fault`` says why ``fields`` could not be read."""

    path: Path
    line: int  # in arrays and Parquet files, which row it is
    fields: Row = field(default_factory=dict)
    fault: str = ""  # ``what is wrong; what to do``
    raw: str = ""  # with a fault, the row as text where there is any, so that nothing is lost
    split: str = ""
    number: int = 0  # which row of its split it is: the line, or in other files than JSON lines the position
    check: str = "schema"  # the fault's kind: ``encoding`` (the bytes are not clean UTF-8 text) or this (all else)

    @property
    def place(self) -> str:
        """``data/train.jsonl:17``, or ``dev.json (row 17)``; from the project where the file lies in it."""
        of_row = f" (row {self.line})" if self.path.suffix in _BY_ROW else f":{self.line}"
        return printable(f"{portable(self.path)}{of_row}")

    def mark(self, finding: Finding) -> Finding:
        """A finding, said of this row; what it quotes is masked, for the report must not be the next leak."""
        shown = replace(finding, reason=mask(finding.reason), fix=mask(finding.fix))
        return replace(shown, split=self.split, number=self.number, place=self.place)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two rows the same question: the database and the words, whatever case and punctuation."""
        return str(self.fields.get("db_id")), normalise(str(self.fields.get("question")))


class RowError(ValueError):
    """Why a row does not fit, ``what is wrong; what to do``: becomes a record's fault or a line of a FormatError."""


def to_record(path: Path, line: int, value: Any) -> Record:
    """A value as a row, or as a fault if it is no object that every reader of JSON takes, as one with NaN or bytes."""
    if not isinstance(value, dict):
        fault = "not an object; every row is one, with fields such as db_id, question, query"
        return Record(path, line, fault=fault, raw=to_raw(value))
    for name, inner in value.items():
        try:
            json.dumps({name: inner}, ensure_ascii=False, allow_nan=False).encode()
        except (RecursionError, TypeError, ValueError) as error:
            fix = "write text, finite numbers, true, false, null, lists, objects, each key once"
            return Record(path, line, fault=f"{name!r}: no JSON ({error}); {fix}", raw=to_raw(value))
    return Record(path, line, value)


def to_raw(value: Any) -> str:
    """A value as text, whatever it is; empty if it is nested too deeply."""
    with suppress(RecursionError):
        return json.dumps(value, default=repr)
    return ""


def file_error(path: Path, reason: str, line: int = 0) -> FormatError:
    """The error for a whole file, or for one of its lines."""
    return FormatError(f"{portable(path)}{f':{line}' if line else ''}: {reason}")


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, and nothing that would block, such as a pipe; raises FormatError where it cannot."""
    try:
        if path.is_file() or not path.exists():
            return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise file_error(path, f"cannot be opened ({reason}); check the path and its permissions") from error
    raise file_error(path, "not a regular file; name the file that holds the rows")


def read_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Lines one by one: the number from 1, the text with its end, and why it is no text; a byte order mark is accepted.

    Raises:
        FormatError: The file cannot be opened, is no text, or is empty.
    """
    is_empty = True
    with open_file(path) as file:
        head = file.read(4096)
        file.seek(0)
        if head.startswith(_OTHER_KINDS) or head.count(0) > len(head) // 10:
            raise file_error(path, "no text but an archive, Parquet, a database or UTF-16; save the rows as UTF-8 text")
        for number, raw in enumerate(file, 1):
            raw = raw.removeprefix(BOM) if number == 1 else raw
            is_empty = is_empty and not raw.strip()
            try:
                yield number, raw.decode("utf-8"), ""
            except UnicodeDecodeError as error:
                at = error.start
                fault = f"not UTF-8 (0x{raw[at]:02x} at byte {at + 1}); save the file as UTF-8"
                yield number, raw.decode("utf-8", "backslashreplace"), fault
    if is_empty:
        raise file_error(path, "the file is empty; add rows or remove it")


def read_text(path: Path) -> str:
    """A whole file as text, without its byte order mark; raises FormatError with the line that is not UTF-8."""
    texts = []
    for number, text, fault in read_lines(path):
        if fault:
            raise file_error(path, fault, number)
        texts.append(text)
    return "".join(texts)


def read_json_rows(path: Path) -> Iterator[Record]:
    """Rows of a file of one object per line, or of an array of objects, which a ``.json`` file may hold.

    Raises:
        FormatError: The file as a whole cannot be read, as an array that is not whole. A row that cannot be read comes
            with a ``fault`` instead.
    """
    with open_file(path) as file:
        is_array = path.suffix.lower() == ".json" and file.read(4096).removeprefix(BOM).lstrip().startswith(b"[")
    if is_array:
        try:
            values = decode(read_text(path))
        except RowError as error:
            cause = error.__cause__
            line = cause.lineno if isinstance(cause, json.JSONDecodeError) else 0
            raise file_error(path, str(error), line) from error
        yield from (to_record(path, number, value) for number, value in enumerate(values, 1))
        return
    for number, text, fault in read_lines(path):
        if fault:
            yield Record(path, number, fault=fault, raw=text.strip(), check="encoding")
        elif content := text.strip(" \t\r\n"):
            try:
                yield to_record(path, number, decode(content))
            except RowError as error:
                yield Record(path, number, fault=str(error), raw=content)


def decode(text: str) -> Any:
    """The one JSON value that a text is, as far as Python reads it; RowError if it is none, or more follows."""
    try:
        return json.loads(text, object_pairs_hook=_to_object)
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON ({error.msg}, column {error.colno}); write the row whole, on one line") from error
    except (RecursionError, ValueError) as error:  # a key twice, or Python's own limits of depth and digits
        fix = "write each key once and long numbers as text, flatten rows"
        raise RowError(f"JSON that Python does not read ({error}); {fix}") from error


def _to_object(pairs: list[tuple[str, Any]]) -> Row:
    if len(fields := dict(pairs)) < len(pairs):
        raise ValueError(f"a key twice among {', '.join(name for name, _ in pairs)}")
    return fields
