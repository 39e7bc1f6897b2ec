"""Rows as columns and back, for CSV and for Arrow, without loss.

Columns keep their fields' names. A column that cannot hold its values as they are says how it does at the
end of its name, so that one file is enough, whoever copies it:

- ``difficulty:optional``: an empty cell means that the row has no such field;
- ``difficulty:nullable``: an empty cell means None (CSV alone; Arrow has nulls);
- ``tags:json``: cells are JSON, an empty one means that the row has no such field;
- ``x:json:plain``: a field whose own name ends like that.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from course_utils.data.formats.json_values import decode_line
from course_utils.data.formats.record import Misfit, Row

ENDINGS = ("optional", "nullable", "json", "plain")
Columns = dict[str, list[Any]]


def to_columns(rows: Sequence[Row], is_plain: Callable[[list[Any]], bool], empty: str | None) -> Columns:
    """Columns by name, all as long as ``rows``.

    Args:
        rows: With values that ``check_row`` accepts.
        is_plain: Whether a column holds these values as they are.
        empty: The empty cell, which is None or empty text.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return dict(_column(name, rows, is_plain, empty) for name in names)


def _column(
    name: str, rows: Sequence[Row], is_plain: Callable[[list[Any]], bool], empty: str | None
) -> tuple[str, list[Any]]:
    present = [row[name] for row in rows if name in row]
    is_whole = len(present) == len(rows)
    filled = [value for value in present if value is not None]
    if is_whole and is_plain(present):
        ending = "plain" if name.rpartition(":")[2] in ENDINGS else ""
    elif len(filled) == len(present) and is_plain(present) and empty not in present:
        ending = "optional"
    elif is_whole and empty == "" and is_plain(filled) and "" not in filled:
        ending = "nullable"
    else:
        cells = [json.dumps(row[name], ensure_ascii=False) if name in row else empty for row in rows]
        return f"{name}:json", cells
    missing = None if ending == "nullable" else empty
    cells = [row.get(name, missing) for row in rows]
    if ending == "nullable":
        cells = [empty if cell is None else cell for cell in cells]
    return f"{name}:{ending}" if ending else name, cells


def to_row(names: Sequence[str], cells: Sequence[Any], empty: str | None) -> Row:
    """The row of one line of columns.

    Raises:
        Misfit: A cell of a JSON column is no JSON.
    """
    row = {}
    for column, cell in zip(names, cells, strict=True):
        name, _, ending = column.rpartition(":")
        if ending not in ENDINGS or not name:
            row[column] = cell
        elif ending == "plain":
            row[name] = cell
        elif ending == "nullable":
            row[name] = None if cell == empty else cell
        elif cell != empty:
            row[name] = cell if ending == "optional" else _decode(column, cell)
    return row


def _decode(column: str, cell: Any) -> Any:
    if not isinstance(cell, str):
        raise Misfit(f'column "{column}" is not text; write JSON')
    try:
        return decode_line(cell)
    except Misfit as error:
        raise Misfit(f'column "{column}": {error}') from error
