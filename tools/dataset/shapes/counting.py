"""Counts of rows and of different values."""

from tools.dataset.shapes.shape import Shape

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
            "Tell me how many different {x_s} the {many} have.",
        ),
        2,
    ),
)
