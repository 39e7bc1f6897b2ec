"""The styles in which people write names and SQL: capitals, camel case, quotes, aliases and spaces.

One ``Style`` is drawn for a schema and kept in all its queries, as in a real database.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

NAME_CASES: dict[str, tuple[Callable[[list[str]], str], float]] = {
    "snake": (lambda words: "_".join(words), 30),
    "UPPER": (lambda words: "_".join(words).upper(), 20),
    "Capital": (lambda words: "_".join(word.capitalize() for word in words), 12),
    "Camel": (lambda words: "".join(word.capitalize() for word in words), 10),
    "mixed": (lambda words: words[0] + "".join(word.capitalize() for word in words[1:]), 8),
    "First": (lambda words: "_".join(words).capitalize(), 4),
    "joined": (lambda words: "".join(words), 4),
    "JOINED": (lambda words: "".join(words).upper(), 3),
    "spaces": (lambda words: " ".join(words), 4),
    "Spaces": (lambda words: " ".join(word.capitalize() for word in words), 5),
}
ALIASES: dict[str, tuple[Callable[[str, int], str], float]] = {
    "": (lambda table, number: table, 50),
    "T1": (lambda table, number: f"T{number + 1}", 16),
    "t1": (lambda table, number: f"t{number + 1}", 6),
    "t_0": (lambda table, number: f"t_{number}", 7),
    "x_0": (lambda table, number: f"{table.strip(QUOTES)[:1].lower()}_{number}", 4),
    "a": (lambda table, number: "abcd"[number], 6),
    "A": (lambda table, number: "ABCD"[number], 3),
    "first": (lambda table, number: f"{table.strip(QUOTES)[:1].lower()}{number or ''}", 4),
    "alias0": (lambda table, number: f"{re.sub(r'[^A-Za-z_]', '', table)}alias{number}", 4),
}
QUOTES = '"`[]'
TYPE_NAMES = {
    "text": ("text", "text", "varchar(30)", "varchar(255)", "char(20)", "TEXT", "string", "nvarchar(50)"),
    "integer": ("integer", "integer", "int", "INTEGER", "bigint", "number", "int(11)"),
    "real": ("real", "real", "float", "double", "decimal(10,2)", "numeric", "REAL"),
    "date": ("date", "date", "datetime", "text", "timestamp"),
}
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_]|^\d")
_WORD = re.compile(r"\{\w+\}|[A-Z]+")
_FUNCTION = re.compile(r"\b(COUNT|AVG|SUM|MIN|MAX)\b")


@dataclass(frozen=True)
class Style:
    """How one database and its queries are written."""

    name_case: str = "snake"
    """A key of ``NAME_CASES`` for columns."""
    table_case: str = "snake"
    alias: str = ""
    """A key of ``ALIASES``; without one, joins name the whole table."""
    alias_everywhere: bool = False
    """Also where a query reads one table."""
    join: str = "JOIN"
    as_word: str = " AS "
    quote: str = '"'
    """Around names that are no plain word."""
    text_quote: str = "'"
    keywords: str = "upper"
    """``upper``, ``lower``, or ``functions``: only these are lower."""
    wide: bool = False
    """Two spaces around operators and one before a comma, as in Spider."""
    spaced: bool = False
    """Spaces inside parentheses."""
    types: tuple[tuple[str, str], ...] = tuple((kind, kind) for kind in TYPE_NAMES)

    def column_name(self, words: list[str]) -> str:
        """A column's name."""
        return NAME_CASES[self.name_case][0](words)

    def table_name(self, words: list[str]) -> str:
        """A table's name."""
        return NAME_CASES[self.table_case][0](words)

    def written(self, name: str) -> str:
        """A name as SQL must have it: quoted if it is no plain word."""
        if not _NOT_PLAIN.search(name):
            return name
        return f"{self.quote}{name}{']' if self.quote == '[' else self.quote}"

    def literal(self, value: str) -> str:
        """A text as SQL must have it."""
        return f"{self.text_quote}{value.replace(self.text_quote, self.text_quote * 2)}{self.text_quote}"

    def template(self, sql: str) -> str:
        """A query's template in this hand; slots in braces and what quotes hold stay as they are."""
        if self.wide:
            sql = re.sub(r" (=|!=|\{c?op\}) ", r"  \1  ", sql).replace(", ", " ,  ")
        if self.spaced:
            sql = re.sub(r"\((?=\S)", "( ", sql)
            sql = re.sub(r"(?<=\S)\)", " )", sql)
        return self.function(self.keyword(sql.replace(" JOIN ", f" {self.join} ")))

    def keyword(self, text: str) -> str:
        """Keywords in the case of this hand."""
        if self.keywords != "lower":
            return text
        return _WORD.sub(lambda found: found[0] if found[0].startswith("{") else found[0].lower(), text)

    def function(self, text: str) -> str:
        """Names of functions in the case of this hand."""
        return text if self.keywords == "upper" else _FUNCTION.sub(lambda found: found[0].lower(), text)


def draw_style(rng: Random) -> Style:
    """A hand; half of them are plain lower-case names and SQL without aliases or close to it."""
    case = _weighted(rng, NAME_CASES)
    alias = _weighted(rng, ALIASES)
    return Style(
        name_case=case,
        table_case=case if rng.random() < 0.75 else _weighted(rng, NAME_CASES),
        alias=alias,
        alias_everywhere=alias != "" and rng.random() < (0.8 if alias in ("t_0", "alias0", "x_0") else 0.15),
        join=rng.choices(("JOIN", "INNER JOIN"), (5, 1))[0],
        as_word=rng.choices((" AS ", " "), (5, 1))[0],
        quote=rng.choices(('"', "`", "["), (6, 3, 1))[0],
        text_quote=rng.choices(("'", '"'), (7, 3))[0],
        keywords=rng.choices(("upper", "functions", "lower"), (7, 2, 1))[0],
        wide=rng.random() < 0.12,
        spaced=rng.random() < 0.08,
        types=tuple((kind, rng.choice(names)) for kind, names in TYPE_NAMES.items()),
    )


def _weighted(rng: Random, table: dict[str, tuple[Callable[..., str], float]]) -> str:
    return rng.choices(list(table), [weight for _, weight in table.values()])[0]
