"""Averages, totals and groups."""

from tools.dataset.shapes.shape import Shape

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
            "What is the {low} and what is the {high} {n_quantity} of the {many}?",
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
            "Give each {g} that has {c_with} {many}.",
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
            "Tell me the {g} that occurs most often among the {many}.",
        ),
        1.5,
    ),
    Shape(
        "two_aggregates",
        "SELECT {f}({n}), {m_f}({m}) FROM {t}",
        (
            "What are the {f_n} and the {f_m} of the {many}?",
            "Find the {f_n} and the {f_m} of all {many}.",
            "Give me the {f_n} together with the {f_m} of the {many}.",
            "Show the {f_n} and also the {f_m} over all {many}.",
            "Compute the {f_n} and the {f_m} of the {many}.",
        ),
    ),
    Shape(
        "group_where",
        "SELECT {g}, COUNT(*) FROM {t} WHERE {n} {op} {k} GROUP BY {g}",
        (
            "How many {many} with {n_with} are there for each {g}?",
            "For every {g}, count the {many} that have {n_with}.",
            "Show each {g} with its number of {many} whose {n_is}.",
            "Count the {many} with {n_with} per {g}.",
            "Only looking at {many} with {n_with}, how many are there for each {g}?",
        ),
    ),
    Shape(
        "group_two",
        "SELECT {g}, {h}, COUNT(*) FROM {t} GROUP BY {g}, {h}",
        (
            "How many {many} are there for each combination of {g} and {h}?",
            "Count the {many} per {g} and {h}.",
            "For every {g} and every {h}, give the number of {many}.",
            "Show each pair of {g} and {h} with its number of {many}.",
            "What is the number of {many} by {g} and {h}?",
        ),
        1.5,
    ),
    Shape(
        "having_average",
        "SELECT {g}, {avg}({n}) FROM {t} GROUP BY {g} HAVING {avg}({n}) {mean_op} {mean_k}",
        (
            "Which {g_s} have an average {n_quantity} {mean_k} among their {many}? Show the {g} and the average.",
            "For each {g} whose {many} have an average {n_quantity} {mean_k}, give the {g} and that average.",
            "List the {g_s} and the average {n_quantity} of their {many} where that average is {mean_k}.",
            "Find every {g} with an average {n_quantity} {mean_k} over its {many}, and the average itself.",
            "Show {g} and average {n_quantity} of the {many}, but only averages {mean_k}.",
        ),
    ),
    Shape(
        "having_two",
        "SELECT {g} FROM {t} GROUP BY {g} HAVING COUNT(*) {cop} {size} AND {avg}({n}) {mean_op} {mean_k}",
        (
            "Which {g_s} have {c_with} {many} and an average {n_quantity} {mean_k}?",
            "List every {g} with {c_with} {many} whose average {n_quantity} is {mean_k}.",
            "Find the {g_s} that have {c_with} {many} and at the same time an average {n_quantity} {mean_k}.",
            "Show each {g} shared by {c_with} {many} where the {many} have an average {n_quantity} {mean_k}.",
            "Give the {g_s} with {c_with} {many}, provided that their average {n_quantity} is {mean_k}.",
        ),
    ),
    Shape(
        "group_order",
        "SELECT {g}, COUNT(*) FROM {t} GROUP BY {g} ORDER BY COUNT(*) DESC, {g}",
        (
            "How many {many} are there for each {g}? Start with the most, and sort ties by {g}.",
            "Show each {g} with its number of {many}, the largest number first and equal numbers by {g}.",
            "Count the {many} per {g}, sorted from most to fewest and then alphabetically by {g}.",
            "For every {g}, give the number of {many} in descending order; where it is equal, order by {g}.",
            "List the {g_s} and how many {many} each has, by that number from high to low, then by {g}.",
        ),
    ),
    Shape(
        "group_top",
        "SELECT {g}, {avg}({n}) FROM {t} GROUP BY {g} ORDER BY {avg}({n}) DESC LIMIT {few}",
        (
            "Which {few} {g_s} have the highest average {n_quantity} of their {many}? Show the average too.",
            "List the {few} {g_s} whose {many} have the highest average {n_quantity}, with that average.",
            "Show the {g} and the average {n_quantity} of its {many} for the {few} highest averages.",
            "Give the top {few} {g_s} by average {n_quantity} of the {many}, and the averages, highest first.",
            "Find the {few} {g_s} with the highest average {n_quantity} among the {many} and show both.",
        ),
    ),
    Shape(
        "total_by_group_where",
        "SELECT {g}, {sum}({n}) FROM {t} WHERE {h} = {hv} GROUP BY {g} HAVING COUNT(*) > 1",
        (
            (
                "For the {many} with the {h} {hv}, what is the total {n_quantity} of each {g} that has more than "
                "one of them?"
            ),
            "Show each {g} and its total {n_quantity} over {many} whose {h} is {hv}, leaving out {g_s} with only one.",
            "Among {many} with {h} {hv}, give the total {n_quantity} per {g}, only where there is more than one.",
            (
                "Take the {many} whose {h} is {hv}. Which {g_s} have at least two of them, and what is their total "
                "{n_quantity}?"
            ),
            "List the {g_s} with two or more {many} of the {h} {hv}, and the total {n_quantity} of these.",
        ),
        1.5,
    ),
)
