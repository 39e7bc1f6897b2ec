"""Rows in JSON files: one object per line (``.jsonl``), or one array of objects (``.json``)."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from course_utils.data.formats.json_values import (
    MAX_DEPTH,
    MAX_DIGITS,
    decode_line,
    decode_value,
    is_deep,
    is_unicode,
    skip_value,
)
from course_utils.data.formats.record import Misfit, Record, Row, misfit, refuse_rows
from course_utils.data.formats.source import MAX_LINE_BYTES, read_lines, read_text
from course_utils.data.formats.target import writing

_SPACES = re.compile(r"[ \t\r\n]*")
_NO_OBJECT = "not a JSON object; every row needs db_id, question, query"


def read_json(path: Path) -> Iterator[Record]:
    """Rows of a ``.json`` file as an array, of any other file as one object per line.

    A row that cannot be read comes as a ``Record`` with a ``fault``.

    Raises:
        FormatError: The file as a whole cannot be read.
    """
    return _read_array(path) if path.suffix.lower() == ".json" else _read_lines(path)


def _read_lines(path: Path) -> Iterator[Record]:
    n_rows = 0
    for line in read_lines(path):
        if line.fault:
            yield Record(path, line.number, fault=line.fault, number=line.number, check="encoding")
        elif content := line.text.strip(" \t\r\n"):
            try:
                yield to_record(path, line.number, line.number, decode_line(content))
            except Misfit as error:
                whole = "" if n_rows else _why_no_lines(content)
                yield _fault(path, line.number, line.number, whole or str(error))
                if whole:
                    return
        else:
            continue
        n_rows += 1


def _why_no_lines(first: str) -> str:
    """Why a file whose first line is broken has no rows at all, if that is so; else empty."""
    if first == "[" or first.startswith("[{"):
        return "a JSON array over several lines, not one object per line; name the file .json"
    if first == "{":
        return "an object over several lines; write each row on one line"
    return ""


def _read_array(path: Path) -> Iterator[Record]:
    """Rows of a JSON array with the lines on which they begin; nothing can be read behind broken JSON."""
    text = read_text(path)
    begin = _skip_spaces(text, 0)
    line, number = 1 + text.count("\n", 0, begin), 0
    if text[begin : begin + 1] != "[":
        reason = "not a JSON array of rows; write [{...}, {...}]" if text.strip() else "the file is empty; add rows"
        yield _fault(path, line, 1, reason)
        return
    end = begin
    while end == begin or text[end : end + 1] == ",":
        behind, begin = begin, _skip_spaces(text, end + 1)
        line += text.count("\n", behind, begin)
        if number == 0 and text[begin : begin + 1] == "]":
            end = begin
            break
        number += 1
        record, end = _element(path, text, begin, line, number)
        yield record
        if end < 0:
            return
        end = _skip_spaces(text, end)
    line += text.count("\n", begin, end)
    if text[end : end + 1] != "]":
        yield _fault(path, line, number + 1, "not JSON (a comma or ] is missing); fix the file, the rest was not read")
    elif text[end + 1 :].strip():
        yield _fault(path, line, number + 1, "more text behind the array's ]; remove it")


def _element(path: Path, text: str, begin: int, line: int, number: int) -> tuple[Record, int]:
    """The row of an array that begins at a position, and the position behind it; -1 if that is lost."""
    try:
        value, end = decode_value(text, begin)
        return to_record(path, line, number, value), end
    except Misfit as error:
        try:
            return _fault(path, line, number, str(error)), skip_value(text, begin)
        except Misfit as lost:
            broken = error.__cause__
            at = broken.lineno if isinstance(broken, json.JSONDecodeError) else line
            return _fault(path, at, number, f"{error}, {lost}"), -1


def _fault(path: Path, line: int, number: int, reason: str) -> Record:
    return Record(path, line, fault=reason, number=number, check="schema")


def _skip_spaces(text: str, position: int) -> int:
    found = _SPACES.match(text, position)
    assert found  # the pattern matches nothing as well
    return found.end()


def to_record(path: Path, line: int, number: int, value: Any) -> Record:
    """A value as a row, or as a fault if it is no object."""
    if isinstance(value, dict):
        return Record(path, line, value, number=number)
    return _fault(path, line, number, _NO_OBJECT)


def write_json(path: Path, rows: Iterable[Row], encode: Callable[[Row], Row] = lambda row: row) -> None:
    """Write rows one by one: as an array if the file is ``.json``, else one object per line.

    Args:
        path: Is replaced whole, or stays as it was.
        rows: Text, numbers, true, false, None, lists and objects of them.
        encode: What the file shows of a row; raises ``Misfit`` where the row does not fit.

    Raises:
        FormatError: Rows do not fit or there are none; lists them.
    """
    is_array = path.suffix.lower() == ".json"
    faults, n_rows = [], 0
    with writing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as file:
        for n_rows, row in enumerate(rows, 1):
            try:
                text = _encode(row, encode)
            except Misfit as error:
                faults.append(f"row {n_rows}: {error}")
                continue
            file.write(("[\n" if n_rows == 1 else ",\n") + text if is_array else text + "\n")
        if is_array:
            file.write("\n]\n")
        refuse_rows(path, faults)
        if not n_rows:
            raise misfit(path, "there are no rows to write; give at least one")


def _encode(row: Row, encode: Callable[[Row], Row]) -> str:
    check_row(row)
    text = json.dumps(encode(row), ensure_ascii=False)
    if len(text) >= MAX_LINE_BYTES // 4 and len(text.encode()) >= MAX_LINE_BYTES:
        raise Misfit(f"longer than {MAX_LINE_BYTES // 2**20} MiB; shorten it")
    return text


def check_row(row: Row) -> None:
    """Refuse what no format could give back as it was.

    Raises:
        Misfit: The row is no dict, is empty, or a value is not text, a finite number, true, false, None, or
            a list or object of them.
    """
    if not isinstance(row, dict) or not row:
        raise Misfit("not a dict with fields; give each row as a dict")
    if is_deep(row):
        raise Misfit(f"nested deeper than {MAX_DEPTH} levels; flatten the row")
    for name, value in row.items():
        if not isinstance(name, str) or not name.strip() or not is_unicode(name) or "\0" in name:
            raise Misfit(f"the field name {name!r} is no plain text; rename it")
        if reason := _why_unfit(value):
            raise Misfit(f'"{name}" {reason}')


def _why_unfit(value: Any) -> str:
    if value is None or value is True or value is False:
        return ""
    if type(value) is str:
        return "" if is_unicode(value) else "holds half of a surrogate pair; remove it"
    if type(value) is int:
        return "" if value.bit_length() < MAX_DIGITS * 3 else "is a number of too many digits; write it as text"
    if type(value) is float:
        return "" if math.isfinite(value) else f"is {value}; write None or a number"
    if type(value) is list:
        return next((reason for reason in map(_why_unfit, value) if reason), "")
    if type(value) is dict:
        if not all(type(name) is str and is_unicode(name) for name in value):
            return "holds an object with keys that are no text; make them text"
        return _why_unfit(list(value.values()))
    return f"is of type {type(value).__name__}; give text, a number, true, false, None, a list or a dict"
