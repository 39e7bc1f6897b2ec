"""The query shapes of the pretraining text: SQL, ways to ask for it, and the plan in English.

Slots in braces are filled by ``questions.py``:

- ``t``, ``s``, ``T``: a table's name, one of its rows in words, several of them;
- ``a``, ``b``: any two data columns; ``x``: a text column with values ``v``, ``w``;
  ``n``: a numeric column with values ``k``, ``m``. Capitals are the columns in words;
- ``l``: the column that names a row (``name`` or ``title``), which questions often leave unsaid;
- ``op``, ``over``: a comparison sign and the same in words, ``cop``, ``cover`` for counts; ``f``, ``F``: an aggregate
  function and the same in words; ``dir``, ``most``, ``order``: a sort direction in SQL and words;
- ``u``, ``U``, ``p``, ``y``, ``Y``, ``z``: a parent table, its rows in words, the join condition, and
  the parent's columns.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """One family of queries; ``weight`` is its relative frequency."""

    sql: str
    questions: tuple[str, ...]
    plan: str
    weight: float = 1.0


SHAPES = (
    Shape(
        "SELECT COUNT(*) FROM {t}",
        (
            "How many {T} are there?",
            "Count the {T}.",
            "What is the number of {T}?",
            "number of {T}",
            "How many {T} do we have?",
        ),
        "count the rows of {t}",
    ),
    Shape(
        "SELECT COUNT(*) FROM {t} WHERE {x} = {v}",
        (
            "How many {T} have {X} {V}?",
            "Count the {T} whose {X} is {V}.",
            "How many {T} are there with {V} as {X}?",
            "number of {T} with {X} {V}",
            "In how many {T} is the {X} {V}?",
        ),
        "count the rows of {t} where {x} is {V}",
        1.5,
    ),
    Shape(
        "SELECT COUNT(*) FROM {t} WHERE {n} {op} {k}",
        (
            "How many {T} have {N} {over} {k}?",
            "Count the {T} with {N} {over} {k}.",
            "How many {T} are there whose {N} is {over} {k}?",
        ),
        "count the rows of {t} where {n} is {over} {k}",
        1.5,
    ),
    Shape(
        "SELECT {a} FROM {t}",
        (
            "List the {A} of all {T}.",
            "What are the {A} values of the {T}?",
            "Show the {A} of every {s}.",
            "Give the {A} of each {s}.",
        ),
        "read {a} from every row of {t}",
    ),
    Shape(
        "SELECT {a}, {b} FROM {t}",
        (
            "List the {A} and {B} of all {T}.",
            "Show {A} and {B} for every {s}.",
            "What are the {A} and the {B} of each {s}?",
        ),
        "read {a} and {b} from every row of {t}",
    ),
    Shape(
        "SELECT DISTINCT {x} FROM {t}",
        (
            "What are the different {X} values of the {T}?",
            "List the distinct {X} of the {T}.",
            "Which different {X} do the {T} have?",
            "Show every {X} of the {T} once.",
        ),
        "read the distinct values of {x} in {t}",
    ),
    Shape(
        "SELECT COUNT(DISTINCT {x}) FROM {t}",
        (
            "How many different {X} do the {T} have?",
            "Count the distinct {X} values of the {T}.",
            "number of different {X} among the {T}",
        ),
        "count the distinct values of {x} in {t}",
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {x} = {v}",
        (
            "What is the {A} of the {s} whose {X} is {V}?",
            "Show the {A} of {T} with {X} {V}.",
            "List the {A} of the {T} whose {X} is {V}.",
            "Which {A} do {T} with {V} as {X} have?",
            "Find the {A} for {X} {V} in {T}.",
        ),
        "read {a} from the rows of {t} where {x} is {V}",
        2.0,
    ),
    Shape(
        "SELECT {a}, {b} FROM {t} WHERE {x} = {v}",
        ("Give the {A} and {B} of the {T} whose {X} is {V}.", "Show {A} and {B} of {T} with {X} {V}."),
        "read {a} and {b} from the rows of {t} where {x} is {V}",
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {n} {op} {k}",
        (
            "Show the {A} of {T} with {N} {over} {k}.",
            "List the {A} of the {T} whose {N} is {over} {k}.",
            "Which {T} have {N} {over} {k}? Give their {A}.",
            "What are the {A} of the {T} that have {N} {over} {k}?",
        ),
        "read {a} from the rows of {t} where {n} is {over} {k}",
        2.0,
    ),
    Shape(
        "SELECT * FROM {t} WHERE {x} = {v}",
        ("Show all {T} with {X} {V}.", "Show everything about the {T} whose {X} is {V}."),
        "read all columns of the rows of {t} where {x} is {V}",
        0.5,
    ),
    Shape(
        "SELECT {f}({n}) FROM {t}",
        (
            "What is the {F} {N} of the {T}?",
            "Find the {F} {N} of all {T}.",
            "{F} {N} over all {T}",
            "Give the {F} {N} among the {T}.",
        ),
        "compute the {F} of {n} over {t}",
        1.5,
    ),
    Shape(
        "SELECT {f}({n}) FROM {t} WHERE {x} = {v}",
        (
            "What is the {F} {N} of the {T} whose {X} is {V}?",
            "Find the {F} {N} of {T} with {X} {V}.",
            "{F} {N} for {T} with {V} as {X}",
        ),
        "compute the {F} of {n} over the rows of {t} where {x} is {V}",
        1.5,
    ),
    Shape(
        "SELECT MIN({n}), MAX({n}) FROM {t}",
        ("What are the lowest and the highest {N} of the {T}?", "Give the minimum and maximum {N} of all {T}."),
        "compute the minimum and the maximum of {n} over {t}",
        0.7,
    ),
    Shape(
        "SELECT {a} FROM {t} ORDER BY {n} {dir} LIMIT 1",
        (
            "Which {s} has the {most} {N}? Give its {A}.",
            "What is the {A} of the {s} with the {most} {N}?",
            "Show the {A} of the {s} that has the {most} {N}.",
            "Find the {A} for the {most} {N} in {T}.",
        ),
        "sort {t} by {n} {order} and read {a} of the first row",
        2.0,
    ),
    Shape(
        "SELECT {a} FROM {t} ORDER BY {n} {dir} LIMIT {j}",
        (
            "Show the {A} of the {j} {T} with the {most} {N}.",
            "List the {A} of the {j} {T} that have the {most} {N}.",
            "What are the {A} of the {j} {T} with {most} {N}?",
        ),
        "sort {t} by {n} {order} and read {a} of the first {j} rows",
        1.2,
    ),
    Shape(
        "SELECT {a} FROM {t} ORDER BY {n} {dir}",
        (
            "List the {A} of all {T} sorted by {N} {order}.",
            "Show the {A} of the {T} ordered by {N} {order}.",
            "Give the {A} of every {s}, by {N} {order}.",
        ),
        "sort {t} by {n} {order} and read {a}",
        1.2,
    ),
    Shape(
        "SELECT {x}, COUNT(*) FROM {t} GROUP BY {x}",
        (
            "How many {T} are there for each {X}?",
            "Count the {T} per {X}.",
            "Show each {X} and its number of {T}.",
            "number of {T} by {X}",
        ),
        "group {t} by {x} and count the rows of each group",
        1.5,
    ),
    Shape(
        "SELECT {x}, {f}({n}) FROM {t} GROUP BY {x}",
        (
            "What is the {F} {N} of the {T} for each {X}?",
            "Show the {F} {N} per {X} of the {T}.",
            "{F} {N} of {T} by {X}",
        ),
        "group {t} by {x} and compute the {F} of {n} in each group",
        1.5,
    ),
    Shape(
        "SELECT {x} FROM {t} GROUP BY {x} ORDER BY COUNT(*) DESC LIMIT 1",
        (
            "Which {X} has the most {T}?",
            "What is the most common {X} of the {T}?",
            "Find the {X} shared by most {T}.",
        ),
        "group {t} by {x}, sort the groups by size and read the largest one",
        1.2,
    ),
    Shape(
        "SELECT {x} FROM {t} GROUP BY {x} HAVING COUNT(*) {cop} {j}",
        ("Which {X} have {cover} {j} {T}?", "Find the {X} with {cover} {j} {T}."),
        "group {t} by {x} and keep the groups with {cover} {j} rows",
        1.2,
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {n} BETWEEN {k} AND {m}",
        (
            "Show the {A} of {T} with {N} between {k} and {m}.",
            "List the {A} of the {T} whose {N} is from {k} to {m}.",
        ),
        "read {a} from the rows of {t} where {n} is between {k} and {m}",
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {x} = {v} AND {n} {op} {k}",
        (
            "Show the {A} of {T} with {X} {V} and {N} {over} {k}.",
            "List the {A} of the {T} whose {X} is {V} and whose {N} is {over} {k}.",
        ),
        "read {a} from the rows of {t} where {x} is {V} and {n} is {over} {k}",
        1.2,
    ),
    Shape(
        "SELECT COUNT(*) FROM {t} WHERE {x} = {v} AND {n} {op} {k}",
        (
            "How many {T} with {X} {V} have {N} {over} {k}?",
            "Count the {T} whose {X} is {V} and whose {N} is {over} {k}.",
        ),
        "count the rows of {t} where {x} is {V} and {n} is {over} {k}",
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {x} = {v} OR {x} = {w}",
        ("Show the {A} of {T} whose {X} is {V} or {W}.", "Which {A} belong to {T} with {X} {V} or {W}?"),
        "read {a} from the rows of {t} where {x} is {V} or {W}",
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {x} != {v}",
        ("Show the {A} of {T} whose {X} is not {V}.", "List the {A} of all {T} except those with {X} {V}."),
        "read {a} from the rows of {t} where {x} is not {V}",
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {n} {op} (SELECT AVG({n}) FROM {t})",
        (
            "Which {T} have {N} {over} the average? Give their {A}.",
            "Show the {A} of the {T} whose {N} is {over} average.",
        ),
        "compute the average of {n} in {t}, then read {a} from the rows that are {over} it",
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {x} LIKE '%{V}%'",
        ("Show the {A} of {T} whose {X} contains {V}.", "Which {T} have {V} in their {X}? Give the {A}."),
        "read {a} from the rows of {t} whose {x} contains {V}",
    ),
    Shape(
        "SELECT {a} FROM {t} WHERE {x} IS NULL",
        ("Show the {A} of {T} without {X}.", "Which {T} have no {X}? List their {A}."),
        "read {a} from the rows of {t} where {x} is missing",
    ),
    Shape(
        "SELECT {t}.{a} FROM {t} JOIN {u} ON {p} WHERE {u}.{y} = {q}",
        (
            "Show the {A} of the {T} of the {U} whose {Y} is {Q}.",
            "List the {A} of {T} that belong to the {U} with {Y} {Q}.",
        ),
        "join {t} to {u} and read {a} where {y} of {u} is {Q}",
        1.2,
    ),
    Shape(
        "SELECT {u}.{z}, COUNT(*) FROM {t} JOIN {u} ON {p} GROUP BY {u}.{z}",
        ("How many {T} does each {U} have? Show the {Z} and the count.", "Count the {T} per {Z} of the {U}."),
        "join {t} to {u}, group by {z} of {u} and count the rows of each group",
        1.2,
    ),
    Shape(
        "SELECT {l} FROM {t} WHERE {x} = {v}",
        ("Which {T} have {X} {V}?", "List the {T} with {X} {V}.", "Which {T} have {V} as their {X}?"),
        "read {l} from the rows of {t} where {x} is {V}",
        1.5,
    ),
    Shape(
        "SELECT {l} FROM {t} WHERE {n} {op} {k}",
        ("Which {T} have {N} {over} {k}?", "List the {T} whose {N} is {over} {k}."),
        "read {l} from the rows of {t} where {n} is {over} {k}",
        1.5,
    ),
    Shape(
        "SELECT {l} FROM {t} ORDER BY {n} {dir} LIMIT 1",
        ("Which {s} has the {most} {N}?", "Name the {s} with the {most} {N}.", "{most} {N} among the {T}: which {s}?"),
        "sort {t} by {n} {order} and read {l} of the first row",
        1.5,
    ),
)
