"""Read and write rows as CSV and Parquet, in which a field that is None and a missing field are the same.

CSV cells are text. ``true``, ``false``, lists and objects are written as JSON and parsed again; an empty cell is a
missing field. The reader is not pandas', because that one gives no line numbers and accepts rows that are too short.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from course_utils.data.formats.record import Record, RowError, decode, file_error, open_file, read_text, to_record
from course_utils.files import Row


def read_csv(path: Path) -> Iterator[Record]:
    """Yield the rows of a CSV file (RFC 4180, UTF-8), each with the line on which it begins.

    Raises:
        FormatError: The file is not text, has a bad header, or has other delimiters than commas.
    """
    csv.field_size_limit(2**31 - 1)  # characters per cell; the default is 131,072
    lines = io.StringIO(read_text(path), newline="").readlines()
    reader = csv.reader(lines, strict=True)
    header: list[str] = []
    while True:
        line, cells, fault = reader.line_num + 1, list[str](), ""
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = f"not CSV ({error}); close every quote, and double the quotes inside quoted cells"
        if not header and (cells or fault):
            if reason := fault or _why_no_header(cells):
                raise file_error(path, reason, line)
            header = cells
        elif fault or len(cells) not in (0, len(header)):  # a blank line has no cells
            fault = fault or f"{len(cells)} cells where the header has {len(header)}; quote cells that hold commas"
            yield Record(path, line, fault=fault, raw="".join(lines[line - 1 : reader.line_num]).rstrip("\r\n"))
        elif any(cells):  # spreadsheets write their empty rows as commas alone
            # A first column without a name is the index of a pandas DataFrame.
            named = ((name, cell) for name, cell in zip(header, cells, strict=True) if name and cell)
            yield to_record(path, line, {name: _from_cell(cell) for name, cell in named})


def _why_no_header(names: list[str]) -> str:
    if len(names) == 1 and re.search(r"[;\t|]", names[0]):
        return "no comma, but other delimiters; save the file with commas"
    if wrong := sorted({name for i, name in enumerate(names) if names.count(name) > 1 or (i and not name)}):
        return f"the header has repeated or empty names ({', '.join(map(repr, wrong))}); give each column its own name"
    return ""


def _from_cell(cell: str) -> Any:
    if cell in ("true", "false") or cell[:1] in ("[", "{"):
        with suppress(RowError):
            return decode(cell)
    return cell


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows under a header with all their field names; values that are not text are written as JSON."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            cells = ("" if row.get(name) is None else row[name] for name in names)
            writer.writerow(cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells)


def read_parquet(path: Path) -> Iterator[Record]:
    """Yield the rows of a Parquet file, with row numbers as lines; raise FormatError if the file is broken."""
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

    with open_file(path) as file:
        try:
            # Few writers add page checksums, so a broken page is found only when it is read.
            parquet = pq.ParquetFile(file)
            names = parquet.schema_arrow.names
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"two columns are called {', '.join(map(repr, twice))}")
            batches = parquet.iter_batches()
            for number, cells in enumerate((cells for batch in batches for cells in batch.to_pylist()), 1):
                # pandas stores a DataFrame's index in columns of this name.
                row = {name: cell for name, cell in cells.items() if not name.startswith("__index_level_")}
                row |= {name: str(cell) for name, cell in row.items() if isinstance(cell, date | time | Decimal)}
                yield to_record(path, number, without_none(row))
        except (pa.ArrowException, OSError, ValueError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(".: ")
            raise file_error(path, f"not a readable Parquet file ({reason}); write the file anew") from error


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    """Write rows to a Parquet file; pyarrow raises its own errors if the values of a column have several types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = dict.fromkeys(name for row in rows for name in row)
    # pyarrow takes the columns from the first row, so every row gets all of them.
    pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]), path)


def without_none(value: Any) -> Any:
    """The value without fields that are None, at any depth, because columns cannot tell them from missing fields."""
    if isinstance(value, dict):
        return {name: without_none(inner) for name, inner in value.items() if inner is not None}
    return [without_none(inner) for inner in value] if isinstance(value, list) else value
