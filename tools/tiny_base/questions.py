"""Fill the query shapes with an invented schema: a question, its SQL and its plan."""

from dataclasses import dataclass
from random import Random

from tools.tiny_base.schemas import LABELS, NUMERIC_KINDS, Column, Table
from tools.tiny_base.shapes import SHAPES, Shape

COMPARISONS = {
    ">": ("over", "above", "more than", "greater than", "higher than"),
    "<": ("under", "below", "less than", "lower than", "smaller than"),
    ">=": ("at least", "no less than"),
    "<=": ("at most", "no more than"),
}
TIME_COMPARISONS = {
    ">": ("after", "later than"),
    "<": ("before", "earlier than"),
    ">=": ("from", "no earlier than"),
    "<=": ("until", "no later than"),
}
AGGREGATES = {
    "AVG": ("average", "mean"),
    "SUM": ("total", "summed"),
    "MAX": ("highest", "maximum", "largest"),
    "MIN": ("lowest", "minimum", "smallest"),
}
DIRECTIONS = {
    "DESC": (("highest", "largest", "greatest", "biggest"), ("descending", "from high to low", "in descending order")),
    "ASC": (("lowest", "smallest", "least"), ("ascending", "from low to high", "in ascending order")),
}


@dataclass(frozen=True)
class Question:
    """One filled shape."""

    text: str
    sql: str
    plan: str


def _words(rng: Random) -> dict[str, str]:
    """Slots that need no schema: aggregates and sort directions."""
    op = rng.choice(list(COMPARISONS))
    function, direction = rng.choice(list(AGGREGATES)), rng.choice(list(DIRECTIONS))
    most, order = DIRECTIONS[direction]
    return {
        "cop": op,
        "cover": rng.choice(COMPARISONS[op]),
        "f": function,
        "F": rng.choice(AGGREGATES[function]),
        "dir": direction,
        "most": rng.choice(most),
        "order": rng.choice(order),
        "j": str(rng.randint(2, 10)),
    }


def _comparison(rng: Random, column: Column) -> dict[str, str]:
    """Slots ``op`` and ``over``; years are also after and before."""
    op = rng.choice(list(COMPARISONS))
    words = TIME_COMPARISONS if column.kind == "year" and rng.random() < 0.5 else COMPARISONS
    return {"op": op, "over": rng.choice(words[op])}


def _column_slots(rng: Random, table: Table) -> dict[str, str]:
    """Slots ``a b x v w n k m`` of one table; those it has no column for are left out."""
    slots = {"t": table.name, "s": table.singular, "T": table.many}
    if label := next((c.name for c in table.columns if c.name in LABELS), None):
        slots |= {"l": label}
    filtered = set()
    if texts := table.of_kind("text"):
        column = rng.choice(texts)
        first, second = column.value(rng), column.value(rng)
        filtered.add(column.name)
        slots |= {"x": column.name, "X": column.phrase, "V": first, "W": second}
        slots |= {"v": column.literal(first), "w": column.literal(second)}
    if numbers := table.of_kind(*NUMERIC_KINDS):
        column = rng.choice(numbers)
        low, high = sorted((column.value(rng), column.value(rng)), key=float)
        filtered.add(column.name)
        slots |= {"n": column.name, "N": column.phrase, "k": low, "m": high} | _comparison(rng, column)
    shown = table.of_kind("text", "date", *NUMERIC_KINDS)
    rng.shuffle(shown)
    shown.sort(key=lambda column: column.name in filtered and rng.random() < 0.9)
    for slot, column in zip("ab", shown, strict=False):
        slots |= {slot: column.name, slot.upper(): column.phrase}
    return slots


def _join_slots(rng: Random, table: Table, tables: list[Table]) -> dict[str, str]:
    """Slots of the parent table that ``table`` refers to, if there is one with a text column."""
    for reference in table.of_kind("reference"):
        parent = next(other for other in tables if other.name == reference.references)
        if texts := parent.of_kind("text"):
            column = rng.choice(texts)
            value = column.value(rng)
            key = parent.of_kind("id")[0].name
            return {
                "u": parent.name,
                "U": rng.choice((parent.singular, parent.many)),
                "p": f"{table.name}.{reference.name} = {parent.name}.{key}",
                "y": column.name,
                "Y": column.phrase,
                "z": column.name,
                "Z": column.phrase,
                "q": column.literal(value),
                "Q": value,
            }
    return {}


def ask(rng: Random, tables: list[Table], shapes: tuple[Shape, ...] = SHAPES) -> Question:
    """Draw a shape and a table that has the columns it needs, and fill it."""
    weights = [shape.weight for shape in shapes]
    while True:
        table = rng.choice(tables)
        shape = rng.choices(shapes, weights)[0]
        slots = _words(rng) | _column_slots(rng, table) | _join_slots(rng, table, tables)
        try:
            text = rng.choice(shape.questions).format_map(slots)
            sql, plan = shape.sql.format_map(slots), shape.plan.format_map(slots)
        except KeyError:  # this table lacks a column that the shape needs
            continue
        return Question(_human(rng, text), sql, plan)


def _human(rng: Random, text: str) -> str:
    """Vary case and final punctuation as people do."""
    if rng.random() < 0.12:
        text = text.rstrip("?.")
    return text if rng.random() < 0.1 else text[:1].upper() + text[1:]
