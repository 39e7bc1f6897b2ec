"""Uncorrelated subqueries in conditions: IN, NOT IN and single values."""

from tools.dataset.shapes.shape import Shape

NESTING = (
    Shape(
        "above_average",
        "SELECT {a} FROM {t} WHERE {n} {side} (SELECT AVG({n}) FROM {t})",
        (
            "What are the {a_s} of the {many} whose {n_quantity} is {side} the average?",
            "List the {a} of all {many} with {a_n} {side} the average.",
            "Show the {a} of every {one} whose {n_quantity} is {side} average.",
            "Find the {a_s} of the {many} with {side} average {n}.",
            "Give the {a} of each {one} that has {a_n} {side} the average.",
        ),
        1.5,
    ),
    Shape(
        "in_kids",
        "SELECT {a} FROM {t} WHERE {key} IN (SELECT {kid.ref} FROM {kid} WHERE {kid.x} = {kid.v})",
        (
            "What are the {a_s} of the {many} that have {kid.a_one} with the {kid.x} {kid.v}?",
            "List the {a} of every {one} with at least one {kid.one} whose {kid.x} is {kid.v}.",
            "Show the {a} of each {one} that has any {kid.one} with {kid.v} as {kid.x}.",
            "Find the {a} of the {many} to which {kid.a_one} with the {kid.x} {kid.v} belongs.",
            "Which {many} have some {kid.one} with the {kid.x} {kid.v}? Give their {a}.",
        ),
    ),
    Shape(
        "not_in_kids",
        "SELECT {a} FROM {t} WHERE {key} NOT IN (SELECT {kid.ref} FROM {kid} WHERE {kid.x} = {kid.v})",
        (
            "What are the {a_s} of the {many} that have no {kid.one} with the {kid.x} {kid.v}?",
            "List the {a} of every {one} without any {kid.one} whose {kid.x} is {kid.v}.",
            "Show the {a} of each {one} that does not have a single {kid.one} with {kid.v} as {kid.x}.",
            "Find the {a} of the {many} to which no {kid.one} with the {kid.x} {kid.v} belongs.",
            "Which {many} lack {kid.a_one} with the {kid.x} {kid.v}? Give their {a}.",
        ),
    ),
    Shape(
        "childless",
        "SELECT {a} FROM {t} WHERE {key} NOT IN (SELECT {kid.ref} FROM {kid})",
        (
            "What are the {a_s} of the {many} that have no {kid.many} at all?",
            "List the {a} of every {one} without any {kid.one}.",
            "Show the {a} of each {one} that does not have a single {kid.one}.",
            "Find the {a} of the {many} to which no {kid.one} belongs.",
            "Which {many} have no {kid.many}? Give their {a}.",
        ),
    ),
    Shape(
        "scalar_extreme",
        "SELECT {a} FROM {t} WHERE {n} = (SELECT {fx}({n}) FROM {t})",
        (
            "What are the {a_s} of all {many} that share the {fx_n}?",
            "List the {a} of every {one} whose {n_quantity} is the {fx_n}, several if there is a tie.",
            "Show the {a} of all {many} with the {fx_n}, including ties.",
            "Find the {a} of each {one} whose {n_quantity} equals the {fx_n} of all {many}.",
            "Which {many} reach the {fx_n}? Give the {a} of all of them.",
        ),
    ),
    Shape(
        "group_average",
        "SELECT {a} FROM {t} WHERE {n} {side} (SELECT {avg}({n}) FROM {t} WHERE {x} = {v})",
        (
            "What are the {a_s} of the {many} whose {n_quantity} is {side} the average of those with the {x} {v}?",
            "List the {a} of every {one} with {a_n} {side} the average of the {many} whose {x} is {v}.",
            (
                "Show the {a} of all {many} whose {n_quantity} lies {side} the average {n_quantity} of {many} with "
                "{x} {v}."
            ),
            "Find the {a} of each {one} whose {n_quantity} is {side} what {many} with the {x} {v} have on average.",
            "Take the average {n_quantity} of the {many} with {x} {v}: which {many} are {side} it? Give the {a}.",
        ),
    ),
    Shape(
        "than_one",
        "SELECT {l} FROM {t} WHERE {n} {side} (SELECT {n} FROM {t} WHERE {l} = {q})",
        (
            "Which {many} have {a_n} {side} that of {q}?",
            "List the {many} whose {n_quantity} is {side} the {n_quantity} of {q}.",
            "Show the {l} of every {one} with {a_n} {side} the one of {q}.",
            "Find each {one} whose {n_quantity} lies {side} that of the {one} {called} {q}.",
            "Compared with {q}, which {many} are {side} its {n_quantity}?",
        ),
    ),
    Shape(
        "same_as",
        "SELECT {l} FROM {t} WHERE {g} = (SELECT {g} FROM {t} WHERE {l} = {q}) AND {l} != {q}",
        (
            "Which other {many} have the same {g} as {q}?",
            "List the {many} that share the {g} of {q}, without {q}.",
            "Show the {l} of every other {one} whose {g} is that of {q}.",
            "Except for {q} itself, which {many} have the {g} that {q} has?",
            "Find all {many} with the same {g} as the {one} {called} {q}, leaving out {q}.",
        ),
    ),
    Shape(
        "in_parents",
        "SELECT {a} FROM {t} WHERE {up.ref} IN (SELECT {up.key} FROM {up} WHERE {up.n} {up.side} "
        "(SELECT AVG({up.n}) FROM {up}))",
        (
            "What are the {a_s} of the {many} whose {up.one} has {up.a_n} {up.side} the average of all {up.many}?",
            "List the {a} of every {one} that belongs to {up.a_one} with {up.side} average {up.n}.",
            "Show the {a} of all {many} of {up.many} whose {up.n_quantity} is {up.side} average.",
            "Find the {a} of each {one} whose {up.one} lies {up.side} the average {up.n_quantity} of the {up.many}.",
            "Which {many} belong to {up.a_one} with {up.a_n} {up.side} average? Give the {a}.",
        ),
    ),
    Shape(
        "in_chain",
        "SELECT {a} FROM {t} WHERE {up.ref} IN (SELECT {up.key} FROM {up} WHERE {up2.ref} IN (SELECT "
        "{up2.key} FROM {up2} WHERE {up2.n} {up2.op} {up2.k}))",
        (
            "What are the {a_s} of the {many} whose {up.one} belongs to {up2.a_one} with {up2.n_with}?",
            "List the {a} of every {one} of any {up.one} whose {up2.one} has {up2.n_with}.",
            "Show the {a} of all {many} that belong to {up.a_one} of {up2.a_one} whose {up2.n_is}.",
            "Find the {a} of each {one} whose {up.one} has {up2.a_one} with {up2.n_with}.",
            "Which {many} belong to {up.a_one} that has {up2.a_one} with {up2.n_with}? Give the {a}.",
        ),
        1.2,
    ),
    Shape(
        "having_above_average",
        "SELECT {g} FROM {t} GROUP BY {g} HAVING {avg}({n}) {side} (SELECT {avg}({n}) FROM {t})",
        (
            "Which {g_s} have an average {n_quantity} {side} that of all {many}?",
            "List every {g} whose {many} have an average {n_quantity} {side} the overall average.",
            "Show the {g_s} where the average {n_quantity} of the {many} is {side} the average of all {many}.",
            "Find each {g} with an average {n_quantity} {side} the average over all {many}.",
            "For which {g_s} do the {many} lie {side} the overall average {n_quantity} on average?",
        ),
    ),
    Shape(
        "count_above_average",
        "SELECT COUNT(*) FROM {t} WHERE {n} {side} (SELECT {avg}({n}) FROM {t})",
        (
            "How many {many} have {a_n} {side} the average?",
            "Count the {many} whose {n_quantity} is {side} the average.",
            "What is the number of {many} with {side} average {n}?",
            "How many {many} are there whose {n_quantity} lies {side} the average of all?",
            "Tell me how many {many} have {side} average {n}.",
        ),
    ),
)
