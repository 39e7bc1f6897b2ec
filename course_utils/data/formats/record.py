"""Read rows from files that anybody may have written: an error for a file as a whole, a fault for each bad row.

JSON is read as strictly as the standard demands (no NaN, no repeated keys), because other readers are strict too.
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
# The first bytes of archives, Parquet and SQLite files.
_OTHER_KINDS = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"(\xb5/\xfd", b"PAR1", b"SQLite format 3\x00")
_BY_ROW = (".json", ".parquet")


@dataclass(frozen=True)
class Record:
    """One row of a file: its ``fields``, or the ``fault`` for which it has none."""

    path: Path
    line: int  # from 1: the line of the file; in an array or a Parquet file, the number of the row
    fields: Row = field(default_factory=dict)
    fault: str = ""  # ``what is wrong; what to do``
    raw: str = ""  # if there is a fault, the row as text as far as it can be shown, so that nothing is lost
    split: str = ""
    number: int = 0  # from 1 within the split: the line in a .jsonl file, else the position; 0 outside a dataset
    check: str = "schema"  # the check that a fault belongs to: ``encoding`` if the line is not UTF-8, else ``schema``

    @property
    def place(self) -> str:
        """``data/train.jsonl:17`` or ``dev.json (row 17)``; the path is relative to the project if it is inside."""
        of_row = f" (row {self.line})" if self.path.suffix in _BY_ROW else f":{self.line}"
        return printable(f"{portable(self.path)}{of_row}")

    def mark(self, finding: Finding) -> Finding:
        """The finding with this row's split, number and place; personal data that it quotes is masked."""
        shown = replace(finding, reason=mask(finding.reason), fix=mask(finding.fix))
        return replace(shown, split=self.split, number=self.number, place=self.place)

    @property
    def key(self) -> tuple[str, str]:
        """The database and the normalised question: equal for rows that ask the same, whatever case and punctuation."""
        return str(self.fields.get("db_id")), normalise(str(self.fields.get("question")))


class RowError(ValueError):
    """A row does not fit a format: ``what is wrong; what to do``. Becomes a fault or a line of a FormatError."""


def to_record(path: Path, line: int, value: Any) -> Record:
    """The record of a value: with fields if it is an object of strict JSON, else with a fault (NaN, bytes, a list)."""
    if not isinstance(value, dict):
        fault = "not an object; every row is one, with fields such as db_id, question, query"
        return Record(path, line, fault=fault, raw=to_raw(value))
    for name, inner in value.items():
        try:
            json.dumps({name: inner}, ensure_ascii=False, allow_nan=False).encode()
        except (RecursionError, TypeError, ValueError) as error:
            fix = "write text, finite numbers, true, false, null, lists or objects"
            return Record(path, line, fault=f"{name!r}: not JSON ({error}); {fix}", raw=to_raw(value))
    return Record(path, line, value)


def to_raw(value: Any) -> str:
    """Any value as JSON text, with ``repr`` for what JSON lacks; empty if the value is nested too deeply."""
    with suppress(RecursionError):
        return json.dumps(value, default=repr)
    return ""


def file_error(path: Path, reason: str, line: int = 0) -> FormatError:
    """The error for a file, or for one of its lines if ``line`` is not 0."""
    return FormatError(f"{portable(path)}{f':{line}' if line else ''}: {reason}")


def open_file(path: Path) -> BinaryIO:
    """Open a regular file; raise FormatError if that fails, or for anything else, such as a pipe, which could block."""
    try:
        if path.is_file() or not path.exists():
            return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise file_error(path, f"cannot be opened ({reason}); check the path and its permissions") from error
    raise file_error(path, "not a regular file; name the file that holds the rows")


def read_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield each line's number from 1, its text with the line end, and the reason why it is not UTF-8, or "".

    Raises:
        FormatError: The file cannot be opened or is not text.
    """
    with open_file(path) as file:
        head = file.read(4096)
        file.seek(0)
        if head.startswith(_OTHER_KINDS) or head.count(0) > len(head) // 10:
            reason = "not UTF-8 text but an archive, Parquet, a database or UTF-16; save the rows as UTF-8 text"
            raise file_error(path, reason)
        for number, raw in enumerate(file, 1):
            raw = raw.removeprefix(BOM) if number == 1 else raw
            try:
                yield number, raw.decode("utf-8"), ""
            except UnicodeDecodeError as error:
                at = error.start
                fault = f"not UTF-8 (0x{raw[at]:02x} at byte {at + 1}); save the file as UTF-8"
                yield number, raw.decode("utf-8", "backslashreplace"), fault


def read_text(path: Path) -> str:
    """The text of a file without its byte order mark; raises FormatError naming the first line that is not UTF-8."""
    texts = []
    for number, text, fault in read_lines(path):
        if fault:
            raise file_error(path, fault, number)
        texts.append(text)
    return "".join(texts)


def read_json_rows(path: Path) -> Iterator[Record]:
    """Yield the rows of a file with one object per line or, if it ends in ``.json``, also with one array of objects.

    Raises:
        FormatError: The file as a whole cannot be read, for example because its array has no end. A single bad row
            raises nothing: its record has a ``fault``.
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
    """Parse one JSON value; raise RowError if it is invalid, repeats a key or exceeds Python's limits. NaN passes."""
    try:
        return json.loads(text, object_pairs_hook=_to_object)
    except json.JSONDecodeError as error:
        fix = "write each row whole on one line, or in a .json file all rows as one array"
        raise RowError(f"not JSON ({error.msg}, column {error.colno}); {fix}") from error
    except (RecursionError, ValueError) as error:  # a repeated key, or Python's limits of depth and digits
        fix = "write each key once, numbers of thousands of digits as text, and rows with less nesting"
        raise RowError(f"JSON that Python does not read ({error}); {fix}") from error


def _to_object(pairs: list[tuple[str, Any]]) -> Row:
    if len(fields := dict(pairs)) < len(pairs):
        raise ValueError(f"a key twice among {', '.join(name for name, _ in pairs)}")
    return fields
