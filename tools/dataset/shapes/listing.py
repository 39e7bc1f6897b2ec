"""Columns, ordered columns and the first rows of an order, without a filter."""

from tools.dataset.shapes.shape import Shape

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
            "Give me the {a} of each of the {j} {many} with {most_n}.",
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
            "Show the {j} {many} that have {most_n}.",
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
            "What is the {one} with {most_n}?",
        ),
        3.5,
    ),
    Shape(
        "order_tie",
        "SELECT {l}, {n} FROM {t} ORDER BY {n} {dir}, {l}",
        (
            "List the {l} and {n} of all {many} sorted by {n_order}, and ties by {l}.",
            "Show the {l} and the {n} of every {one}, ordered by {n_order} and then by {l}.",
            (
                "What are the {l} and {n} of each {one} in {order} order of {n}, with the same {n} in the order of "
                "their {l}?"
            ),
            "Sort the {many} by {n_order}; where it is equal, sort by {l}. Give {l} and {n}.",
            "Give the {l} and {n} of the {many}, first by {n_order}, then alphabetically by {l}.",
        ),
    ),
    Shape(
        "top_k_tie",
        "SELECT {l} FROM {t} ORDER BY {n} {dir}, {l} LIMIT {j}",
        (
            "Which {j} {many} have {most_n}? Where there is a tie, take them in alphabetical order of {l}.",
            "List the {l} of the {j} {many} with {most_n}, with ties broken by {l}.",
            "Name the {j} {many} with {most_n}; of equal ones those whose {l} comes first in the alphabet.",
            "Show the {j} {many} that have {most_n}, and order ties alphabetically by {l}.",
            "Sort the {many} by {n_order} and then by {l}, and give the {l} of the first {j}.",
        ),
    ),
    Shape(
        "runner_up",
        "SELECT {l} FROM {t} ORDER BY {n} {dir} LIMIT 1 OFFSET 1",
        (
            "Which {one} comes second if the {many} are sorted by {n_order}?",
            "Name the {one} that is in second place for {most_n}.",
            "Which {one} would have {most_n} if the very first one were left out?",
            "Find the {one} right behind the one with {most_n}.",
            "Sort the {many} by {n_order} and give the {l} of number two.",
        ),
    ),
    Shape(
        "distinct_pairs",
        "SELECT DISTINCT {g}, {h} FROM {t}",
        (
            "Which combinations of {g} and {h} do the {many} have?",
            "List every different pair of {g} and {h} among the {many}.",
            "Show the distinct combinations of {g} and {h} of the {many}.",
            "What pairs of {g} and {h} are there among the {many}? Name each only once.",
            "Give each {g} together with each {h} that occurs with it among the {many}, without repeats.",
        ),
    ),
)
