"""Fill a shape's slots from one table; ``shapes/shape.py`` describes them."""

from collections import Counter
from collections.abc import Set
from random import Random
from types import SimpleNamespace
from typing import Any

from tools.dataset import wording
from tools.dataset.domains import LABELS, ColumnSpec
from tools.dataset.populate import Value, literal
from tools.dataset.world import View

NTH = {2: "second", 3: "third"}
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)


class Related(SimpleNamespace):
    """The slots of a related table: ``{up.l}`` is one of them, ``{up}`` the table's name."""

    def __str__(self) -> str:
        return str(self.name)


class Slots:
    """What fills a shape: ``sql`` its query, ``words`` its question."""

    def __init__(self, view: View, one: str, many: str) -> None:
        self.view = view
        self.sql: dict[str, Any] = {"t": view.table.name, "key": view.table.key.name}
        self.words: dict[str, Any] = {"one": one, "many": many, "a_one": wording.article(one)}
        self.words["key"] = view.table.key.phrase
        self.used: list[ColumnSpec] = []

    def column(self, slot: str, column: ColumnSpec) -> None:
        """Fill a slot with a column."""
        self.sql[slot] = column.name
        self.words |= {slot: column.phrase, f"{slot}_s": column.plural, f"a_{slot}": wording.possessed(column)}

    def value(self, slot: str, value: Value) -> None:
        """Fill a slot with a value."""
        self.sql[slot], self.words[slot] = literal(value), str(value)

    def both(self, **texts: str) -> None:
        """Fill slots that read the same in SQL and in words."""
        self.sql |= texts
        self.words |= texts

    def related(self, slot: str, other: "Slots") -> None:
        """Fill the slots behind a related table's name."""
        self.sql[slot] = Related(name=other.view.table.name, **other.sql)
        self.words[slot] = Related(name=other.view.table.name, **other.words)


def fill_table(slots: Slots, needs: Set[str], rng: Random) -> None:
    """Fill whatever the table can fill; ``needs`` are the slots of the shape, so that columns suit it."""
    if needs & {"x", "g"}:
        _texts(slots, needs, rng)
    if needs & {"e", "e_full"}:
        _dates(slots, needs, rng)
    if "n" in needs:
        _numbers(slots, needs, rng)
    _gaps(slots, needs, rng)
    _label(slots, rng)
    _shown(slots, rng)


def _texts(slots: Slots, needs: Set[str], rng: Random) -> None:
    """``x v w v3 from_v``, for groups ``g cop size c_with``, and ``h hv hw``."""
    view = slots.view
    texts = view.groups if "g" in needs else view.texts
    if not texts:
        return
    column = rng.choice(texts)
    found = view.values(column)
    different = sorted(set(found), key=str)
    slots.used.append(column)
    slots.column("x", column)
    for slot, value in zip(("v", "w", "v3"), rng.sample(different, min(3, len(different))), strict=False):
        slots.value(slot, value)
    if column.preposition and "v" in slots.words:
        slots.words["from_v"] = f"{column.preposition} {slots.words['v']}"
    if column in view.groups:
        slots.column("g", column)
        op, size = rng.choice(wording.OPERATORS), rng.choice(sorted(Counter(found).values()))
        slots.sql |= {"cop": op, "size": str(size)}
        slots.words["c_with"] = rng.choice(wording.BY_COUNT[op]).format(k=size)
    if "h" in needs and (others := [other for other in view.groups if other != column]):
        other = rng.choice(others)
        slots.used.append(other)
        slots.column("h", other)
        for slot, value in zip(("hv", "hw"), rng.sample(sorted(set(view.values(other)), key=str), 2), strict=True):
            slots.value(slot, value)


def _dates(slots: Slots, needs: Set[str], rng: Random) -> None:
    """``e year month month_name day day2 e_f e_end``, and ``e_full`` where no date is missing."""
    dates = [column for column in slots.view.dates if "e_full" not in needs or not slots.view.has_gaps(column)]
    if not dates:
        return
    column = rng.choice(dates)
    found = sorted(map(str, slots.view.values(column)))
    if len(found) < 10:
        return
    slots.used.append(column)
    slots.column("e", column)
    slots.sql["e_full"] = column.name
    year, month, _ = rng.choice(found).split("-")
    day, day2 = sorted(rng.sample(found, 2))
    function, end = rng.choice((("MIN", "earliest"), ("MAX", "latest")))
    slots.both(year=year, month=month, month_name=MONTHS[int(month) - 1], day=day, day2=day2, e_f=function, e_end=end)


def _numbers(slots: Slots, needs: Set[str], rng: Random) -> None:
    """``n``, and ``m`` where it is needed."""
    numbers = slots.view.numbers
    if needs & {"avg", "sum", "side", "low_k", "down"}:
        numbers = [column for column in numbers if column.measure != "time"]
    if "sum" in needs:
        numbers = [column for column in numbers if column.measure in ("count", "amount")]
    if needs & {"e", "e_full"}:
        numbers = [column for column in numbers if column.kind != "date"]
    numbers = [column for column in numbers if len(set(slots.view.values(column))) >= 3]
    if not numbers:
        return
    column = rng.choice(numbers)
    slots.used.append(column)
    _number(slots, column, rng)
    if "m" in needs and (others := [other for other in numbers if other != column]):
        other = rng.choice(others)
        slots.used.append(other)
        _second_number(slots, other, rng)


def _number(slots: Slots, column: ColumnSpec, rng: Random) -> None:
    """``n op k k2 f dir j few`` and everything that is said of them."""
    op, direction, j, few = (
        rng.choice(wording.OPERATORS),
        rng.choice(("DESC", "DESC", "ASC")),
        rng.randint(2, 8),
        rng.randint(2, 3),
    )
    k, k2 = _two_values(slots.view, column, rng)
    function, f_n = wording.aggregate(rng, column)
    low, high = wording.extremes(rng, column)
    extreme, extreme_words = wording.extreme(rng, column)
    slots.column("n", column)
    slots.value("k", k)
    slots.value("k2", k2)
    slots.both(j=str(j), few=str(few))
    slots.sql |= {"op": op, "f": function, "dir": direction, "fx": extreme}
    slots.words |= {
        "n_with": wording.with_comparison(rng, column, op, str(k)),
        "n_is": wording.is_comparison(rng, column, op, str(k)),
        "n_between": wording.with_range(rng, column, str(k), str(k2)),
        "n_is_between": wording.is_range(column, str(k), str(k2)),
        "n_quantity": wording.quantity(column),
        "n_order": wording.ordering(rng, column, direction),
        "order": wording.ORDER_WORDS[direction],
        "most_n": wording.superlative(rng, column, direction),
        "f_n": f_n,
        "fx_n": extreme_words,
        "low": low,
        "high": high,
        "nth": NTH[few],
    }
    if column.measure != "time":
        _averages(slots, column, rng)
        slots.sql |= {"low_k": literal(k), "high_k": literal(k2), "down": "DESC"}
        slots.words |= {"low_k": str(k), "high_k": str(k2)}


def _averages(slots: Slots, column: ColumnSpec, rng: Random) -> None:
    """``side avg sum mean_op mean_k``, for what has an average or a total."""
    side = rng.choice((">", "<"))
    slots.sql |= {"side": side, "avg": "AVG"}
    slots.words |= {"side": {">": "above", "<": "below"}[side], "avg": "average"}
    if column.measure in ("count", "amount"):
        slots.sql["sum"] = "SUM"
        slots.words["sum"] = "total"
    middle = slots.view.mean(column)
    near = middle * rng.uniform(0.93, 1.07)
    mean_k = str(round(near) if middle >= 20 else round(near, 1))
    slots.sql |= {"mean_op": side, "mean_k": mean_k}
    slots.words["mean_k"] = f"{slots.words['side']} {mean_k}"


def _second_number(slots: Slots, column: ColumnSpec, rng: Random) -> None:
    """``m m_op m_k m_f`` and their words."""
    op, (k, _) = rng.choice(wording.OPERATORS), _two_values(slots.view, column, rng)
    function, f_m = wording.aggregate(rng, column)
    slots.column("m", column)
    slots.value("m_k", k)
    slots.sql |= {"m_op": op, "m_f": function}
    slots.words |= {
        "m_with": wording.with_comparison(rng, column, op, str(k)),
        "m_is": wording.is_comparison(rng, column, op, str(k)),
        "f_m": f_m,
    }


def _two_values(view: View, column: ColumnSpec, rng: Random) -> tuple[Value, Value]:
    """Two different values, as often as they occur, that are neither among the lowest nor among the highest tenth."""
    found = view.sorted_values(column)
    middle = found[len(found) // 10 : -len(found) // 10]
    inner = [value for value in middle if found[0] != value != found[-1]] or middle
    low = rng.choice(inner)
    high = next((value for value in (rng.choice(middle) for _ in range(9)) if value != low), low)
    return (low, high) if found.index(low) <= found.index(high) else (high, low)


def _gaps(slots: Slots, needs: Set[str], rng: Random) -> None:
    """``o``, a column that is empty in some rows, and ``ot otv``, such a text column."""
    if slots.view.gaps:
        slots.column("o", rng.choice(slots.view.gaps))
    texts = [column for column in slots.view.gaps if column.kind == "text"]
    if "ot" in needs and texts:
        column = rng.choice(texts)
        slots.used.append(column)
        slots.column("ot", column)
        slots.value("otv", rng.choice(sorted(set(slots.view.values(column)), key=str)))


def _label(slots: Slots, rng: Random) -> None:
    """``l``, a row's names ``q`` and ``q2``, and ``c part start`` of such a name."""
    label, names = slots.view.table.label, slots.view.names
    if label is None or not names:
        return
    name, other = rng.sample(names, 2)
    slots.column("l", label)
    slots.column("c", label)
    slots.value("q", name)
    slots.value("q2", other)
    slots.words["called"] = rng.choice({"name": ("named", "called"), "title": ("titled", "called")}[label.name])
    part = rng.choice(name.split())
    slots.both(start=name[0].upper())
    if "'" not in part:
        slots.both(part=part)


def _shown(slots: Slots, rng: Random) -> None:
    """``a b d``: columns to show, seldom those that the question filters by."""
    shown = list(slots.view.shown)
    rng.shuffle(shown)
    shown.sort(key=lambda column: (column in slots.used, not (column.name in LABELS and rng.random() < 0.3)))
    for slot, column in zip("ab", shown, strict=False):
        slots.column(slot, column)
    if plain := [column for column in shown if not column.is_label]:
        slots.column("d", plain[0])
