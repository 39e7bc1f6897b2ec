"""Read ``domain.toml``: one database of the course, declared by its tables, columns and words.

A domain says what to store and how people speak of it; ``populate.py`` makes its rows and ``questions.py`` asks about
them. It contains no SQL and nothing random. ``specs.py`` describes the keys.
"""

import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args

from course_utils.errors import DataError
from tools.dataset.domain_faults import find_faults
from tools.dataset.specs import LABELS, NUMBERS, ColumnSpec, Domain, Kind, Measure, Role, TableSpec
from tools.english import plural

__all__ = ["LABELS", "NUMBERS", "ColumnSpec", "Domain", "TableSpec", "read_domain", "read_domains"]
_LISTS = ("values", "peak_months", "peak_weekdays")
_TYPES: dict[type, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text"),
    bool: ((bool,), "true or false"),
    int: ((int, float), "a number"),
    float: ((int, float), "a number"),
    tuple: ((list,), "a list, of texts for values and of numbers for peaks"),
    dict: ((dict,), "a table"),
}
"""By the type of a key's default: what may stand in the file, and how to say so."""


def read_domains(databases: Path) -> list[Domain]:
    """Every ``<db_id>/domain.toml`` below a folder, by name.

    Raises:
        DataError: A file is not TOML or declares what cannot be built; lists every fault of every file.
    """
    found, faults = [], []
    for path in sorted(databases.glob("*/domain.toml")):
        try:
            found.append(read_domain(path))
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("\n".join(faults))
    if not found:
        raise DataError(f"{databases}: no */domain.toml here; declare a database as in data/databases/football")
    return found


def read_domain(path: Path) -> Domain:
    """Read one declaration.

    Raises:
        DataError: The file is not TOML or declares what cannot be built; lists every fault.
    """
    try:
        declared = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise DataError(f"{path}: not TOML ({error}); fix the file") from error
    faults: list[str] = []
    if declared.get("role", "train") not in get_args(Role):
        faults.append(f"role is one of {', '.join(get_args(Role))}")
    lists = {name: tuple(values) for name, values in declared.get("lists", {}).items()}
    tables = tuple(_table(name, table, faults) for name, table in declared.get("tables", {}).items())
    domain = Domain(path.parent.name, tables, lists, declared.get("role", "train"))
    if not faults:
        faults = find_faults(domain)
    if faults:
        raise DataError("\n".join(f"{path}: {fault}" for fault in faults))
    return domain


def _table(name: str, declared: dict[str, Any], faults: list[str]) -> TableSpec:
    one = declared.get("one", name.replace("_", " "))
    columns = [_column(name, column, values, faults) for column, values in declared.get("columns", {}).items()]
    if type(declared.get("rows")) is not int or declared["rows"] < 1:
        faults.append(f"table {name}: rows is missing or no positive integer; say how many rows to make")
    kept = tuple(column for column in columns if column is not None)
    return TableSpec(name, declared.get("rows", 0), kept, one, declared.get("many", plural(one)))


def _column(table: str, name: str, declared: Any, faults: list[str]) -> ColumnSpec | None:
    where = f"column {table}.{name}"
    known = {field.name for field in fields(ColumnSpec)} - {"name"}
    needed = {field.name for field in fields(ColumnSpec) if field.default is MISSING} - {"name", "map", "only_if"}
    if not isinstance(declared, dict) or set(declared) - known or needed - set(declared):
        faults.append(f"{where}: needs kind and at most {', '.join(sorted(known - needed))}")
        return None
    if declared["kind"] not in get_args(Kind) or declared.get("measure", "level") not in get_args(Measure):
        faults.append(f"{where}: kind is one of {', '.join(get_args(Kind))}; measure of {', '.join(get_args(Measure))}")
        return None
    if wrong := _mistyped(declared):
        faults.append(f"{where}: {'; '.join(wrong)}")
        return None
    phrase = declared.get("phrase", name.replace("_", " "))
    is_counted = declared.get("measure") == "count"
    derived = {"phrase": phrase, "plural": phrase if is_counted else plural(phrase)}
    if declared["kind"] in ("year", "date"):
        derived["measure"] = "time"
    frozen: dict[str, Any] = {key: tuple(declared[key]) for key in _LISTS if key in declared}
    frozen |= {key: _frozen(declared[key]) for key in ("map", "only_if") if key in declared}
    return ColumnSpec(name=name, **{**derived, **declared, **frozen})


def _mistyped(declared: dict[str, Any]) -> list[str]:
    """What is of the wrong type, such as ``low = "3"``."""
    wrong = []
    for key, value in declared.items():
        default = getattr(ColumnSpec("", "id"), key)
        types, what = _TYPES[type(default)]
        elements = value if isinstance(value, list) else []
        is_mixed = any(type(element) is not (str if key == "values" else int) for element in elements)
        if type(value) not in types or is_mixed:
            wrong.append(f"{key} must be {what}")
    return wrong


def _frozen(table: dict[str, Any]) -> dict[str, Any]:
    """Lists, and single texts as lists of one, become tuples; numbers stay."""
    lists = {key: [value] if isinstance(value, str) else value for key, value in table.items()}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in lists.items()}
