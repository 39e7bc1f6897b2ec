"""The query shapes of the course's questions: SQL, and how a person asks for it.

``Shape.query`` has slots for identifiers and literals, ``Shape.questions`` the same slots in words:

- ``t``: the table; in questions ``one`` and ``many`` of its rows;
- ``l``: the column that names a row, ``q`` such a name; ``a``, ``b``: columns to show, ``d`` one that is no name;
  ``x``: a text column, ``v`` and ``w`` its values; ``g``: a text column to group by, ``size`` a group's;
  ``c``: a text column with a word ``part``; ``o``: a column with gaps; ``n``: a numeric column;
  before a slot ``a_`` is its article, after it ``_s`` the plural;
- ``op``, ``k``, ``k2``: a comparison and its numbers. Questions say them whole: ``n_with`` is "a salary over 3000" or
  "more than 9 goals", ``n_is`` is "salary is over 3000", and so on (``wording.py``);
- ``f``, ``dir``, ``side``, ``cop``: an aggregate, a direction, two more comparisons; ``j``: a small number;
- ``u``: a parent table (in questions ``parent``), ``y``, ``z`` its columns, ``r`` a value, ``p`` the join condition.

A slot that a table cannot fill excludes that wording, and a shape with no wording left.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """One family of queries; ``weight`` is its share in percent, ``asks_hard`` marks Spider's hard and extra ones."""

    name: str
    query: str
    questions: tuple[str, ...]
    weight: float
    asks_hard: bool = False


COUNTING = (
    Shape(
        "count_all",
        "SELECT COUNT(*) FROM {t}",
        (
            "How many {many} are there?",
            "How many {many} are in the database?",
            "Count all {many}.",
            "What is the total number of {many}?",
            "Tell me how many {many} we have.",
        ),
        1.5,
    ),
    Shape(
        "count_text",
        "SELECT COUNT(*) FROM {t} WHERE {x} = {v}",
        (
            "How many {many} have the {x} {v}?",
            "How many {many} have {v} as {x}?",
            "Count the {many} whose {x} is {v}.",
            "What is the number of {many} with {x} {v}?",
            "How many {many} are {from_v}?",
            "Count the {many} {from_v}.",
        ),
        5,
    ),
    Shape(
        "count_number",
        "SELECT COUNT(*) FROM {t} WHERE {n} {op} {k}",
        (
            "How many {many} have {n_with}?",
            "Count the {many} with {n_with}.",
            "How many {many} are there whose {n_is}?",
            "What is the number of {many} that have {n_with}?",
            "Tell me how many {many} have {n_with}.",
        ),
        5,
    ),
    Shape(
        "count_text_number",
        "SELECT COUNT(*) FROM {t} WHERE {x} = {v} AND {n} {op} {k}",
        (
            "How many {many} with the {x} {v} have {n_with}?",
            "Count the {many} whose {x} is {v} and whose {n_is}.",
            "How many {many} {from_v} have {n_with}?",
            "What is the number of {many} with {x} {v} and {n_with}?",
            "How many {many} have {v} as {x} and {n_with}?",
        ),
        2.5,
    ),
    Shape(
        "count_distinct",
        "SELECT COUNT(DISTINCT {x}) FROM {t}",
        (
            "How many different {x_s} do the {many} have?",
            "How many distinct {x_s} are there among the {many}?",
            "Count the different {x_s} of the {many}.",
            "What is the number of unique {x_s} of the {many}?",
        ),
        2,
    ),
)

LISTING = (
    Shape(
        "list_one",
        "SELECT {a} FROM {t}",
        (
            "What are the {a_s} of all {many}?",
            "List the {a} of every {one}.",
            "Show the {a_s} of all the {many}.",
            "Give me the {a} of each {one}.",
            "Return the {a} of all {many}.",
        ),
        2.5,
    ),
    Shape(
        "list_two",
        "SELECT {a}, {b} FROM {t}",
        (
            "List the {a} and {b} of every {one}.",
            "What are the {a} and the {b} of each {one}?",
            "Show the {a} and {b} of all {many}.",
            "For each {one}, give the {a} and the {b}.",
            "Return the {a} together with the {b} of all {many}.",
        ),
        3,
    ),
    Shape(
        "distinct",
        "SELECT DISTINCT {x} FROM {t}",
        (
            "What are the different {x_s} of the {many}?",
            "Which different {x_s} do the {many} have?",
            "List each {x} of the {many} only once.",
            "Show all distinct {x_s} of the {many}.",
            "List the unique {x_s} among the {many}.",
        ),
        2.5,
    ),
    Shape(
        "order_by",
        "SELECT {a} FROM {t} ORDER BY {n} {dir}",
        (
            "List the {a} of all {many} sorted by {n_order}.",
            "Show the {a_s} of the {many}, ordered by {n_order}.",
            "What are the {a_s} of all {many} in {order} order of {n}?",
            "Sort the {many} by {n_order} and give their {a}.",
            "Give the {a} of every {one} in {order} order of {n}.",
        ),
        3,
    ),
    Shape(
        "top_k",
        "SELECT {a} FROM {t} ORDER BY {n} {dir} LIMIT {j}",
        (
            "What are the {a_s} of the {j} {many} with {most_n}?",
            "List the {a} of the {j} {many} that have {most_n}.",
            "Show the {a_s} of the {j} {many} with {most_n}.",
            "Find the {j} {many} with {most_n} and give their {a}.",
        ),
        3,
    ),
    Shape(
        "top_k_label",
        "SELECT {l} FROM {t} ORDER BY {n} {dir} LIMIT {j}",
        (
            "Which {j} {many} have {most_n}?",
            "Name the {j} {many} with {most_n}.",
            "List the {j} {many} that have {most_n}.",
            "Find the {j} {many} with {most_n}.",
        ),
        2.5,
    ),
    Shape(
        "superlative",
        "SELECT {a} FROM {t} ORDER BY {n} {dir} LIMIT 1",
        (
            "What is the {a} of the {one} with {most_n}?",
            "Show the {a} of the {one} that has {most_n}.",
            "Which {a} does the {one} with {most_n} have?",
            "Find the {one} with {most_n} and give the {a}.",
            "Give me the {a} of the {one} with {most_n}.",
        ),
        4,
    ),
    Shape(
        "superlative_label",
        "SELECT {l} FROM {t} ORDER BY {n} {dir} LIMIT 1",
        (
            "Which {one} has {most_n}?",
            "Name the {one} with {most_n}.",
            "Find the {one} that has {most_n}.",
            "Tell me which {one} has {most_n}.",
        ),
        3.5,
    ),
)

FILTERING = (
    Shape(
        "filter_text",
        "SELECT {a} FROM {t} WHERE {x} = {v}",
        (
            "What are the {a_s} of the {many} whose {x} is {v}?",
            "Show the {a} of all {many} with the {x} {v}.",
            "List the {a} of the {many} that have {v} as {x}.",
            "Find the {a} of every {one} whose {x} is {v}.",
            "Give me the {a_s} of the {many} with {x} {v}.",
            "What are the {a_s} of the {many} {from_v}?",
            "Show the {a} of every {one} {from_v}.",
        ),
        5,
    ),
    Shape(
        "filter_text_label",
        "SELECT {l} FROM {t} WHERE {x} = {v}",
        (
            "Which {many} have the {x} {v}?",
            "List all {many} whose {x} is {v}.",
            "Name the {many} with {x} {v}.",
            "Find the {many} that have {v} as their {x}.",
            "Which {many} are {from_v}?",
            "List the {many} {from_v}.",
        ),
        4,
    ),
    Shape(
        "filter_text_two",
        "SELECT {a}, {b} FROM {t} WHERE {x} = {v}",
        (
            "Show the {a} and {b} of all {many} with the {x} {v}.",
            "What are the {a} and the {b} of the {many} whose {x} is {v}?",
            "List the {a} and {b} of every {one} that has {v} as {x}.",
            "Give the {a} and {b} of each {one} whose {x} is {v}.",
            "List the {a} and {b} of the {many} {from_v}.",
        ),
        3,
    ),
    Shape(
        "lookup",
        "SELECT {d} FROM {t} WHERE {l} = {q}",
        (
            "What is the {d} of the {one} {q}?",
            "What is the {d} of the {one} {called} {q}?",
            "Give me the {d} of the {one} {called} {q}.",
            "Find the {d} of the {one} whose {l} is {q}.",
            "Show the {d} of the {one} {q}.",
        ),
        5,
    ),
    Shape(
        "filter_number",
        "SELECT {a} FROM {t} WHERE {n} {op} {k}",
        (
            "What are the {a_s} of the {many} with {n_with}?",
            "List the {a} of all {many} whose {n_is}.",
            "Show the {a} of every {one} that has {n_with}.",
            "Find the {a_s} of the {many} that have {n_with}.",
            "Give the {a} of each {one} with {n_with}.",
        ),
        5,
    ),
    Shape(
        "filter_number_label",
        "SELECT {l} FROM {t} WHERE {n} {op} {k}",
        (
            "Which {many} have {n_with}?",
            "List all {many} whose {n_is}.",
            "Name the {many} with {n_with}.",
            "Find every {one} that has {n_with}.",
        ),
        4,
    ),
    Shape(
        "between",
        "SELECT {a} FROM {t} WHERE {n} BETWEEN {k} AND {k2}",
        (
            "What are the {a_s} of the {many} whose {n_is_between}?",
            "Show the {a} of all {many} with {n_between}.",
            "List the {a} of every {one} that has {n_between}.",
            "Find the {a_s} of the {many} with {n_between}.",
        ),
        3,
    ),
    Shape(
        "filter_and",
        "SELECT {a} FROM {t} WHERE {x} = {v} AND {n} {op} {k}",
        (
            "What are the {a_s} of the {many} with the {x} {v} and {n_with}?",
            "List the {a} of the {many} whose {x} is {v} and whose {n_is}.",
            "Show the {a} of every {one} that has {v} as {x} and {n_with}.",
            "Find the {a_s} of {many} {from_v} with {n_with}.",
            "Give the {a} of all {many} with {x} {v} and {n_with}.",
        ),
        4,
    ),
    Shape(
        "filter_or",
        "SELECT {a} FROM {t} WHERE {x} = {v} OR {x} = {w}",
        (
            "What are the {a_s} of the {many} whose {x} is {v} or {w}?",
            "List the {a} of all {many} with the {x} {v} or {w}.",
            "Show the {a} of every {one} that has {v} or {w} as {x}.",
            "Find the {a_s} of the {many} whose {x} is either {v} or {w}.",
        ),
        2.5,
    ),
    Shape(
        "filter_not",
        "SELECT {a} FROM {t} WHERE {g} != {v}",
        (
            "What are the {a_s} of the {many} whose {g} is not {v}?",
            "List the {a} of all {many} with {a_g} other than {v}.",
            "Show the {a} of every {one} whose {g} is not {v}.",
            "Find the {a_s} of the {many} that do not have the {g} {v}.",
        ),
        2.5,
    ),
    Shape(
        "contains",
        "SELECT {a} FROM {t} WHERE {c} LIKE '%{part}%'",
        (
            "Show the {a} of all {many} whose {c} contains {part}.",
            "What are the {a_s} of the {many} with {part} in their {c}?",
            "Which {many} have {part} in their {c}? List the {a}.",
            "Find the {a} of every {one} with {a_c} containing {part}.",
        ),
        2.5,
    ),
    Shape(
        "is_null",
        "SELECT {a} FROM {t} WHERE {o} IS NULL",
        (
            "Show the {a} of all {many} without {a_o}.",
            "What are the {a_s} of the {many} that have no {o}?",
            "List the {a} of every {one} whose {o} is missing.",
            "Find the {a_s} of the {many} whose {o} is not known.",
        ),
        2.5,
    ),
    Shape(
        "filter_order",
        "SELECT {a} FROM {t} WHERE {x} = {v} ORDER BY {n} {dir}",
        (
            "List the {a} of the {many} whose {x} is {v}, sorted by {n_order}.",
            "Show the {a} of all {many} with the {x} {v}, ordered by {n_order}.",
            "What are the {a_s} of the {many} with {x} {v} in {order} order of {n}?",
            "Give the {a_s} of the {many} {from_v}, sorted by {n_order}.",
        ),
        1.5,
    ),
)

AGGREGATING = (
    Shape(
        "aggregate",
        "SELECT {f}({n}) FROM {t}",
        (
            "What is the {f_n} of all {many}?",
            "Find the {f_n} of the {many}.",
            "Give me the {f_n} over all {many}.",
            "What is the {f_n} among the {many}?",
            "Compute the {f_n} of the {many}.",
        ),
        5,
    ),
    Shape(
        "aggregate_text",
        "SELECT {f}({n}) FROM {t} WHERE {x} = {v}",
        (
            "What is the {f_n} of the {many} whose {x} is {v}?",
            "Find the {f_n} of all {many} with the {x} {v}.",
            "Give the {f_n} of the {many} that have {v} as {x}.",
            "Compute the {f_n} for {many} with {x} {v}.",
            "What is the {f_n} of the {many} {from_v}?",
        ),
        4.5,
    ),
    Shape(
        "minimum_maximum",
        "SELECT MIN({n}), MAX({n}) FROM {t}",
        (
            "What are the {low} and the {high} {n_quantity} of the {many}?",
            "Find the {low} and {high} {n_quantity} of all {many}.",
            "Give the {low} and the {high} {n_quantity} among the {many}.",
            "Show the {low} and {high} {n_quantity} over all {many}.",
        ),
        2,
    ),
    Shape(
        "group_count",
        "SELECT {g}, COUNT(*) FROM {t} GROUP BY {g}",
        (
            "How many {many} are there for each {g}?",
            "Count the {many} per {g}.",
            "Show each {g} with its number of {many}.",
            "For every {g}, give the number of {many}.",
            "What is the number of {many} for each {g}?",
        ),
        4,
    ),
    Shape(
        "group_aggregate",
        "SELECT {g}, {f}({n}) FROM {t} GROUP BY {g}",
        (
            "What is the {f_n} of the {many} for each {g}?",
            "Show the {f_n} of the {many} per {g}.",
            "For every {g}, give the {f_n} of the {many}.",
            "Find each {g} and the {f_n} of its {many}.",
            "Compute the {f_n} of the {many} by {g}.",
        ),
        4,
    ),
    Shape(
        "having",
        "SELECT {g} FROM {t} GROUP BY {g} HAVING COUNT(*) {cop} {size}",
        (
            "Which {g_s} have {c_with} {many}?",
            "List the {g_s} that have {c_with} {many}.",
            "Find every {g} with {c_with} {many}.",
            "Show the {g_s} shared by {c_with} {many}.",
        ),
        3,
    ),
    Shape(
        "most_common",
        "SELECT {g} FROM {t} GROUP BY {g} ORDER BY COUNT(*) DESC LIMIT 1",
        (
            "Which {g} has the most {many}?",
            "What is the most common {g} of the {many}?",
            "Find the {g} shared by the most {many}.",
            "Show the most frequent {g} among the {many}.",
        ),
        4,
        asks_hard=True,
    ),
    Shape(
        "above_average",
        "SELECT {a} FROM {t} WHERE {n} {side} (SELECT AVG({n}) FROM {t})",
        (
            "What are the {a_s} of the {many} whose {n_quantity} is {side} the average?",
            "List the {a} of all {many} with {a_n} {side} the average.",
            "Show the {a} of every {one} whose {n_quantity} is {side} average.",
            "Find the {a_s} of the {many} with {side} average {n}.",
        ),
        4,
        asks_hard=True,
    ),
)

JOINING = (
    Shape(
        "join_filter",
        "SELECT {t}.{a} FROM {t} JOIN {u} ON {p} WHERE {u}.{y} = {r}",
        (
            "What are the {a_s} of the {many} that belong to a {parent} with the {y} {r}?",
            "List the {a} of all {many} whose {parent} has the {y} {r}.",
            "Show the {a} of the {many} of the {parent} whose {y} is {r}.",
            "Find the {a} of every {one} that belongs to a {parent} whose {y} is {r}.",
        ),
        4.5,
    ),
    Shape(
        "join_count",
        "SELECT {u}.{z}, COUNT(*) FROM {t} JOIN {u} ON {p} GROUP BY {u}.{z}",
        (
            "How many {many} does each {parent} have? Show the {z} and the count.",
            "For each {parent}, show the {z} and the number of {many}.",
            "Count the {many} of each {parent} and show the {z}.",
            "Show the {z} of every {parent} and how many {many} it has.",
        ),
        3,
    ),
    Shape(
        "join_superlative",
        "SELECT {u}.{z} FROM {t} JOIN {u} ON {p} ORDER BY {t}.{n} {dir} LIMIT 1",
        (
            "What is the {z} of the {parent} of the {one} with {most_n}?",
            "Show the {z} of the {parent} whose {one} has {most_n}.",
            "Which {parent} does the {one} with {most_n} belong to? Give the {z}.",
            "Find the {z} of the {parent} to which the {one} with {most_n} belongs.",
        ),
        3,
        asks_hard=True,
    ),
)

SHAPES = (*COUNTING, *LISTING, *FILTERING, *AGGREGATING, *JOINING)
