"""Invented database schemas: the world that the pretraining text talks about."""

from dataclasses import dataclass
from random import Random

from tools.tiny_base.words import english_words, plural, proper_word, word

LABELS = ("name", "title")
NUMERIC_KINDS = ("integer", "real", "year")


@dataclass(frozen=True)
class Column:
    """A column: its identifier, how a person says it, and what its values look like.

    ``kind`` is one of id, reference, text, integer, real, year, date.
    """

    name: str
    phrase: str
    kind: str
    references: str | None = None

    @property
    def sql_type(self) -> str:
        """The type that a schema shows for this column, in lower case."""
        return {"text": "text", "real": "real", "date": "date"}.get(self.kind, "integer")

    def value(self, rng: Random) -> str:
        """A plausible value as bare text, without SQL quotes."""
        if self.kind == "text":
            n_words = rng.choices((1, 2, 3), (7, 2, 1))[0]
            return " ".join(proper_word(rng) for _ in range(n_words))
        if self.kind == "date":
            return f"{rng.randint(1960, 2029)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        if self.kind == "year":
            return str(rng.randint(1900, 2029))
        if self.kind == "real":
            return f"{rng.uniform(0, 10 ** rng.randint(1, 3)):.{rng.randint(1, 2)}f}"
        return str(rng.randint(1, 10 ** rng.randint(1, 5)))

    def literal(self, value: str) -> str:
        """``value`` as a SQL literal: quoted unless the column is numeric."""
        return f"'{value}'" if self.kind in ("text", "date") else value


@dataclass(frozen=True)
class Table:
    """A table: identifier, what one and several of its rows are called, and its columns."""

    name: str
    singular: str
    many: str
    columns: tuple[Column, ...]

    def of_kind(self, *kinds: str) -> list[Column]:
        """The columns whose kind is one of ``kinds``."""
        return [column for column in self.columns if column.kind in kinds]


def _identifier(rng: Random, taken: set[str]) -> str:
    """A new snake_case name of one or two words."""
    while True:
        n_words = 1 if rng.random() < 0.6 else 2
        name = "_".join(word(rng) for _ in range(n_words))
        if name not in taken:
            taken.add(name)
            return name


def _data_column(rng: Random, singular: str, taken: set[str]) -> Column:
    kind = rng.choices(("text", "integer", "real", "year", "date"), (9, 6, 2, 2, 1))[0]
    name = _identifier(rng, taken)
    common = {"text": ("status", "city", "country", "type"), "year": ("year", "start_year")}.get(kind, ())
    if common and rng.random() < 0.25:
        name = rng.choice(common)
    phrase = name.replace("_", " ")
    if rng.random() < 0.06:
        name = f"{singular.replace(' ', '_')}_{name}"
    return Column(name, phrase, kind)


def invent_table(rng: Random, earlier: list[Table]) -> Table:
    """A table with a key, two to five data columns and, at times, a reference to an earlier table."""
    singular_name = _identifier(rng, {table.singular.replace(" ", "_") for table in earlier})
    singular = singular_name.replace("_", " ")
    name = plural(singular_name) if rng.random() < 0.4 else singular_name
    key = Column("id" if rng.random() < 0.3 else f"{singular_name}_id", "id", "id")
    columns = {key.name: key}
    if earlier and rng.random() < 0.7:
        parent = rng.choice(earlier)
        reference = f"{parent.singular.replace(' ', '_')}_id"
        columns[reference] = Column(reference, f"{parent.singular} id", "reference", parent.name)
    taken: set[str] = set(columns)
    if rng.random() < 0.4:
        label = rng.choice(LABELS)
        columns[label] = Column(label, label, "text")
        taken.add(label)
    for _ in range(rng.randint(2, 5)):
        column = _data_column(rng, singular, taken)
        columns.setdefault(column.name, column)
    return Table(name, singular, plural(singular), tuple(columns.values()))


def invent_schema(rng: Random) -> list[Table]:
    """One to four tables that may refer to each other."""
    tables: list[Table] = []
    for _ in range(rng.choices((1, 2, 3, 4), (2, 3, 4, 2))[0]):
        tables.append(invent_table(rng, tables))
    rng.shuffle(tables)
    return tables


def random_values(rng: Random, n: int) -> list[str]:
    """``n`` words, invented and English mixed, for lists that teach plain copying."""
    return [word(rng, 0.8) if rng.random() < 0.7 else rng.choice(english_words()) for _ in range(n)]
