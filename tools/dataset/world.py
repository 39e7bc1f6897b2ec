"""A domain together with its rows, from which questions take their tables, columns and values."""

from dataclasses import dataclass, field
from functools import cached_property

from tools.dataset.domains import NUMBERS, ColumnSpec, Domain, TableSpec
from tools.dataset.populate import Value

Rows = dict[str, list[tuple[Value, ...]]]
MAX_TEXTS_TO_GROUP = 12
"""A column with more different texts is a name rather than a group."""


@dataclass(frozen=True)
class View:
    """One table and its values by column."""

    table: TableSpec
    cells: dict[str, list[Value]] = field(repr=False)
    _sorted: dict[str, list[Value]] = field(default_factory=dict, repr=False)

    def values(self, column: ColumnSpec) -> list[Value]:
        """The values of a column, without NULLs."""
        return [value for value in self.cells[column.name] if value is not None]

    def sorted_values(self, column: ColumnSpec) -> list[Value]:
        """The values of a column of numbers or of dates, from the lowest to the highest."""
        if column.name not in self._sorted:
            self._sorted[column.name] = sorted(self.values(column), key=lambda value: (isinstance(value, str), value))
        return self._sorted[column.name]

    def mean(self, column: ColumnSpec) -> float:
        """The mean of a column of numbers."""
        numbers = [value for value in self.sorted_values(column) if isinstance(value, int | float)]
        return sum(numbers) / len(numbers)

    def has_gaps(self, column: ColumnSpec) -> bool:
        """Whether some rows have no value."""
        return None in self.cells[column.name]

    @cached_property
    def texts(self) -> list[ColumnSpec]:
        """Text columns that do not name the row."""
        return [column for column in self.table.columns if column.kind == "text" and not column.is_label]

    @cached_property
    def groups(self) -> list[ColumnSpec]:
        """Text columns with few different values and no gaps."""
        return [column for column in self.texts if not self.has_gaps(column) and self._n_values(column) > 1]

    def _n_values(self, column: ColumnSpec) -> int:
        n = len(set(self.values(column)))
        return n if n <= MAX_TEXTS_TO_GROUP else 0

    @cached_property
    def numbers(self) -> list[ColumnSpec]:
        """Columns to compare and to sort by."""
        return [column for column in self.table.columns if column.kind in (*NUMBERS, "date")]

    @cached_property
    def dates(self) -> list[ColumnSpec]:
        """Columns of dates."""
        return [column for column in self.table.columns if column.kind == "date"]

    @cached_property
    def gaps(self) -> list[ColumnSpec]:
        """Columns without a value in some rows."""
        return [c for c in self.table.columns if c.kind not in ("id", "reference") and self.has_gaps(c)]

    @cached_property
    def shown(self) -> list[ColumnSpec]:
        """Columns that a question may ask for."""
        return [column for column in self.table.columns if column.kind not in ("id", "reference")]

    @cached_property
    def names(self) -> list[str]:
        """The names of the rows; empty where two rows share one, so that a name does not say which."""
        names = [] if self.table.label is None else [str(name) for name in self.cells[self.table.label.name]]
        return names if len(set(names)) == len(names) > 1 else []


@dataclass(frozen=True)
class World:
    """One domain and its tables' values."""

    domain: Domain
    views: dict[str, View]

    def parents(self, table: TableSpec, without: frozenset[str]) -> list[ColumnSpec]:
        """References to other tables than those named."""
        return [c for c in table.columns if c.kind == "reference" and c.table not in {table.name, *without}]

    def children(self, table: TableSpec) -> list[tuple[View, ColumnSpec]]:
        """Tables that refer to this one, each by one reference only, so that "its orders" says which."""
        found = []
        for view in self.views.values():
            references = [c for c in view.table.columns if c.kind == "reference" and c.table == table.name]
            if len(references) == 1 and view.table.name != table.name:
                found.append((view, references[0]))
        return found


def make_world(domain: Domain, rows: Rows) -> World:
    """Turn rows into columns, once for all questions."""
    views = {}
    for table in domain.tables:
        columns = list(zip(*rows[table.name], strict=True)) or [()] * len(table.columns)
        cells = {column.name: list(values) for column, values in zip(table.columns, columns, strict=True)}
        views[table.name] = View(table, cells)
    return World(domain, views)
