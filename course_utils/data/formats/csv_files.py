"""Rows in CSV files as RFC 4180 has them: UTF-8, commas, double quotes, a header.

CSV knows only text: a column says at the end of its name where it holds something else (``columns.py``).
A foreign file's cells are text as they are; an empty cell is empty text.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from course_utils.data.formats.columns import to_columns, to_row
from course_utils.data.formats.json_files import check_row
from course_utils.data.formats.record import Misfit, Record, Row, misfit, refuse_rows
from course_utils.data.formats.source import MAX_LINE_BYTES, Line, read_lines
from course_utils.data.formats.target import writing

MAX_NAME_CHARACTERS = 60
MAX_ROW_LINES = 10_000
"""A broken row of more lines has an open quote, behind which no row can be told from another."""
_SENTENCE = re.compile(r"[\n?]|^\s*select\s", re.IGNORECASE)


class _Lines:
    """Lines for ``csv``; it remembers where the present row began and what was wrong with its lines."""

    def __init__(self, path: Path) -> None:
        self._lines = read_lines(path)
        self.first, self.last, self.fault = 0, 0, ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line: Line = next(self._lines)
        self.first, self.last = self.first or line.number, line.number
        self.fault = self.fault or line.fault
        return line.text or "\n"

    def begin_row(self) -> None:
        self.first, self.fault = 0, ""


def read_csv(path: Path) -> Iterator[Record]:
    """Rows of a CSV file, each with the line on which it begins.

    Raises:
        FormatError: The file as a whole cannot be read: no text, no header, other delimiters, an unclosed quote
            in the header.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = _Lines(path)
    reader = csv.reader(lines, strict=True)
    header = _header(path, lines, reader)
    number = 0
    while True:
        lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield Record(path, lines.first, fault=_why_broken(error), number=number, check="schema")
            if lines.last - lines.first > MAX_ROW_LINES:
                return
            continue
        if not cells and not lines.fault:  # a blank line
            continue
        number += 1
        try:
            if lines.fault:
                yield Record(path, lines.first, fault=lines.fault, number=number, check="encoding")
                continue
            yield Record(path, lines.first, _row(header, cells), number=number)
        except Misfit as error:
            yield Record(path, lines.first, fault=str(error), number=number, check="schema")


def _row(header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        raise Misfit(f"{len(cells)} cells where the header has {len(header)}; quote cells that hold commas")
    return to_row(header, cells, "")


def _why_broken(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote is opened and never closed, so that the rest is one cell; close it"
    if "field larger" in str(error):
        return f"a cell of more than {MAX_LINE_BYTES // 2**20} MiB, or a quote that is never closed; close it"
    if "new-line" in str(error):
        return "lines end in CR alone; save the file with LF line ends"
    return f"not CSV ({error}); double the quotes inside quoted cells"


def _header(path: Path, lines: _Lines, reader: Iterator[list[str]]) -> list[str]:
    names: list[str] = []
    try:
        while not names and not lines.fault:
            names = next(reader)
    except csv.Error as error:
        raise misfit(path, _why_broken(error), lines.first) from error
    except StopIteration:
        raise misfit(path, "the file is empty; add a header and rows") from None
    if reason := lines.fault or _why_no_header(names):
        raise misfit(path, reason, lines.first)
    return names


def _why_no_header(names: list[str]) -> str:
    for delimiter, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and delimiter in names[0]:
            return f"cells are separated by {word}; save the file with commas"
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"the header has {', '.join(map(repr, twice))} more than once; rename the columns"
    for name in names:
        is_number = name.strip().replace(".", "", 1).lstrip("-").isdigit()
        if not name.strip() or is_number or len(name) > MAX_NAME_CHARACTERS or _SENTENCE.search(name):
            return (
                f"the first line is no header ({name[:MAX_NAME_CHARACTERS]!r} is no name); write one, such as id,db_id"
            )
    return ""


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Write rows with a header.

    Raises:
        FormatError: Rows do not fit or there are none; lists them.
    """
    columns = to_columns(checked(path, rows), _is_text, "")
    if reason := _why_no_header(list(columns)):
        raise misfit(path, f"the field names make no header: {reason}")
    with writing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _is_text(values: list[Any]) -> bool:
    return all(type(value) is str and "\0" not in value for value in values)


def checked(path: Path, rows: Iterable[Row]) -> list[Row]:
    """The rows, if each can be written.

    Raises:
        FormatError: Some cannot or there are none; lists them.
    """
    listed, faults = list(rows), []
    for number, row in enumerate(listed, 1):
        try:
            check_row(row)
        except Misfit as error:
            faults.append(f"row {number}: {error}")
    refuse_rows(path, faults)
    if not listed:
        raise misfit(path, "there are no rows to write; give at least one")
    return listed
