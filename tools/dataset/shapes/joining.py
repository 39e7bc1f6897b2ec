"""Joins of two tables: columns of a row's parent, and counts and sums of each parent's rows."""

from tools.dataset.shapes.shape import Shape

JOINING = (
    Shape(
        "join_filter",
        "SELECT {t}.{a} FROM {t} JOIN {up} ON {up.on} WHERE {up}.{up.y} = {up.r}",
        (
            "What are the {a_s} of the {many} that belong to {up.a_one} with the {up.y} {up.r}?",
            "List the {a} of all {many} whose {up.one} has the {up.y} {up.r}.",
            "Show the {a} of the {many} of the {up.one} whose {up.y} is {up.r}.",
            "Find the {a} of every {one} that belongs to {up.a_one} whose {up.y} is {up.r}.",
            "Give the {a} of each {one} whose {up.one} has {up.r} as {up.y}.",
        ),
        5.2,
    ),
    Shape(
        "join_count",
        "SELECT {up}.{up.l}, COUNT(*) FROM {t} JOIN {up} ON {up.on} GROUP BY {up}.{up.l}",
        (
            "How many {many} does each {up.one} have? Show the {up.l} and the count.",
            "For each {up.one}, show the {up.l} and the number of {many}.",
            "Count the {many} of each {up.one} and show the {up.l}.",
            "Show the {up.l} of every {up.one} and how many {many} it has.",
            "Give the {up.l} of each {up.one} with its number of {many}.",
        ),
        3,
    ),
    Shape(
        "join_superlative",
        "SELECT {up}.{up.l} FROM {t} JOIN {up} ON {up.on} ORDER BY {t}.{n} {dir} LIMIT 1",
        (
            "What is the {up.l} of the {up.one} of the {one} with {most_n}?",
            "Show the {up.l} of the {up.one} whose {one} has {most_n}.",
            "Which {up.one} does the {one} with {most_n} belong to? Give the {up.l}.",
            "Find the {up.l} of the {up.one} to which the {one} with {most_n} belongs.",
            "Give the {up.l} of the {up.one} of the {one} that has {most_n}.",
        ),
        1.5,
    ),
    Shape(
        "join_pair",
        "SELECT {t}.{a}, {up}.{up.l} FROM {t} JOIN {up} ON {up.on}",
        (
            "For each {one}, show the {a} and the {up.l} of its {up.one}.",
            "List the {a} of every {one} together with the {up.l} of its {up.one}.",
            "What are the {a} of each {one} and the {up.l} of the {up.one} it belongs to?",
            "Show all {many} by {a}, with the {up.l} of their {up.one}.",
            "Give the {a} of all {many} and the {up.l} of the {up.one} of each.",
        ),
    ),
    Shape(
        "join_filter_number",
        "SELECT {t}.{a} FROM {t} JOIN {up} ON {up.on} WHERE {up}.{up.n} {up.op} {up.k}",
        (
            "What are the {a_s} of the {many} whose {up.one} has {up.n_with}?",
            "List the {a} of all {many} that belong to {up.a_one} with {up.n_with}.",
            "Show the {a} of every {one} of {up.a_one} whose {up.n_is}.",
            "Find the {a} of each {one} that has {up.a_one} with {up.n_with}.",
            "Give the {a_s} of the {many} of every {up.one} that has {up.n_with}.",
        ),
    ),
    Shape(
        "join_both",
        "SELECT {t}.{a} FROM {t} JOIN {up} ON {up.on} WHERE {t}.{n} {op} {k} AND {up}.{up.y} = {up.r}",
        (
            "What are the {a_s} of the {many} with {n_with} whose {up.one} has the {up.y} {up.r}?",
            "List the {a} of all {many} whose {n_is} and that belong to {up.a_one} with the {up.y} {up.r}.",
            "Show the {a} of every {one} with {n_with} of the {up.one} whose {up.y} is {up.r}.",
            "Of the {many} whose {up.one} has {up.r} as {up.y}, give the {a} of those with {n_with}.",
            "Find the {a} of each {one} that has {n_with} and {up.a_one} whose {up.y} is {up.r}.",
        ),
    ),
    Shape(
        "join_average",
        "SELECT {up}.{up.l}, {f}({t}.{n}) FROM {t} JOIN {up} ON {up.on} GROUP BY {up}.{up.l}",
        (
            "What is the {f_n} of the {many} of each {up.one}? Show the {up.l} too.",
            "For each {up.one}, show the {up.l} and the {f_n} of its {many}.",
            "Give the {up.l} of every {up.one} and the {f_n} of the {many} that belong to it.",
            "Show the {f_n} of the {many} per {up.one}, with the {up.l}.",
            "Compute the {f_n} of the {many} for every {up.one} and name the {up.one}.",
        ),
    ),
    Shape(
        "join_having",
        "SELECT {up}.{up.l} FROM {t} JOIN {up} ON {up.on} GROUP BY {up}.{up.l} "
        "HAVING COUNT(*) {up.ref_op} {up.ref_size}",
        (
            "Which {up.many} have {up.ref_with} {many}? Leave out those that have none.",
            "List the {up.l} of every {up.one} that has some {many}, namely {up.ref_with}.",
            "Of the {up.many} that have any {many}, which have {up.ref_with}? Give the {up.l}.",
            "Show the {up.many} with {up.ref_with} {many}, not counting {up.many} without any.",
            "Find the {up.l} of each {up.one} to which {up.ref_with} {many} belong, leaving out those with none.",
        ),
    ),
    Shape(
        "join_most",
        "SELECT {up}.{up.l} FROM {t} JOIN {up} ON {up.on} GROUP BY {up}.{up.l} ORDER BY COUNT(*) DESC LIMIT 1",
        (
            "Which {up.one} has the most {many}?",
            "What is the {up.l} of the {up.one} with the most {many}?",
            "Find the {up.one} to which the most {many} belong.",
            "Name the {up.one} that has more {many} than any other.",
            "Show the {up.l} of the {up.one} with the highest number of {many}.",
        ),
    ),
    Shape(
        "join_order",
        "SELECT {t}.{a}, {up}.{up.l} FROM {t} JOIN {up} ON {up.on} WHERE {up}.{up.n} {up.op} {up.k} "
        "ORDER BY {t}.{n} {dir}",
        (
            (
                "Show the {a} of each {one} and the {up.l} of its {up.one}, if that has {up.n_with}, sorted by "
                "{n_order} of the {one}."
            ),
            (
                "For the {many} whose {up.one} has {up.n_with}, list the {a} and the {up.l} of the {up.one}, "
                "ordered by {n_order} of the {many}."
            ),
            (
                "Give the {a} of all {many} of {up.many} with {up.n_with} and the {up.l} of the {up.one}, in "
                "{order} order of the {n} of the {one}."
            ),
            (
                "List {a} and {up.l} of the {up.one} for every {one} of {up.a_one} with {up.n_with}; sort the "
                "{many} by {n_order}."
            ),
            (
                "Which {many} belong to {up.a_one} with {up.n_with}? Show their {a} and the {up.l} of the {up.one}, "
                "with the {many} sorted by {n_order}."
            ),
        ),
    ),
    Shape(
        "join_total_top",
        "SELECT {up}.{up.l}, {sum}({t}.{n}) FROM {t} JOIN {up} ON {up.on} WHERE {t}.{x} = {v} GROUP BY {up}.{up.l}",
        (
            "What is the total {n_quantity} of the {many} with the {x} {v} for each {up.one}? Show the {up.l}.",
            "For each {up.one} that has {many} with the {x} {v}, show the {up.l} and their total {n_quantity}.",
            "Counting only {many} whose {x} is {v}, give the {up.l} of each {up.one} and the total {n_quantity}.",
            "Add up the {n_quantity} of all {many} with {x} {v} per {up.one} and name the {up.one}.",
            "Show the {up.l} of every {up.one} with the total {n_quantity} of its {many} that have {v} as {x}.",
        ),
    ),
)
