"""Draw the values of one column: skewed, with NULLs and ties, and fitting the columns that it depends on."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from random import Random
from string import Formatter

from course_utils.errors import DataError
from tools.dataset.specs import ColumnSpec, Domain, TableSpec

Value = str | int | float | None
Cells = dict[str, dict[str, list[Value]]]
"""What is drawn so far, by table and column."""
_ATTEMPTS = 1000
_PEAK = 3
"""How many times as frequent a date in season is."""
_FLATNESS = -0.6
"""Exponent of a rank's weight: the first of ten values has a fifth of the rows, the last a twentieth."""


def draw_column(domain: Domain, table: TableSpec, column: ColumnSpec, cells: Cells, rng: Random) -> list[Value]:
    """One value for each row of the table.

    Args:
        domain: The database.
        table: The column's table; the columns above it must be in ``cells``.
        column: What to draw.
        cells: The values of earlier tables and columns.
        rng: The column's own random stream.

    Raises:
        DataError: A unique column or pair has too few different values, or ``map`` lacks a text.
    """
    if column.kind == "id":
        return list(range(1, table.rows + 1))
    if column.kind == "reference":
        values = _references(domain, table, column, cells, rng)
    elif column.kind == "text" and column.unique and not column.follows:
        values = _distinct_texts(domain, table, column, rng)
    else:
        values = _plain(domain, table, column, cells, rng)
    if column.ties:
        _tie(values, column.ties, rng)
    for path, wanted in column.only_if.items():
        decisive = look_up(domain, cells, table, path)
        values = [value if text in wanted else None for value, text in zip(values, decisive, strict=True)]
    return values


def look_up(domain: Domain, cells: Cells, table: TableSpec, path: str) -> list[Value]:
    """What each row of a table finds at a path: ``status``, or ``loan_id.loan_date`` through a reference."""
    first, _, rest = path.partition(".")
    values = cells[table.name][first]
    if not rest:
        return values
    parents = look_up(domain, cells, domain.table(table.column(first).table), rest)
    return [None if key is None else parents[int(key) - 1] for key in values]


def _plain(domain: Domain, table: TableSpec, column: ColumnSpec, cells: Cells, rng: Random) -> list[Value]:
    draw = _drawing(domain, table, column, cells, rng)
    made: list[Value] = []
    taken: set[Value] = set()
    for row in range(table.rows):
        for _ in range(_ATTEMPTS):
            value = draw(row)
            if not column.unique or value is None or value not in taken:
                break
        else:
            raise _too_few(domain, table, column)
        taken.add(value)
        made.append(None if rng.random() < column.null_share else value)
    return made


def _drawing(domain: Domain, table: TableSpec, column: ColumnSpec, cells: Cells, rng: Random) -> Callable[[int], Value]:
    """How to draw the value of a row: free, or from what the row has at the column's path."""
    path = column.follows or column.after or column.times
    if not path:
        if column.kind == "text":
            texts = list(column.values) or _combinations(domain, column.pattern)
            weights = _weights(len(texts), column.skew)
            return lambda _: rng.choices(texts, weights)[0]
        return lambda _: _date(column, rng) if column.kind == "date" else _number(column, rng)
    bases = look_up(domain, cells, table, path)
    if column.map:
        bases = [base if base is None or base in column.map else str(base).split()[0] for base in bases]
        if missing := sorted({str(base) for base in bases if base is not None} - set(column.map)):
            where = f"{domain.db_id}/domain.toml: column {table.name}.{column.name}"
            raise DataError(f"{where}: map lacks {', '.join(missing)}; add them")
    return lambda row: None if bases[row] is None else _dependent(domain, column, bases[row], rng)


def _dependent(domain: Domain, column: ColumnSpec, base: Value, rng: Random) -> Value:
    if column.follows:
        texts = column.map.get(str(base), (str(base).split()[0],))
        assert isinstance(texts, tuple)  # checked when ``domain.toml`` was read
        chosen: str = rng.choices(texts, _weights(len(texts), column.skew))[0]
        return chosen.format_map({slot: rng.choice(domain.lists[slot]) for slot in _slots(chosen)})
    if column.times:
        factor = column.low + (column.high - column.low) * rng.random() ** column.skew
        number = column.map[str(base)] if column.map else base
        assert isinstance(number, int | float)
        return _rounded(column, number * factor)
    return _later(column, str(base), rng.random() ** column.skew)


def _later(column: ColumnSpec, base: str, share: float) -> Value:
    """A year after a year, or a day after a day or a year's first day; not beyond ``until`` unless the base is."""
    if column.kind == "year":
        first, last = int(base[:4]), int(column.until)
    else:
        start = date.fromisoformat(base if "-" in base else f"{base}-01-01")
        first, last = start.toordinal(), date(int(column.until or 9999), 12, 31).toordinal()
    high = min(column.high, last - first) if column.until else column.high
    later = first + round(column.low + (max(high, column.low) - column.low) * share)
    return later if column.kind == "year" else str(date.fromordinal(later))


def _rounded(column: ColumnSpec, number: float) -> Value:
    if column.kind == "real":
        return round(number, column.decimals)
    return column.step * round(number / column.step)


def _date(column: ColumnSpec, rng: Random) -> Value:
    first = date(int(column.low), 1, 1)
    n_days = (date(int(column.high), 12, 31) - first).days + 1
    while True:
        offset = rng.randrange(n_days) if column.skew == 1 else int(n_days * rng.random() ** column.skew)
        day = first + timedelta(days=offset)
        n_off = sum(
            bool(peak) and value not in peak
            for peak, value in ((column.peak_months, day.month), (column.peak_weekdays, day.isoweekday()))
        )
        if not n_off or rng.random() < _PEAK**-n_off:
            return str(day)


def _number(column: ColumnSpec, rng: Random) -> Value:
    share: float = rng.random() ** column.skew
    if column.kind == "real":
        return round(column.low + (column.high - column.low) * share, column.decimals)
    n_steps = int(column.high - column.low) // column.step
    return int(column.low) + column.step * round(n_steps * share)


def _references(domain: Domain, table: TableSpec, column: ColumnSpec, cells: Cells, rng: Random) -> list[Value]:
    if column.table == table.name:
        return _tree(table, column, rng)
    parents = list(range(1, domain.table(column.table).rows + 1))
    weights = _weights(len(parents), column.skew, rng)
    if column.childless:
        for parent in rng.sample(range(len(parents)), round(column.childless * len(parents))):
            weights[parent] = 0
    drawn: list[int] = rng.choices(parents, weights, k=table.rows)
    if column.distinct_with:
        _separate(drawn, cells[table.name][column.distinct_with], lambda: rng.choices(parents, weights)[0])
        if len(set(zip(drawn, cells[table.name][column.distinct_with], strict=True))) < table.rows:
            raise DataError(
                f"{domain.db_id}/domain.toml: column {table.name}.{column.name}: some {column.distinct_with} has more "
                f"rows than there are different {column.name}s for it; make fewer rows, or lower skew and childless"
            )
    return [None if column.null_share and rng.random() < column.null_share else parent for parent in drawn]


def _separate(drawn: list[int], partners: list[Value], draw: Callable[[], int]) -> None:
    """Draw again where a pair is there already."""
    taken: set[tuple[int, Value]] = set()
    for row, partner in enumerate(partners):
        for _ in range(_ATTEMPTS):
            if (drawn[row], partner) not in taken:
                break
            drawn[row] = draw()
        taken.add((drawn[row], partner))


def _tree(table: TableSpec, column: ColumnSpec, rng: Random) -> list[Value]:
    """A parent above each row but the first; early rows have more children."""
    return [
        None
        if row == 0 or rng.random() < column.null_share
        else rng.choices(range(1, row + 1), _weights(row, column.skew))[0]
        for row in range(table.rows)
    ]


def _tie(values: list[Value], n_rows: int, rng: Random) -> None:
    """Let the greatest value belong to so many rows."""
    numbers = [value for value in values if isinstance(value, int | float)]
    top = max(numbers, default=0)
    others = [row for row, value in enumerate(values) if value is not None and value != top]
    for row in rng.sample(others, min(len(others), max(0, n_rows - numbers.count(top)))):
        values[row] = top


def _distinct_texts(domain: Domain, table: TableSpec, column: ColumnSpec, rng: Random) -> list[Value]:
    texts = list(column.values) or _combinations(domain, column.pattern)
    if len(texts) < table.rows:
        raise _too_few(domain, table, column)
    return list(rng.sample(texts, table.rows))


def _combinations(domain: Domain, pattern: str) -> list[str]:
    slots = _slots(pattern)
    return [
        pattern.format(**dict(zip(slots, choice, strict=True))) for choice in product(*(domain.lists[s] for s in slots))
    ]


def _slots(pattern: str) -> list[str]:
    return [slot for _, slot, _, _ in Formatter().parse(pattern) if slot]


def _too_few(domain: Domain, table: TableSpec, column: ColumnSpec) -> DataError:
    return DataError(
        f"{domain.db_id}/domain.toml: column {table.name}.{column.name} is unique but has fewer than {table.rows} "
        "different values; lengthen its lists, widen low and high, or make fewer rows"
    )


def _weights(n: int, skew: float, rng: Random | None = None) -> list[float]:
    """Falling weights, so that groups differ in size; in random order where ``rng`` is given."""
    weights = [(i + 1) ** (_FLATNESS * skew) for i in range(n)]
    if rng is not None:
        rng.shuffle(weights)
    return weights
