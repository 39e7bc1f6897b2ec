"""Check the content of a well-formed ``domain.toml``; all faults are listed, not only the first."""

import re
import string

from tools.dataset.specs import NUMBERS, ColumnSpec, Domain, TableSpec

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_KEYS_OF = {
    "table": ("reference",),
    "childless": ("reference",),
    "distinct_with": ("reference",),
    "values": ("text",),
    "pattern": ("text",),
    "follows": ("text",),
    "after": ("year", "date"),
    "until": ("year", "date"),
    "times": ("integer", "real"),
    "ties": NUMBERS,
    "peak_months": ("date",),
    "peak_weekdays": ("date",),
}
"""The kinds of column that a key has a meaning for."""


def find_faults(domain: Domain) -> list[str]:
    """What is wrong and what to do about it, one fault a line."""
    faults = [] if domain.tables else ["no tables; add [tables.<name>]"]
    for table in domain.tables:
        kinds = [column.kind for column in table.columns]
        if kinds.count("id") != 1:
            faults.append(f'table {table.name}: needs exactly one column of kind "id"')
        if sum(bool(column.preposition) for column in table.columns) > 1:
            faults.append(f"table {table.name}: two columns have a preposition, so a question cannot tell them apart")
        for column in table.columns:
            found = [
                *_names_and_keys(column),
                *_text_faults(column, domain),
                *_number_faults(column),
                *_path_faults(column, table, domain),
            ]
            faults += [f"column {table.name}.{column.name}: {fault}" for fault in found]
        if not _NAME.fullmatch(table.name):
            faults.append(f"table {table.name}: write names in snake_case")
    return faults


def _names_and_keys(column: ColumnSpec) -> list[str]:
    faults = [] if _NAME.fullmatch(column.name) else ["write names in snake_case"]
    for key, kinds in _KEYS_OF.items():
        if getattr(column, key) and column.kind not in kinds:
            faults.append(f"{key} is for columns of kind {' or '.join(kinds)}; leave it out")
    if column.kind == "id" and column.is_optional:
        faults.append("an id always has a value; leave null_share and only_if out")
    if not 0 <= column.null_share < 1:
        faults.append("null_share is a share from 0 to below 1")
    if not 0 <= column.childless < 1:
        faults.append("childless is a share from 0 to below 1")
    return faults


def _text_faults(column: ColumnSpec, domain: Domain) -> list[str]:
    faults = []
    patterns = [column.pattern, *(text for texts in column.map.values() if isinstance(texts, tuple) for text in texts)]
    slots = {slot for pattern in patterns for _, slot, _, _ in string.Formatter().parse(pattern) if slot}
    if column.kind == "text" and [bool(column.values), bool(column.pattern), bool(column.follows)].count(True) != 1:
        faults.append("text needs either values or pattern or follows")
    if missing := sorted(slots - set(domain.lists)):
        faults.append(f"a pattern uses {', '.join(missing)}, which [lists] does not have")
    if column.map and not (column.follows or column.times):
        return [*faults, "map explains the texts of follows or times; add one of them"]
    wanted = tuple if column.follows else (int, float)
    if wrong := sorted(key for key, value in column.map.items() if not isinstance(value, wanted)):
        what = "texts after follows" if column.follows else "numbers after times"
        faults.append(f"map has {what}; fix {', '.join(wrong)}")
    return faults


def _number_faults(column: ColumnSpec) -> list[str]:
    faults = []
    if column.kind in (*NUMBERS, "date") and column.low >= column.high:
        faults.append("low must be below high")
    if column.until and not column.after:
        faults.append("until limits what comes after another time; add after, or use high")
    if column.ties and (column.times or column.after or column.unique):
        faults.append("ties needs a number of its own, without times, after or unique")
    if wrong := [month for month in column.peak_months if month not in range(1, 13)]:
        faults.append(f"peak_months are 1 to 12, not {wrong}")
    if wrong := [day for day in column.peak_weekdays if day not in range(1, 8)]:
        faults.append(f"peak_weekdays are 1 (Monday) to 7, not {wrong}")
    return faults


def _path_faults(column: ColumnSpec, table: TableSpec, domain: Domain) -> list[str]:
    order = [each.name for each in domain.tables]
    earlier = order[: order.index(table.name)]
    if column.kind == "reference" and column.table not in (*earlier, table.name):
        return [f"refers to {column.table!r}; declare that table above this one"]
    faults = []
    if column.table == table.name and (column.childless or column.distinct_with):
        faults.append("childless and distinct_with are for references to another table; leave them out")
    for path in column.paths:
        found = _at(path, table, domain, [each.name for each in table.columns[: table.columns.index(column)]])
        if found is None:
            faults.append(f"{path!r} is no column above this one, nor one through a reference to an earlier table")
        elif wanted := _unfit(column, path, found):
            faults.append(f"{path!r} is of kind {found.kind}, but {wanted} is needed")
    return faults


def _at(path: str, table: TableSpec, domain: Domain, known: list[str]) -> ColumnSpec | None:
    """The column that a path ends at, if every step is declared early enough."""
    first, _, rest = path.partition(".")
    column = next((each for each in table.columns if each.name == first and first in known), None)
    if column is None or not rest:
        return column
    parent = next((each for each in domain.tables if each.name == column.table and each is not table), None)
    return _at(rest, parent, domain, [each.name for each in parent.columns]) if parent else None


def _unfit(column: ColumnSpec, path: str, found: ColumnSpec) -> str:
    """What the path should have ended at, or nothing if it is right."""
    if path == column.distinct_with and found.kind != "reference":
        return "a reference"
    if path == column.after and found.kind not in ("year", "date"):
        return "a year or date"
    if path in (column.follows, *column.only_if) and found.kind != "text":
        return "a text"
    if path == column.times and found.kind != "text" and (column.map or found.kind not in NUMBERS):
        return "a text for map" if column.map else "a number"
    if path == column.times and found.kind == "text" and not column.map:
        return "a number, or map,"
    return ""
