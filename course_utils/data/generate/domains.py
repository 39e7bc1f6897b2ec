"""Read ``domain.toml``: one database of the course, declared by its tables, columns and words.

A domain says what to store and how people speak of it; ``populate.py`` makes rows of it and
``questions.py`` asks about it. It holds no SQL and no chance.
"""

import re
import string
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from course_utils.errors import DataError

Kind = Literal["id", "reference", "text", "integer", "real", "year", "date"]
Measure = Literal["count", "amount", "level", "time"]
Role = Literal["train", "validation", "test"]
NUMBERS = ("integer", "real", "year")
LABELS = ("name", "title")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class ColumnSpec:
    """A column: its identifier, the words for it, and where its values come from."""

    name: str
    kind: Kind
    phrase: str = ""
    """How a person says it; by default the name with spaces."""
    plural: str = ""
    table: str = ""
    """The table that a reference points at."""
    values: tuple[str, ...] = ()
    """Text: the values to draw from, the first ones more often."""
    pattern: str = ""
    """Text: built from the domain's lists, such as ``{first} {last}``."""
    preposition: str = ""
    """Text: lets a question say ``players from Spain`` or ``hotels in Rome``."""
    low: float = 0
    high: float = 0
    step: int = 1
    decimals: int = 1
    skew: float = 1.0
    """Numbers: above 1, small values are more frequent."""
    measure: Measure = "level"
    """``count``: "more than 9 goals". ``amount``: has a total. ``level``: has none (an age). ``time``: "after 2010"."""
    unique: bool = False
    null_share: float = 0.0

    @property
    def is_label(self) -> bool:
        """Whether the column names its row, so that a question may leave it unsaid."""
        return self.name in LABELS

    @property
    def sql_type(self) -> str:
        """The type in ``CREATE TABLE``."""
        return {"text": "TEXT", "real": "REAL", "date": "DATE"}.get(self.kind, "INTEGER")


@dataclass(frozen=True)
class TableSpec:
    """A table; ``one`` and ``many`` are what people call one and several of its rows."""

    name: str
    rows: int
    columns: tuple[ColumnSpec, ...]
    one: str = ""
    many: str = ""

    def column(self, name: str) -> ColumnSpec:
        """A column by name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def key(self) -> ColumnSpec:
        """The primary key."""
        return next(column for column in self.columns if column.kind == "id")

    @property
    def label(self) -> ColumnSpec | None:
        """The column that names a row, if there is one."""
        return next((column for column in self.columns if column.is_label), None)


@dataclass(frozen=True)
class Domain:
    """One database; its ``role`` says which splits may ask about it.

    ``train``: all three. ``validation`` and ``test``: that split only, to see what a model does with a database that
    it was never trained on.
    """

    db_id: str
    tables: tuple[TableSpec, ...]
    lists: dict[str, tuple[str, ...]]
    role: Role = "train"

    @property
    def held_out(self) -> bool:
        """Whether only the test asks about it."""
        return self.role == "test"

    def table(self, name: str) -> TableSpec:
        """A table by name."""
        return next(table for table in self.tables if table.name == name)


def plural(noun: str) -> str:
    """The regular English plural of the last word: ``city`` becomes ``cities``."""
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh", "z")) else "s")


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
    lists = {name: tuple(values) for name, values in declared.get("lists", {}).items()}
    tables = tuple(_table(name, table, faults) for name, table in declared.get("tables", {}).items())
    if declared.get("role", "train") not in get_args(Role):
        faults.append(f"role is one of {', '.join(get_args(Role))}")
    domain = Domain(path.parent.name, tables, lists, declared.get("role", "train"))
    if not faults:
        faults = _faults(domain)
    if faults:
        raise DataError("\n".join(f"{path}: {fault}" for fault in faults))
    return domain


def _table(name: str, declared: dict[str, Any], faults: list[str]) -> TableSpec:
    one = declared.get("one", name.replace("_", " "))
    columns = [_column(name, column, values, faults) for column, values in declared.get("columns", {}).items()]
    if not isinstance(declared.get("rows"), int):
        faults.append(f"table {name}: rows is missing; say how many rows to make")
    kept = tuple(column for column in columns if column is not None)
    return TableSpec(name, declared.get("rows", 0), kept, one, declared.get("many", plural(one)))


def _column(table: str, name: str, declared: Any, faults: list[str]) -> ColumnSpec | None:
    where = f"column {table}.{name}"
    known = {field.name for field in fields(ColumnSpec)} - {"name"}
    needed = {field.name for field in fields(ColumnSpec) if field.default is MISSING} - {"name"}
    if not isinstance(declared, dict) or set(declared) - known or needed - set(declared):
        faults.append(f"{where}: needs kind and at most {', '.join(sorted(known - needed))}")
        return None
    if declared["kind"] not in get_args(Kind) or declared.get("measure", "level") not in get_args(Measure):
        faults.append(f"{where}: kind is one of {', '.join(get_args(Kind))}; measure of {', '.join(get_args(Measure))}")
        return None
    phrase = declared.get("phrase", name.replace("_", " "))
    is_counted = declared.get("measure") == "count"
    derived = {"phrase": phrase, "plural": phrase if is_counted else plural(phrase)}
    if declared["kind"] in ("year", "date"):
        derived["measure"] = "time"
    return ColumnSpec(name=name, **{**derived, **declared, "values": tuple(declared.get("values", ()))})


def _faults(domain: Domain) -> list[str]:
    """What a well-formed declaration still may get wrong."""
    faults = [] if domain.tables else ["no tables; add [tables.<name>]"]
    seen: set[str] = set()
    for table in domain.tables:
        kinds = [column.kind for column in table.columns]
        if kinds.count("id") != 1:
            faults.append(f'table {table.name}: needs exactly one column of kind "id"')
        if sum(bool(column.preposition) for column in table.columns) > 1:
            faults.append(f"table {table.name}: two columns have a preposition, so a question cannot tell them apart")
        for column in table.columns:
            faults += [f"column {table.name}.{column.name}: {fault}" for fault in _column_faults(column, domain, seen)]
        if not _NAME.fullmatch(table.name):
            faults.append(f"table {table.name}: write names in snake_case")
        seen.add(table.name)
    return faults


def _column_faults(column: ColumnSpec, domain: Domain, earlier: set[str]) -> list[str]:
    faults = []
    slots = {slot for _, slot, _, _ in string.Formatter().parse(column.pattern) if slot}
    if not _NAME.fullmatch(column.name):
        faults.append("write names in snake_case")
    if column.kind == "reference" and column.table not in earlier:
        faults.append(f"refers to {column.table!r}; declare that table above this one")
    if column.kind == "text" and bool(column.values) == bool(column.pattern):
        faults.append("text needs either values or pattern")
    if missing := sorted(slots - set(domain.lists)):
        faults.append(f"the pattern uses {', '.join(missing)}, which [lists] does not have")
    if column.kind in (*NUMBERS, "date") and column.low >= column.high:
        faults.append("low must be below high")
    if not 0 <= column.null_share < 1:
        faults.append("null_share is a share from 0 to below 1")
    return faults
