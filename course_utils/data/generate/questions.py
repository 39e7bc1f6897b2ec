"""Fill the shapes from a domain and its rows: one question and its query at a time."""

from collections import Counter
from dataclasses import dataclass
from random import Random

from course_utils.data.generate import wording
from course_utils.data.generate.domains import LABELS, NUMBERS, ColumnSpec, Domain, TableSpec
from course_utils.data.generate.populate import Value, literal
from course_utils.data.generate.shapes import Shape

Rows = dict[str, list[tuple[Value, ...]]]
MAX_TEXTS_TO_GROUP = 12
"""A column with more different texts is a name rather than a group."""


@dataclass(frozen=True)
class Question:
    """One filled shape."""

    question: str
    query: str
    shape: str


@dataclass
class _Slots:
    """What fills a shape: ``sql`` its query, ``words`` its question."""

    sql: dict[str, str]
    words: dict[str, str]

    def column(self, slot: str, column: ColumnSpec) -> None:
        self.sql[slot] = column.name
        self.words |= {slot: column.phrase, f"{slot}_s": column.plural, f"a_{slot}": wording.possessed(column)}

    def value(self, slot: str, value: Value) -> None:
        self.sql[slot], self.words[slot] = literal(value), str(value)


def ask(domain: Domain, rows: Rows, rng: Random, shape: Shape) -> Question | None:
    """One question of a shape about a random table, or None where that table does not fit.

    Whether it is a good question is for ``build.py`` to check.
    """
    return _fill(shape, _slots(domain, rng.choice(domain.tables), rows, rng), rng)


def _fill(shape: Shape, slots: _Slots, rng: Random) -> Question | None:
    for question in rng.sample(shape.questions, len(shape.questions)):
        try:
            return Question(
                _human(question.format_map(slots.words), rng), shape.query.format_map(slots.sql), shape.name
            )
        except KeyError:  # the table cannot fill this wording, or the shape at all
            continue
    return None


def _human(text: str, rng: Random) -> str:
    """Vary politeness, case and final punctuation as people do."""
    if not text.startswith(("What", "Which", "How", "For", "Count all")) and rng.random() < 0.1:
        text = f"Please {text[:1].lower()}{text[1:]}"
    if rng.random() < 0.08:
        text = text.rstrip("?.")
    return text[:1].lower() + text[1:] if rng.random() < 0.06 else text


def _slots(domain: Domain, table: TableSpec, rows: Rows, rng: Random) -> _Slots:
    slots = _Slots({"t": table.name}, {"one": table.one, "many": table.many})
    cells = {c.name: [row[i] for row in rows[table.name]] for i, c in enumerate(table.columns)}
    used = [
        *_text_slots(slots, table, cells, rng),
        *_number_slots(slots, table, cells, rng),
        *_null_slots(slots, table, rng),
    ]
    _label_slots(slots, table, cells, rng)
    _parent_slots(slots, domain, table, rows, rng)
    _shown_slots(slots, table, used, rng)
    return slots


def _text_slots(slots: _Slots, table: TableSpec, cells: dict[str, list[Value]], rng: Random) -> list[ColumnSpec]:
    """``x v w``, ``from_v``, and for groups ``g cop size c_with``."""
    texts = [column for column in table.columns if column.kind == "text" and not column.is_label]
    if not texts:
        return []
    column = rng.choice(texts)
    found = [value for value in cells[column.name] if value is not None]
    slots.column("x", column)
    first, *others = rng.sample(sorted(set(found), key=str), min(2, len(set(found))))
    slots.value("v", first)
    if others:
        slots.value("w", others[0])
    if column.preposition:
        slots.words["from_v"] = f"{column.preposition} {first}"
    if len(set(found)) <= MAX_TEXTS_TO_GROUP and not column.null_share:
        slots.column("g", column)
        op, size = rng.choice(wording.OPERATORS), rng.choice(sorted(Counter(found).values()))
        slots.sql |= {"cop": op, "size": str(size)}
        slots.words |= {"c_with": rng.choice(wording.BY_COUNT[op]).format(k=size)}
    return [column]


def _number_slots(slots: _Slots, table: TableSpec, cells: dict[str, list[Value]], rng: Random) -> list[ColumnSpec]:
    """``n op k k2 f dir j`` and everything that is said of them."""
    numbers = [column for column in table.columns if column.kind in (*NUMBERS, "date")]
    if not numbers:
        return []
    column = rng.choice(numbers)
    found = sorted(value for value in cells[column.name] if value is not None)
    middle = found[len(found) // 10 : -len(found) // 10]
    k, k2 = sorted(rng.sample(middle, 2))
    op, direction, j = rng.choice(wording.OPERATORS), rng.choice(("DESC", "DESC", "ASC")), str(rng.randint(2, 8))
    slots.column("n", column)
    slots.value("k", k)
    slots.value("k2", k2)
    function, f_n = wording.aggregate(rng, column)
    low, high = wording.extremes(rng, column)
    slots.sql |= {"op": op, "f": function, "dir": direction, "j": j}
    slots.words |= {
        "j": j,
        "n_with": wording.with_comparison(rng, column, op, str(k)),
        "n_is": wording.is_comparison(rng, column, op, str(k)),
        "n_between": wording.with_range(rng, column, str(k), str(k2)),
        "n_is_between": wording.is_range(column, str(k), str(k2)),
        "n_quantity": wording.quantity(column),
        "n_order": wording.ordering(rng, column, direction),
        "order": wording.ORDER_WORDS[direction],
        "most_n": wording.superlative(rng, column, direction),
        "f_n": f_n,
        "low": low,
        "high": high,
    }
    if column.measure != "time":
        side = rng.choice((">", "<"))
        slots.sql["side"], slots.words["side"] = side, {">": "above", "<": "below"}[side]
    return [column]


def _null_slots(slots: _Slots, table: TableSpec, rng: Random) -> list[ColumnSpec]:
    """``o``: a column that is empty in some rows."""
    optional = [column for column in table.columns if column.null_share]
    if optional:
        slots.column("o", rng.choice(optional))
    return []


def _label_slots(slots: _Slots, table: TableSpec, cells: dict[str, list[Value]], rng: Random) -> None:
    """``l``, a row's name ``q``, and ``c part`` for a word inside it."""
    if table.label is None:
        return
    name = str(rng.choice(cells[table.label.name]))
    slots.column("l", table.label)
    slots.value("q", name)
    slots.words["called"] = rng.choice({"name": ("named", "called"), "title": ("titled", "called")}[table.label.name])
    slots.column("c", table.label)
    part = rng.choice(name.split())
    slots.sql["part"] = slots.words["part"] = part


def _parent_slots(slots: _Slots, domain: Domain, table: TableSpec, rows: Rows, rng: Random) -> None:
    """``u parent p y q z``: a table that this one refers to, if there is one."""
    references = [column for column in table.columns if column.kind == "reference"]
    if not references:
        return
    reference = rng.choice(references)
    parent = domain.table(reference.table)
    texts = [column for column in parent.columns if column.kind == "text"]
    asked = rng.choice(texts)
    index = parent.columns.index(asked)
    value = rng.choice([row[index] for row in rows[parent.name] if row[index] is not None])
    slots.sql |= {"u": parent.name, "p": f"{table.name}.{reference.name} = {parent.name}.{parent.key.name}"}
    slots.words["parent"] = parent.one
    slots.column("y", asked)
    slots.value("r", value)
    if parent.label:
        slots.column("z", parent.label)


def _shown_slots(slots: _Slots, table: TableSpec, used: list[ColumnSpec], rng: Random) -> None:
    """``a b d``: columns to show, seldom those that the question filters by."""
    shown = [column for column in table.columns if column.kind not in ("id", "reference")]
    rng.shuffle(shown)
    shown.sort(key=lambda column: (column in used, not (column.name in LABELS and rng.random() < 0.3)))
    for slot, column in zip("ab", shown, strict=False):
        slots.column(slot, column)
    slots.column("d", next(column for column in shown if not column.is_label))
