"""Invented database schemas: the world that the pretraining text talks about."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tools.english import plural
from tools.tiny_base.concepts import Concept, concepts
from tools.tiny_base.styles import Style, draw_style
from tools.tiny_base.words import english_words, proper_word, word

LABELS = ("name", "name", "title", "full name", "label", "first name", "last name", "model")
NUMERIC_KINDS = ("integer", "real", "year")
SHOWN_KINDS = ("text", "date", *NUMERIC_KINDS)
N_TABLES = {1: 5, 2: 8, 3: 8, 4: 5, 5: 2, 6: 1, 7: 0.7, 8: 0.5, 9: 0.4, 10: 0.4}
"""How often a schema has so many tables."""
AFFIXES = (
    "number of {}",
    "total {}",
    "{} count",
    "{} code",
    "{} type",
    "main {}",
    "{} name",
    "first {}",
    "{} no",
    "no of {}",
)


def _code(rng: Random) -> str:
    letters = "".join(rng.choice("ABCDEFGHKLMNPRSTVWXZ") for _ in range(rng.randint(1, 3)))
    return f"{letters}{rng.choice(('', '', '-', ' ', '/'))}{rng.randint(1, 10 ** rng.randint(1, 3))}"


def _proper(rng: Random) -> str:
    return " ".join(proper_word(rng) for _ in range(rng.choices((1, 2, 3), (7, 3, 1))[0]))


def _marked(rng: Random) -> str:
    first, second = proper_word(rng), proper_word(rng)
    return rng.choice(
        (
            f"{first}-{second}",
            f"{first} & {second}",
            f"{first}, {second}",
            f"{first} {rng.randint(1, 99)}",
            f"{first}'s {second}",
            f"{first[0]}. {second}",
            f"{first} ({second})",
            f"{first}.{second}@{word(rng)}.com".lower(),
            f"{rng.randint(100, 999)}-{rng.randint(1000, 9999)}",
            f"{rng.randint(0, 23)}:{rng.randint(0, 59):02d}",
            f"{rng.randint(1, 99)} {first} {second}",
        )
    )


VALUES: tuple[tuple[Callable[[Random], str], float], ...] = (
    (_proper, 55),
    (lambda rng: word(rng, 0.5), 17),
    (lambda rng: f"{word(rng, 0.3)} {word(rng, 0.3)}", 6),
    (_code, 8),
    (lambda rng: "".join(rng.choice("ABCDEFGHIJKLMNOPRSTUVWXYZ") for _ in range(rng.randint(1, 4))), 4),
    (lambda rng: word(rng, 0.5).upper(), 3),
    (_marked, 7),
)
"""How the texts of one column look, and how often."""


@dataclass(frozen=True)
class Column:
    """A column: its name in the database, how a person says it, and what its values look like.

    ``kind`` is one of id, reference, text, integer, real, year, date.
    """

    name: str
    phrases: tuple[str, ...]
    """The name in words first."""
    kind: str
    style: Style = field(default=Style(), repr=False)
    references: str | None = None
    is_label: bool = False
    """Names a row; questions often leave it unsaid."""
    concept: Concept | None = None
    make_text: Callable[[Random], str] = field(default=_proper, repr=False)

    @property
    def sql_type(self) -> str:
        """The type that a schema shows for this column."""
        kind = {"text": "text", "real": "real", "date": "date"}.get(self.kind, "integer")
        return dict(self.style.types)[kind]

    @property
    def written(self) -> str:
        """The name as SQL must have it."""
        return self.style.written(self.name)

    @property
    def phrase(self) -> str:
        """The name in words."""
        return self.phrases[0]

    def say(self, rng: Random) -> str:
        """The name in words, or another word for it, or a part of it."""
        if len(self.phrases) > 1 and rng.random() < 0.25:
            return rng.choice(self.phrases[1:])
        return self.phrase

    def value(self, rng: Random) -> str:
        """A plausible value as bare text, without SQL quotes."""
        if self.kind == "text":
            return self.make_text(rng)
        if self.kind == "date":
            return f"{rng.randint(1960, 2029)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        if self.kind == "year":
            return str(rng.randint(1900, 2029))
        if self.kind == "real":
            value = rng.uniform(0, 10 ** rng.randint(1, 4))
            return f"{value:.0f}" if rng.random() < 0.5 else f"{value:.{rng.randint(1, 2)}f}"
        return str(rng.randint(1, 10 ** rng.randint(1, 5)))

    def literal(self, value: str) -> str:
        """``value`` as a SQL literal: quoted unless the column is numeric."""
        return self.style.literal(value) if self.kind in ("text", "date") else value


@dataclass(frozen=True)
class Table:
    """A table: name, what one and several of its rows are called, and its columns."""

    name: str
    singular: str
    many: str
    columns: tuple[Column, ...]
    style: Style = field(default=Style(), repr=False)

    @property
    def written(self) -> str:
        """The name as SQL must have it."""
        return self.style.written(self.name)

    def of_kind(self, *kinds: str) -> list[Column]:
        """The columns whose kind is one of ``kinds``."""
        return [column for column in self.columns if column.kind in kinds]

    @property
    def label(self) -> Column | None:
        """The column that names a row, if there is one."""
        return next((column for column in self.columns if column.is_label), None)


def _new_words(rng: Random, taken: set[str]) -> list[str]:
    """One or two words that are no name yet."""
    while True:
        words = [word(rng) for _ in range(1 if rng.random() < 0.6 else 2)]
        if " ".join(words) not in taken:
            taken.add(" ".join(words))
            return words


def _data_column(rng: Random, style: Style, singular: list[str], taken: set[str]) -> Column:
    make_text = rng.choices([make for make, _ in VALUES], [weight for _, weight in VALUES])[0]
    if rng.random() < 0.4:
        concept = rng.choice(concepts())
        words = concept.name.split("_")
        if concept.name not in taken:
            taken.add(concept.name)
            words, spoken = _longer(rng, words, singular, 0.25)
            phrases = (spoken, *concept.others, " ".join(concept.name.split("_")))
            return Column(style.column_name(words), phrases, concept.kind, style, None, False, concept, make_text)
    kind = rng.choices(("text", "integer", "real", "year", "date"), (9, 6, 2, 2, 1))[0]
    words = _new_words(rng, taken)
    if kind == "text" or rng.random() < 0.8:
        words, spoken = _longer(rng, words, singular, 0.1)
    else:
        spoken = rng.choice(AFFIXES).format(" ".join(words))
        words = spoken.split()
    phrases = (spoken, words[-1]) if len(words) == 2 else (spoken,)
    return Column(style.column_name(words), phrases, kind, style, make_text=make_text)


def _longer(rng: Random, words: list[str], singular: list[str], share: float) -> tuple[list[str], str]:
    """Words of a name, at times behind the table's, which people leave out."""
    spoken = " ".join(words)
    return ([*singular, *words], spoken) if rng.random() < share else (words, spoken)


def invent_table(rng: Random, style: Style, earlier: list[Table]) -> Table:
    """A table with a key, one to six data columns and, at times, references to earlier tables."""
    singular = _new_words(rng, {table.singular for table in earlier})
    said = " ".join(singular)
    named = plural(said).split(" ") if rng.random() < 0.4 else singular
    key_words = ["id"] if rng.random() < 0.3 else [*singular, rng.choices(("id", "no", "code"), (9, 1, 1))[0]]
    columns = [Column(style.column_name(key_words), ("id",), "id", style)]
    for parent in rng.sample(earlier, min(len(earlier), rng.choices((0, 1, 2), (3, 6, 1))[0])):
        words = [*parent.singular.split(" "), "id"]
        name = style.column_name(words)
        columns.append(Column(name, (f"{parent.singular} id",), "reference", style, parent.name))
    taken: set[str] = set()
    if rng.random() < 0.6:
        label = rng.choice(LABELS)
        words, _ = _longer(rng, label.split(" "), singular, 0.2)
        phrases = (label, "name", label.split(" ")[-1])
        columns.append(Column(style.column_name(words), phrases, "text", style, is_label=True))
        taken.add(label)
    columns += [_data_column(rng, style, singular, taken) for _ in range(rng.randint(1 if len(columns) > 2 else 2, 5))]
    different = {column.name.lower(): column for column in reversed(columns)}
    kept = tuple(column for column in columns if different[column.name.lower()] is column)
    return Table(style.table_name(named), said, plural(said), kept, style)


def invent_schema(rng: Random) -> list[Table]:
    """One to ten tables in one hand that may refer to each other."""
    style = draw_style(rng)
    tables: list[Table] = []
    for _ in range(rng.choices(list(N_TABLES), list(N_TABLES.values()))[0]):
        table = invent_table(rng, style, tables)
        if table.name.lower() not in {other.name.lower() for other in tables}:
            tables.append(table)
    rng.shuffle(tables)
    return tables


def random_values(rng: Random, n: int) -> list[str]:
    """``n`` words in any case, invented and English mixed, for lists that teach plain copying."""
    words = [word(rng, 0.8) if rng.random() < 0.7 else rng.choice(english_words()) for _ in range(n)]
    change = rng.choice((str, str, str.upper, str.capitalize))
    return [
        rng.choice((str.upper, str.capitalize, str))(each) if rng.random() < 0.1 else change(each) for each in words
    ]
