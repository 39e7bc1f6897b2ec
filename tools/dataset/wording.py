"""Words for comparisons, aggregates and orders, depending on what a column measures.

Nobody says "goals greater than 9" of a player: counts, amounts and times each have their own words.
"""

from random import Random

from tools.dataset.domains import ColumnSpec

_Words = dict[str, tuple[str, ...]]
OPERATORS = (">", "<", ">=", "<=")
BY_SIZE: _Words = {
    ">": ("over {k}", "above {k}", "greater than {k}"),
    "<": ("under {k}", "below {k}", "less than {k}"),
    ">=": ("of at least {k}", "of {k} or more"),
    "<=": ("of at most {k}", "of {k} or less"),
}
BY_COUNT: _Words = {
    ">": ("more than {k}", "over {k}"),
    "<": ("fewer than {k}", "less than {k}"),
    ">=": ("at least {k}", "{k} or more"),
    "<=": ("at most {k}", "{k} or fewer"),
}
BY_TIME: _Words = {
    ">": ("after {k}", "later than {k}"),
    "<": ("before {k}", "earlier than {k}"),
    ">=": ("of {k} or later", "not before {k}"),
    "<=": ("of {k} or earlier", "not after {k}"),
}
MOST: dict[str, _Words] = {
    "count": {"DESC": ("the most", "the highest number of"), "ASC": ("the fewest", "the lowest number of")},
    "size": {"DESC": ("the highest", "the largest"), "ASC": ("the lowest", "the smallest")},
    "time": {"DESC": ("the latest", "the most recent"), "ASC": ("the earliest",)},
}
ORDER_WORDS = {"DESC": "descending", "ASC": "ascending"}
ORDERED: dict[str, _Words] = {
    "count": {"DESC": ("from most to fewest",), "ASC": ("from fewest to most",)},
    "size": {
        "DESC": ("from high to low", "with the highest first"),
        "ASC": ("from low to high", "with the lowest first"),
    },
    "time": {"DESC": ("with the latest first",), "ASC": ("with the earliest first",)},
}
AGGREGATES = {
    "AVG": ("average", "mean"),
    "SUM": ("total",),
    "MAX": ("highest", "maximum", "largest"),
    "MIN": ("lowest", "minimum", "smallest"),
}
TIME_AGGREGATES = {"MAX": ("latest",), "MIN": ("earliest",)}


def article(phrase: str) -> str:
    """The phrase with its indefinite article: ``an age``, ``a salary``, ``an hour``."""
    lower = phrase.lower()
    is_vowel = lower[0] in "aeio" or lower.startswith(("hour", "un", "up"))
    return f"an {phrase}" if is_vowel and not lower.startswith(("eu", "one", "uni")) else f"a {phrase}"


def kind_of_words(column: ColumnSpec) -> str:
    """Which words fit a column: ``count``, ``time`` or ``size``."""
    return column.measure if column.measure in ("count", "time") else "size"


def with_comparison(rng: Random, column: ColumnSpec, op: str, k: str) -> str:
    """``more than 9 goals``, ``a salary over 3000``, ``a founded year after 1990``."""
    if column.measure == "count":
        return f"{rng.choice(BY_COUNT[op]).format(k=k)} {column.phrase}"
    words = BY_TIME if column.measure == "time" else BY_SIZE
    return f"{article(column.phrase)} {rng.choice(words[op]).format(k=k)}"


def is_comparison(rng: Random, column: ColumnSpec, op: str, k: str) -> str:
    """``number of goals is more than 9``, ``salary is at least 3000``."""
    words = {"count": BY_COUNT, "time": BY_TIME, "size": BY_SIZE}[kind_of_words(column)]
    return f"{quantity(column)} is {rng.choice(words[op]).format(k=k).removeprefix('of ')}"


def with_range(rng: Random, column: ColumnSpec, low: str, high: str) -> str:
    """``between 3 and 9 goals``, ``a salary between 3000 and 4000``."""
    between = rng.choice((f"between {low} and {high}", f"from {low} to {high}"))
    return f"{between} {column.phrase}" if column.measure == "count" else f"{article(column.phrase)} {between}"


def is_range(column: ColumnSpec, low: str, high: str) -> str:
    """``salary is between 3000 and 4000``."""
    return f"{quantity(column)} is between {low} and {high}"


def superlative(rng: Random, column: ColumnSpec, direction: str) -> str:
    """``the most goals``, ``the highest salary``, ``the earliest founded year``."""
    return f"{rng.choice(MOST[kind_of_words(column)][direction])} {column.phrase}"


def ordering(rng: Random, column: ColumnSpec, direction: str) -> str:
    """``salary from high to low``, ``goals in descending order``."""
    ways = (*ORDERED[kind_of_words(column)][direction], f"in {ORDER_WORDS[direction]} order")
    return f"{column.phrase} {rng.choice(ways)}"


def aggregate(rng: Random, column: ColumnSpec) -> tuple[str, str]:
    """An aggregate function that makes sense for the column, and ``average number of goals`` for it."""
    if column.measure == "time":
        function = rng.choice(list(TIME_AGGREGATES))
        return function, f"{rng.choice(TIME_AGGREGATES[function])} {column.phrase}"
    function = rng.choice([f for f in AGGREGATES if f != "SUM" or column.measure != "level"])
    return function, f"{rng.choice(AGGREGATES[function])} {quantity(column)}"


def extreme(rng: Random, column: ColumnSpec) -> tuple[str, str]:
    """``MAX`` or ``MIN``, and ``highest salary`` or ``earliest founded year`` for it."""
    words = TIME_AGGREGATES if column.measure == "time" else AGGREGATES
    function = rng.choice(("MAX", "MIN"))
    return function, f"{words[function][0]} {quantity(column)}"


def extremes(rng: Random, column: ColumnSpec) -> tuple[str, str]:
    """The words for minimum and maximum, in that order."""
    if column.measure == "time":
        return "earliest", "latest"
    return rng.choice((("lowest", "highest"), ("minimum", "maximum"), ("smallest", "largest")))


def quantity(column: ColumnSpec) -> str:
    """The column as a singular quantity: ``number of goals``, ``salary``."""
    return f"number of {column.phrase}" if column.measure == "count" else column.phrase


def possessed(column: ColumnSpec) -> str:
    """The column after "with": ``a salary``, but ``goals``."""
    return column.phrase if column.measure == "count" else article(column.phrase)
