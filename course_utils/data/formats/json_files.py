"""Rows in JSON files, one object per line or one array of objects: strict as the standard is, faults named by line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_utils.artifacts import Row
from course_utils.data.formats.record import Record, RowError
from course_utils.data.formats.text_files import BOM, open_file, read_lines, read_text

MAX_DEPTH = 64
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels; flatten the row"
_SPACES = re.compile(r"[ \t\r\n]*")


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
            value = None
            try:
                value, end, reason = decode(content)
                if content[end:].strip():
                    reason = (
                        f"not JSON alone (more follows at column {end + 1}); write one row per line, no comma between"
                    )
            except RowError as error:
                reason = str(error)
            yield _record(path, number, number, value, reason)


def _read_array(path: Path) -> Iterator[Record]:
    """Rows of a JSON array with the lines on which they begin; nothing can be read behind broken JSON."""
    text = read_text(path)
    at = _skip_spaces(text, 0)
    begin = _skip_spaces(text, at + 1)
    number, line, counted = 0, 1, 0
    is_more = text[begin : begin + 1] != "]"
    at = at if is_more else begin
    while is_more:
        number += 1
        line, counted = line + text.count("\n", counted, begin), begin
        try:
            value, end, refusal = decode(text, begin)
        except RowError as error:
            cause = error.__cause__
            line = cause.lineno if isinstance(cause, json.JSONDecodeError) else line
            yield _record(path, line, number, None, f"{error}, the rest was not read")
            return
        yield _record(path, line, number, value, refusal)
        at = _skip_spaces(text, end)
        begin, is_more = _skip_spaces(text, at + 1), text[at : at + 1] == ","
    line += text.count("\n", counted, at)
    if text[at : at + 1] != "]":
        yield _record(path, line, number + 1, None, "a comma or ] is missing; mend it, the rest was not read")
    elif text[at + 1 :].strip():
        yield _record(path, line, number + 1, None, "more text behind the array's ]; remove it")


def _skip_spaces(text: str, position: int) -> int:
    found = _SPACES.match(text, position)
    assert found  # the pattern matches nothing as well
    return found.end()


def _record(path: Path, line: int, number: int, value: Any, fault: str) -> Record:
    if not fault and not isinstance(value, dict):
        fault = "not a JSON object; every row needs db_id, question, query"
    if fault:
        return Record(path, line, fault=fault, number=number, check="schema")
    return Record(path, line, value, number=number)


def decode(text: str, begin: int = 0) -> tuple[Any, int, str]:
    """One JSON value that begins at a position.

    Returns:
        The value, the position behind it, and what the standard or ``MAX_DEPTH`` has against it; empty if nothing.

    Raises:
        RowError: There is none, so that nobody knows where it ends.
    """
    twice: list[str] = []

    def to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(fields := dict(pairs)) < len(pairs):
            names = [name for name, _ in pairs]
            twice.extend(name for name in names if names.count(name) > 1)
        return fields

    try:
        value, end = json.JSONDecoder(object_pairs_hook=to_object).raw_decode(text, begin)
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON ({error.msg} at column {error.colno}); write the row whole, on one line") from error
    except RecursionError as error:
        raise RowError(_TOO_DEEP) from error
    except ValueError as error:  # Python's own limit, since more digits take quadratic time
        raise RowError("a number of more than 4,300 digits; write it as text") from error
    if twice:
        return value, end, f'the key "{twice[0]}" comes twice in one object; keep one of them'
    return value, end, why_refused(value)


def why_refused(value: Any) -> str:
    """Why a value is none that every reader of JSON takes (NaN, half a surrogate pair, bytes); empty if it is one."""
    try:
        if _depth(value) > MAX_DEPTH:
            return _TOO_DEEP
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        return _TOO_DEEP
    except UnicodeEncodeError:
        return "half of a surrogate pair, which is no character; correct the \\u escape"
    except (TypeError, ValueError) as error:
        return f"no JSON ({error}); write text, finite numbers, true, false, null, lists and objects"
    return ""


def _depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)


def check_row(row: Row) -> None:
    """Refuse what no file could give back.

    Raises:
        RowError: The row is no dict, or a field is no JSON.
    """
    if not isinstance(row, dict):
        raise RowError("not a dict with fields; give each row as a dict")
    for name, value in row.items():
        if reason := why_refused(value):
            raise RowError(f'"{name}": {reason}')
