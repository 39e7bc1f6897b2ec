"""Rows in columns: CSV and Parquet.

A column cannot tell a field that is None from one that is missing: neither comes back. CSV has text alone: ``true``,
``false``, lists and objects are written as JSON and read back as such, an empty cell is a missing field. ``pandas``
reads no CSV here, because it names no line and passes over rows that are too short.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import Row
from course_utils.data.formats.record import Record, RowError, file_error, without_none
from course_utils.data.formats.text_files import bad_record, decode, open_file, read_text, to_record

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]

BATCH_ROWS = 1_000
MAX_CELL_CHARACTERS = 16 * 2**20
_NO_NAME = re.compile(r"^\s*$|^[-\d.\s]+$|[\n?]|^\s*select\s|.{61}", re.IGNORECASE | re.DOTALL)
"""What no column is called: nothing, a number, a question, a query, a sentence. Else the first row would be lost."""


def read_csv(path: Path) -> Iterator[Record]:
    """Rows of a CSV file (RFC 4180, UTF-8), each with the line on which it begins.

    Raises:
        FormatError: The file as a whole cannot be read: no text, no header, or delimiters other than commas.
    """
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    header: list[str] = []
    number, is_over = 0, False
    while not is_over:
        line, cells, fault = reader.line_num + 1, list[str](), ""
        try:
            cells = next(reader, [])
        except csv.Error as error:
            fault = f"not CSV ({error}); close every quote, and double the quotes inside quoted cells"
        is_over = reader.line_num < line  # the end, as no line was read
        if not header and (cells or fault):
            if reason := fault or _why_no_header(cells):
                raise file_error(path, reason, line)
            header = cells
        elif cells or fault:  # else a blank line
            number += 1
            if not fault and len(cells) != len(header):
                fault = f"{len(cells)} cells where the header has {len(header)}; quote cells that hold commas"
            # A column without a name is the index that pandas writes.
            row = {n: _from_cell(cell) for n, cell in zip(header, cells, strict=False) if n and cell}
            yield bad_record(path, line, number, fault) if fault else to_record(path, line, number, row)


def _why_no_header(names: list[str]) -> str:
    if len(names) == 1 and re.search(r"[;\t|]", names[0]):
        return "no comma, but other delimiters; save the file with commas"
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"the header has {', '.join(map(repr, twice))} more than once; rename the columns"
    if wrong := [name for i, name in enumerate(names) if _NO_NAME.search(name) and (name or i)]:
        return f"the first line is no header ({wrong[0][:60]!r} is no name); write one, such as id,db_id"
    return ""


def _from_cell(cell: str) -> Any:
    if cell not in ("true", "false") and cell[:1] not in ("[", "{"):
        return cell
    try:
        return decode(cell)
    except RowError:
        return cell


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows under a header; what is no text as JSON."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_to_cell(row.get(name)) for name in names] for row in rows)


def _to_cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_parquet(path: Path) -> Iterator[Record]:
    """Rows of a Parquet file, batch by batch; the line is the row's number.

    Raises:
        FormatError: It is no Parquet file or is cut off.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

    with open_file(path) as file:
        try:
            # Page checksums are written by few, so a broken page is found only as it is read.
            yield from _to_records(path, pq.ParquetFile(file).iter_batches(BATCH_ROWS))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise file_error(path, f"not a readable Parquet file ({_short(error)}); write the file anew") from error


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    """Write rows to a Parquet file.

    Raises:
        RowError: A column's values are of more than one type.
    """
    import pyarrow.parquet as pq

    pq.write_table(_to_table(rows), path)


def _to_table(rows: Sequence[Row]) -> "pa.Table":
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    try:
        # The first row alone would say which columns there are.
        table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    except (pa.ArrowException, OverflowError) as error:
        raise RowError(f"a column is not of one type ({_short(error)}); choose .jsonl") from error
    if "struct<>" in str(table.schema):
        raise RowError("a column has objects without fields; choose .jsonl")
    return table


def _to_records(path: Path, tables: Iterable["pa.Table | pa.RecordBatch"], split: str = "") -> Iterator[Record]:
    for number, cells in enumerate((cells for table in tables for cells in table.to_pylist()), 1):
        # pandas keeps the index of a frame in such columns.
        row = without_none({name: cell for name, cell in cells.items() if not name.startswith("__index_level_")})
        yield to_record(path, number, number, row, split)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(".: ")
