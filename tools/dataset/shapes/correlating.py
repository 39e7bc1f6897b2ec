"""Correlated subqueries, which refer to the outer query's row: EXISTS, and the best of each group."""

from tools.dataset.shapes.shape import Shape

CORRELATING = (
    Shape(
        "exists",
        "SELECT {a} FROM {t} WHERE EXISTS(SELECT 1 FROM {kid} WHERE {kid.on} AND {kid}.{kid.n} {kid.op} {kid.k})",
        (
            "What are the {a_s} of the {many} for which there is {kid.a_one} with {kid.n_with}?",
            "List the {a} of every {one} that has at least one {kid.one} with {kid.n_with}.",
            "Show the {a} of each {one} with any {kid.one} whose {kid.n_is}.",
            "Find the {a} of the {many} that have some {kid.one} with {kid.n_with}.",
            "For which {many} does {kid.a_one} with {kid.n_with} exist? Give their {a}.",
        ),
    ),
    Shape(
        "not_exists",
        "SELECT {a} FROM {t} WHERE NOT EXISTS(SELECT 1 FROM {kid} WHERE {kid.on} AND {kid}.{kid.n} {kid.op} {kid.k})",
        (
            "What are the {a_s} of the {many} for which there is no {kid.one} with {kid.n_with}?",
            "List the {a} of every {one} that does not have any {kid.one} with {kid.n_with}.",
            "Show the {a} of each {one} without a single {kid.one} whose {kid.n_is}.",
            "Find the {a} of the {many} that have no {kid.one} with {kid.n_with}.",
            "For which {many} does no {kid.one} with {kid.n_with} exist? Give their {a}.",
        ),
    ),
    Shape(
        "exists_both",
        "SELECT {l} FROM {t} WHERE {n} {op} {k} AND EXISTS(SELECT 1 FROM {kid} WHERE {kid.on} AND "
        "{kid}.{kid.x} = {kid.v})",
        (
            "Which {many} with {n_with} have {kid.a_one} with the {kid.x} {kid.v}?",
            "List the {many} whose {n_is} and that have at least one {kid.one} whose {kid.x} is {kid.v}.",
            "Show the {l} of every {one} with {n_with} and some {kid.one} with {kid.v} as {kid.x}.",
            "Of the {many} with {n_with}, which have any {kid.one} with the {kid.x} {kid.v}?",
            "Name each {one} that has {n_with} and also {kid.a_one} whose {kid.x} is {kid.v}.",
        ),
    ),
    Shape(
        "group_maximum",
        "SELECT T1.{g}, T1.{l} FROM {t} AS T1 WHERE T1.{n} = (SELECT {fx}(T2.{n}) FROM {t} AS T2 WHERE "
        "T2.{g} = T1.{g})",
        (
            "Which {one} has the {fx_n} within each {g}? Show the {g} and the {l}, and all of them if there is a tie.",
            "For each {g}, give the {g} and the {l} of the {one} with the {fx_n}, several if they tie.",
            "Show, for every {g}, which {many} reach the {fx_n} of that {g}. Give {g} and {l}.",
            "List each {g} with the {l} of its {one} or {many} that have the {fx_n}.",
            "Per {g}, find the {many} whose {n_quantity} is the {fx_n} there, and show {g} and {l}.",
        ),
    ),
    Shape(
        "group_above_average",
        "SELECT T1.{a} FROM {t} AS T1 WHERE T1.{n} {side} (SELECT {avg}(T2.{n}) FROM {t} AS T2 WHERE T2.{g} = T1.{g})",
        (
            "What are the {a_s} of the {many} whose {n_quantity} is {side} the average of their own {g}?",
            "List the {a} of every {one} with {a_n} {side} the average of the {many} with the same {g}.",
            "Show the {a} of all {many} that lie {side} the average {n_quantity} of their {g}.",
            "Find the {a} of each {one} whose {n_quantity} is {side} what {many} of its {g} have on average.",
            "Compared with the average {n_quantity} of the same {g}, which {many} are {side} it? Give the {a}.",
        ),
    ),
    Shape(
        "parent_maximum",
        "SELECT T1.{l} FROM {t} AS T1 WHERE T1.{n} = (SELECT {fx}(T2.{n}) FROM {t} AS T2 WHERE "
        "T2.{up.ref} = T1.{up.ref})",
        (
            "Which {many} have the {fx_n} of all {many} of the same {up.one}?",
            "For each {up.one} that has {many}, list its {one} with the {fx_n}, several if there is a tie.",
            "Show the {l} of every {one} whose {n_quantity} is the {fx_n} within its {up.one}.",
            "Name the {many} that reach the {fx_n} among the {many} of their {up.one}.",
            "Find each {one} with the {fx_n} of its {up.one}, ties included.",
        ),
    ),
    Shape(
        "kid_count",
        "SELECT {a} FROM {t} WHERE (SELECT COUNT(*) FROM {kid} WHERE {kid.on}) {kid.ref_op} {kid.ref_size}",
        (
            "What are the {a_s} of the {many} that have {kid.ref_with} {kid.many}, counting none as 0?",
            "List the {a} of every {one} whose number of {kid.many} is {kid.ref_with}, which may be 0.",
            "Show the {a} of each {one} to which {kid.ref_with} {kid.many} belong; none counts as 0.",
            (
                "Count the {kid.many} of every {one}, 0 if there are none, and give the {a} where the count is "
                "{kid.ref_with}."
            ),
            "Which {many} have {kid.ref_with} {kid.many}, where none is 0? Give the {a}.",
        ),
    ),
    Shape(
        "kid_counted",
        "SELECT {l}, (SELECT COUNT(*) FROM {kid} WHERE {kid.on} AND {kid}.{kid.x} = {kid.v}) FROM {t}",
        (
            (
                "For every {one}, show the {l} and how many {kid.many} with the {kid.x} {kid.v} it has, with 0 "
                "where there are none."
            ),
            "Show the {l} of all {many} and, also if it is 0, the number of their {kid.many} whose {kid.x} is {kid.v}.",
            "How many {kid.many} with {kid.v} as {kid.x} does each {one} have? List every {one}, even with 0.",
            "Give each {one} with its number of {kid.many} of the {kid.x} {kid.v}, and 0 for those without.",
            "List all {many} by {l} with a count of the {kid.many} that have the {kid.x} {kid.v}; keep those with 0.",
        ),
    ),
)
