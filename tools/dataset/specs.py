"""What a declared database consists of: the keys of ``domain.toml`` as dataclasses. It reads and checks nothing.

A **path** names another column whose value a column depends on: ``start_date`` in the same row, or
``loan_id.loan_date`` through a reference. What it names must be declared earlier.
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["id", "reference", "text", "integer", "real", "year", "date"]
Measure = Literal["count", "amount", "level", "time"]
Role = Literal["train", "written", "validation", "test"]
NUMBERS = ("integer", "real", "year")
LABELS = ("name", "title")


@dataclass(frozen=True)
class ColumnSpec:
    """A column: its identifier, the words for it, and where its values come from."""

    name: str
    kind: Kind
    phrase: str = ""
    """How a person says it; by default the name with spaces."""
    plural: str = ""
    measure: Measure = "level"
    """``count``: "more than 9 goals". ``amount``: has a total. ``level``: has none (an age). ``time``: "after 2010"."""
    preposition: str = ""
    """Text: lets a question say ``players from Spain`` or ``hotels in Rome``."""

    table: str = ""
    """The table that a reference points at; its own table makes a tree, whose first row has no parent."""
    childless: float = 0.0
    """References: the share of the table pointed at that no row refers to."""
    distinct_with: str = ""
    """References: another reference of this table; no two rows share both."""

    values: tuple[str, ...] = ()
    """Text: the values to draw from, the first ones more often."""
    pattern: str = ""
    """Text: built from the domain's lists, such as ``{first} {last}``."""
    follows: str = ""
    """Text: the path of a text that decides; its first word, or what ``map`` has for it."""
    map: dict[str, tuple[str, ...] | float] = field(default_factory=dict)
    """What a path's text, or else its first word, stands for: after ``times`` a number, after ``follows`` values to
    draw from, which may use the domain's lists as a pattern does."""

    low: float = 0
    high: float = 0
    """Numbers and dates: the least and the greatest value; of a date, its year."""
    step: int = 1
    decimals: int = 1
    after: str = ""
    """Years and dates: the path of an earlier time; ``low`` and ``high`` then count years or days from it."""
    until: float = 0
    """Times with ``after``: the last possible year."""
    times: str = ""
    """Integers and reals: the path of a number; ``low`` and ``high`` are then factors of it."""
    ties: int = 0
    """Numbers: at least so many rows share the greatest value."""
    peak_months: tuple[int, ...] = ()
    """Dates: months (1 to 12) with three times as many rows as others."""
    peak_weekdays: tuple[int, ...] = ()
    """Dates: weekdays (1, Monday, to 7) with three times as many rows as others."""

    skew: float = 1.0
    """Above 1, small numbers and early dates are more frequent, and first texts and some parents still more so."""
    unique: bool = False
    null_share: float = 0.0
    """Share of rows without a value, to which ``only_if`` adds."""
    only_if: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Paths and the texts they must have; other rows have no value (no return date unless ``status`` is Returned)."""

    @property
    def is_label(self) -> bool:
        """Whether the column names its row, so that a question may leave it unsaid."""
        return self.name in LABELS

    @property
    def is_optional(self) -> bool:
        """Whether a row may lack a value by its own declaration; a path to an optional column can make more NULLs."""
        return self.null_share > 0 or bool(self.only_if)

    @property
    def sql_type(self) -> str:
        """The type in ``CREATE TABLE``."""
        return {"text": "TEXT", "real": "REAL", "date": "DATE"}.get(self.kind, "INTEGER")

    @property
    def paths(self) -> tuple[str, ...]:
        """The columns that this one depends on."""
        return tuple(filter(None, (self.follows, self.after, self.times, self.distinct_with, *self.only_if)))


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

    ``train``: all three. ``written``: training only, by written questions, so that a model reads more schemas.
    ``validation`` and ``test``: that split only, to see what a model does with a database that it was never trained on.
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
