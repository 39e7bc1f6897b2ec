"""Fill the query shapes with an invented schema: a question, its SQL and its plan."""

from dataclasses import dataclass
from random import Random

from tools.tiny_base.schemas import NUMERIC_KINDS, SHOWN_KINDS, Column, Table
from tools.tiny_base.shapes import SHAPES, Shape
from tools.tiny_base.styles import ALIASES

COMPARISONS = {
    ">": ("over", "above", "more than", "greater than", "higher than"),
    "<": ("under", "below", "less than", "lower than", "smaller than"),
    ">=": ("at least", "no less than"),
    "<=": ("at most", "no more than"),
}
TIME_COMPARISONS = {
    ">": ("after", "later than", "since"),
    "<": ("before", "earlier than"),
    ">=": ("from", "no earlier than"),
    "<=": ("until", "no later than"),
}
AGGREGATES = {
    "AVG": ("average", "mean", "typical", "avg"),
    "SUM": ("total", "summed", "combined", "overall"),
    "MAX": ("highest", "maximum", "largest", "biggest", "top"),
    "MIN": ("lowest", "minimum", "smallest"),
}
DIRECTIONS = {
    "DESC": (
        ("highest", "largest", "greatest", "biggest", "most"),
        ("descending", "from high to low", "in descending order", "highest first"),
    ),
    "ASC": (
        ("lowest", "smallest", "least"),
        ("ascending", "from low to high", "in ascending order", "lowest first"),
    ),
}
SHOW = (
    *("show", "list", "give", "find", "show me", "list", "give me", "tell me", "return", "display", "get", "i need"),
    *(
        "what are",
        "what is",
        "can you list",
        "could you show me",
        "please list",
        "i want to see",
        "print",
        "fetch",
        "pls give",
    ),
)
COUNT = (
    "how many",
    "how many",
    "number of",
    "count the",
    "count of",
    "the number of",
    "what is the number of",
    "no. of",
)
SLIPS = 0.03
"""Share of questions with a misspelt word."""


@dataclass(frozen=True)
class Question:
    """One filled shape."""

    text: str
    sql: str
    plan: str


@dataclass
class _Slots:
    """What fills a shape: in words for the question and the plan, and as SQL."""

    words: dict[str, str]
    sql: dict[str, str]

    def column(self, rng: Random, slot: str, column: Column, qualifier: str) -> None:
        self.words |= {slot: column.name, slot.upper(): column.say(rng)}
        self.sql[slot] = f"{qualifier}{column.written}"

    def value(self, slots: str, column: Column, value: str) -> None:
        """``slots`` is the SQL slot and the one of the bare text."""
        self.sql[slots[0]] = column.literal(value)
        self.words[slots[1]] = value


def _words(rng: Random, table: Table) -> _Slots:
    """Slots that need no column: aggregates, sort directions and ways to ask."""
    op = rng.choice(list(COMPARISONS))
    function, direction = rng.choice(list(AGGREGATES)), rng.choice(list(DIRECTIONS))
    most, order = DIRECTIONS[direction]
    words = {
        "cover": rng.choice(COMPARISONS[op]),
        "F": rng.choice(AGGREGATES[function]),
        "most": rng.choice(most),
        "order": rng.choice(order),
        "j": str(rng.randint(2, 10)),
        "show": rng.choice(SHOW),
        "count": rng.choice(COUNT),
    }
    ascending = "" if rng.random() < 0.5 else f" {table.style.keyword('ASC')}"
    sql = {
        "cop": op,
        "f": table.style.function(function),
        "dir": f" {table.style.keyword('DESC')}" if direction == "DESC" else ascending,
        "j": words["j"],
    }
    return _Slots(words, sql)


def _comparison(rng: Random, slots: _Slots, column: Column) -> None:
    """Slots ``op``, ``over`` and, where people have a phrase of their own for it, ``compared`` and ``super``."""
    op = rng.choice(list(COMPARISONS))
    words = TIME_COMPARISONS if column.kind == "year" and rng.random() < 0.5 else COMPARISONS
    slots.sql["op"] = op
    slots.words["over"] = rng.choice(words[op])
    if not (concept := column.concept):
        return
    if phrases := {">": concept.over, "<": concept.under}.get(op):
        slots.words["compared"] = rng.choice(phrases)
    if phrases := concept.least if slots.sql["dir"].strip().upper() != "DESC" else concept.most:
        slots.words["super"] = rng.choice(phrases)


def _fill_table(rng: Random, slots: _Slots, table: Table, qualifier: str) -> None:
    """Slots ``a b x v w n k m l o c e g`` of one table; those it has no column for are left out."""
    slots.words |= {"s": table.singular, "T": table.many if rng.random() < 0.9 else table.singular, "t": table.name}
    filtered = set()
    texts = [column for column in table.of_kind("text") if not column.is_label] or table.of_kind("text")
    if texts:
        column = rng.choice(texts)
        filtered.add(column.name)
        slots.column(rng, "x", column, qualifier)
        slots.value("vV", column, column.value(rng))
        slots.value("wW", column, column.value(rng))
        slots.sql["like"] = column.literal(f"%{slots.words['V']}%")
        if len(texts) == 1:
            slots.words["only"] = slots.words["V"]
        if column.concept and column.concept.describes:
            slots.words["described"] = rng.choice(column.concept.describes).format_map(slots.words)
    if numbers := table.of_kind(*NUMERIC_KINDS):
        column = rng.choice(numbers)
        filtered.add(column.name)
        slots.column(rng, "n", column, qualifier)
        for pair, value in zip(("kk", "mm"), sorted((column.value(rng), column.value(rng)), key=float), strict=True):
            slots.value(pair, column, value)
        _comparison(rng, slots, column)
    if label := table.label:
        slots.column(rng, "l", label, qualifier)
        slots.value("oO", label, label.value(rng))
        if asked := [column for column in table.columns if column.concept and column.concept.asks]:
            column = rng.choice(asked)
            slots.column(rng, "c", column, qualifier)
            assert column.concept
            slots.words["asked"] = rng.choice(column.concept.asks).format_map(slots.words)
    shown = table.of_kind(*SHOWN_KINDS)
    rng.shuffle(shown)
    shown.sort(key=lambda column: column.name in filtered and rng.random() < 0.9)
    for slot, column in zip("ab", shown, strict=False):
        slots.column(rng, slot, column, qualifier)


def _fill_parent(rng: Random, slots: _Slots, table: Table, tables: list[Table]) -> bool:
    """Slots of a parent table that ``table`` refers to; whether there is one with a text column."""
    for reference in table.of_kind("reference"):
        parent = next((other for other in tables if other.name == reference.references), None)
        if not parent or not (texts := parent.of_kind("text")):
            continue
        alias = ALIASES[table.style.alias][0]
        first, second = (0, 1) if rng.random() < 0.5 else (1, 0)
        inner, outer = alias(table.written, first), alias(parent.written, second)
        equals = "  =  " if table.style.wide else " = "
        sides = [f"{inner}.{reference.written}", f"{outer}.{parent.of_kind('id')[0].written}"]
        if first and rng.random() < 0.7:
            sides.reverse()
        sources = [_source(table, first), _source(parent, second)]
        slots.sql |= {"t": sources[first], "u": sources[second], "p": equals.join(sides)}
        slots.words |= {"u": parent.name, "U": rng.choice((parent.singular, parent.many))}
        _fill_table(rng, slots, table, f"{inner}.")
        column = parent.label if parent.label and rng.random() < 0.7 else rng.choice(texts)
        for slot in "yz":
            slots.column(rng, slot, column, f"{outer}.")
        slots.value("qQ", column, column.value(rng))
        if column.is_label:
            slots.words["of"] = slots.words["Q"]
        return True
    return False


def _source(table: Table, number: int) -> str:
    """A table where FROM or JOIN names it, with its alias."""
    alias = ALIASES[table.style.alias][0](table.written, number)
    return (
        table.written if alias == table.written else f"{table.written}{table.style.keyword(table.style.as_word)}{alias}"
    )


def _fill(rng: Random, shape: Shape, table: Table, tables: list[Table]) -> _Slots | None:
    slots = _words(rng, table)
    if "{u}" in shape.sql:
        return slots if _fill_parent(rng, slots, table, tables) else None
    everywhere = table.style.alias_everywhere
    slots.sql["t"] = _source(table, 0) if everywhere else table.written
    _fill_table(rng, slots, table, f"{ALIASES[table.style.alias][0](table.written, 0)}." if everywhere else "")
    return slots


def ask(rng: Random, tables: list[Table], shapes: tuple[Shape, ...] = SHAPES) -> Question:
    """Draw a shape and a table that has the columns it needs, and fill it."""
    weights = [shape.weight for shape in shapes]
    while True:
        table = rng.choice(tables)
        shape = rng.choices(shapes, weights)[0]
        if not (slots := _fill(rng, shape, table, tables)):
            continue
        try:
            text = rng.choice(shape.questions).format_map(slots.words)
            sql, plan = table.style.template(shape.sql).format_map(slots.sql), shape.plan.format_map(slots.words)
        except KeyError:  # the table lacks a column that the shape needs
            continue
        values = [value for slot in "VWOQ" if (value := slots.words.get(slot)) and value in text]
        return Question(_human(rng, text, values), sql, plan)


def _human(rng: Random, text: str, values: list[str]) -> str:
    """Vary case, punctuation, articles, quotes and spelling as people do; values stay as they are."""
    if values and rng.random() < 0.12:
        quote = rng.choice("'\"")
        text = text.replace(values[0], f"{quote}{values[0]}{quote}")
    if rng.random() < 0.15:
        text = text.replace(" the ", " ")
    if rng.random() < SLIPS:
        text = _misspell(rng, text, values)
    if rng.random() < 0.25:
        text = text.rstrip("?.")
    return text if rng.random() < 0.25 else text[:1].upper() + text[1:]


def _misspell(rng: Random, text: str, values: list[str]) -> str:
    """Swap, drop or double a letter of one plain word."""
    whole = " ".join(values)
    if not (words := [word for word in text.split(" ") if len(word) > 3 and word.isalpha() and word not in whole]):
        return text
    word = rng.choice(words)
    at = rng.randint(1, len(word) - 2)
    wrong = rng.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        )
    )
    return text.replace(word, wrong, 1)
