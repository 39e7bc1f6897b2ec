"""Rows in Arrow tables, which Parquet files and Hugging Face ``datasets`` hold.

A column of one type is stored as such; of others the end of its name says how (``columns.py``).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.data.formats.columns import Columns, to_columns, to_row
from course_utils.data.formats.csv_files import checked
from course_utils.data.formats.json_files import check_row
from course_utils.data.formats.record import Misfit, Record, Row, misfit
from course_utils.data.formats.source import open_file
from course_utils.data.formats.target import writing

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]

BATCH_ROWS = 1_000


def read_parquet(path: Path) -> Iterator[Record]:
    """Rows of a Parquet file, batch by batch; the line is the row's number.

    Raises:
        FormatError: It is no Parquet file, is cut off, or has columns that are no text, numbers or lists of them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

    with open_file(path) as file:
        try:
            # Page checksums are written by few, so a broken page is found only as it is read.
            batches = pq.ParquetFile(file)
            refuse_types(path, batches.schema_arrow)
            yield from to_records(path, (pa.Table.from_batches([b]) for b in batches.iter_batches(BATCH_ROWS)))
        except (pa.ArrowException, OSError, UnicodeError) as error:
            reason = " ".join(str(error).split())[:200].rstrip(".")
            raise misfit(path, f"not a readable Parquet file ({reason}); write the file anew") from error


def write_parquet(path: Path, rows: Iterable[Row]) -> None:
    """Write rows to a Parquet file.

    Raises:
        FormatError: Rows do not fit or there are none; lists them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

    columns = arrow_columns(path, rows)
    with writing(path) as unfinished:
        pq.write_table(pa.table(columns), unfinished)


def arrow_columns(path: Path, rows: Iterable[Row]) -> Columns:
    """Rows as columns of one type each.

    Raises:
        FormatError: Rows do not fit or there are none; lists them.
    """
    return to_columns(checked(path, rows), _is_one_type, None)


def _is_one_type(values: list[Any]) -> bool:
    """Whether Arrow gives back these values as they are: 1 is neither 1.0 nor True, a missing key no null."""
    import pyarrow as pa

    try:
        column = pa.array(values)
        # A type that is not known, as that of an empty list, is not what every reader takes.
        return "null" not in str(column.type) and json.dumps(column.to_pylist()) == json.dumps(values)
    except (pa.ArrowException, OverflowError):
        return False


def to_records(path: Path, tables: Iterable["pa.Table"], split: str = "") -> Iterator[Record]:
    """Rows of tables of the same columns, numbered through."""
    for number, cells in enumerate((cells for table in tables for cells in table.to_pylist()), 1):
        yield _record(path, number, cells, split)


def _record(path: Path, number: int, cells: Mapping[str, Any], split: str) -> Record:
    try:
        row = to_row(list(cells), list(cells.values()), None)
        check_row(row)
    except Misfit as error:
        return Record(path, number, fault=str(error), split=split, number=number, check="schema")
    return Record(path, number, row, split=split, number=number)


def refuse_types(path: Path, schema: "pa.Schema") -> None:
    """Stop at columns that are no JSON.

    Raises:
        FormatError: There are some; lists them. Or two columns have one name.
    """
    wrong = [f"{field.name} ({field.type})" for field in schema if not _is_json_type(field.type)]
    if wrong:
        raise misfit(path, f"columns of other types than text, numbers and lists: {', '.join(wrong)}; convert them")
    if twice := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        raise misfit(path, f"columns {twice} come more than once; rename them")


def _is_json_type(kind: "pa.DataType") -> bool:
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_json_type(kind.value_type)
    if types.is_struct(kind):
        return all(_is_json_type(field.type) for field in kind)
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_null(kind)
    )
