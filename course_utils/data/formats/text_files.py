"""Text files that a stranger made, and rows in those of JSON: an error for a file, a fault for each bad line or row.

JSON is read as strictly as the standard has it, since other readers of the same rows are strict.
"""

import json
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from course_utils.artifacts import Row
from course_utils.data.formats.record import Record, RowError, file_error

BOM = b"\xef\xbb\xbf"
_ARCHIVES = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_KINDS = {
    **dict.fromkeys(_ARCHIVES, "an archive; unpack it first"),
    b"PAR1": "a Parquet file; name it .parquet",
    b"SQLite format 3\x00": "a SQLite database; give the file with the rows",
}


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, and nothing that would block, such as a pipe.

    Raises:
        FormatError: It is missing, a folder, a device or not readable.
    """
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise file_error(path, f"cannot be opened ({reason}); check the path and its permissions") from error
    raise file_error(path, "not a regular file; name the file that holds the rows")


def read_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Lines one by one: the number from 1, the text with its end, and why it is none; a byte order mark is accepted.

    Raises:
        FormatError: The file cannot be opened, is no text, or is empty.
    """
    is_empty = True
    with open_file(path) as file:
        _refuse_other_kinds(path, file)
        for number, raw in enumerate(file, 1):
            raw = raw.removeprefix(BOM) if number == 1 else raw
            is_empty = is_empty and not raw.strip()
            if (at := raw.find(0)) >= 0:
                yield number, "", f"a NUL byte at byte {at + 1}; remove it"
                continue
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                at = error.start
                yield number, "", f"not UTF-8 (0x{raw[at]:02x} at byte {at + 1}); save the file as UTF-8"
            else:
                yield number, text, ""
    if is_empty:
        raise file_error(path, "the file is empty; add rows or remove it")


def read_text(path: Path) -> str:
    """A whole file as text, without its byte order mark.

    Raises:
        FormatError: The file cannot be opened, is no text or is empty; names the line that is not UTF-8.
    """
    texts = []
    for number, text, fault in read_lines(path):
        if fault:
            raise file_error(path, fault, number)
        texts.append(text)
    return "".join(texts)


def _refuse_other_kinds(path: Path, file: BinaryIO) -> None:
    head = file.read(4096)
    file.seek(0)
    for magic, reason in _KINDS.items():
        if head.startswith(magic):
            raise file_error(path, reason)
    if head.count(0) > len(head) // 10:
        raise file_error(path, "binary data or UTF-16, not UTF-8 text; save the rows as UTF-8")


def read_json(path: Path) -> Iterator[Record]:
    """Rows of a file of one object per line, or of an array of objects, which a ``.json`` file may hold.

    Raises:
        FormatError: The file as a whole cannot be read. A row that cannot be read comes with a ``fault`` instead.
    """
    if path.suffix.lower() == ".json":
        with open_file(path) as file:
            if file.read(4096).removeprefix(BOM).lstrip().startswith(b"["):
                return _read_array(path)
    return _read_lines(path)


def _read_lines(path: Path) -> Iterator[Record]:
    for number, text, fault in read_lines(path):
        content = text.strip(" \t\r\n")
        if fault:
            yield Record(path, number, fault=fault, number=number, check="encoding")
        elif content:
            try:
                yield to_record(path, number, number, decode(content))
            except RowError as error:
                yield bad_record(path, number, number, str(error))


def _read_array(path: Path) -> Iterator[Record]:
    """Rows of a JSON array, which is whole or not JSON at all."""
    text = read_text(path)
    try:
        values = decode(text)
    except RowError as error:
        cause = error.__cause__
        raise file_error(path, str(error), cause.lineno if isinstance(cause, json.JSONDecodeError) else 0) from error
    for number, value in enumerate(values, 1):
        yield to_record(path, number, number, value)


def to_record(path: Path, line: int, number: int, value: Any, split: str = "") -> Record:
    """A value as a row, or as a fault if it is none."""
    if reason := why_no_row(value):
        return bad_record(path, line, number, reason, split)
    return Record(path, line, value, split=split, number=number)


def bad_record(path: Path, line: int, number: int, reason: str, split: str = "") -> Record:
    """A row that is not what its file should hold."""
    return Record(path, line, fault=reason, split=split, number=number, check="schema")


def decode(text: str) -> Any:
    """The one JSON value that a text is, as far as Python reads it; see ``why_no_row``.

    Raises:
        RowError: It is none, or more follows.
    """
    try:
        return json.loads(text, object_pairs_hook=_to_object)
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON ({error.msg} at column {error.colno}); write the row whole, on one line") from error
    except (RecursionError, ValueError) as error:  # Python's own limits of depth and digits
        raise RowError(f"JSON that Python does not read ({error}); flatten rows, write long numbers as text") from error


def _to_object(pairs: list[tuple[str, Any]]) -> Row:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        # Marked and not raised, so that the rows behind this one can be read.
        fields |= {name: _TWICE for name, n in Counter(name for name, _ in pairs).items() if n > 1}
    return fields


def _refuse_value(value: Any) -> None:
    raise TypeError("a key that comes twice" if value is _TWICE else f"a value of type {type(value).__name__}")


_TWICE = object()


def why_no_row(value: Any) -> str:
    """Why a value is no object that every reader of JSON takes, as one with NaN or bytes; empty if it is one."""
    if not isinstance(value, dict):
        return "not an object; every row is one, with fields such as db_id, question, query"
    for name, inner in value.items():
        try:
            json.dumps({name: inner}, ensure_ascii=False, allow_nan=False, default=_refuse_value).encode()
        except UnicodeEncodeError:
            return f'"{name}": half of a surrogate pair, which is no character; correct the \\u escape'
        except (RecursionError, TypeError, ValueError) as error:
            return f'"{name}": no JSON ({error}); write text, finite numbers, true, false, null, lists, objects'
    return ""
