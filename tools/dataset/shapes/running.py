"""Window functions along rows: running totals, differences, shares."""

from tools.dataset.shapes.shape import Shape

RUNNING = (
    Shape(
        "running_total",
        "SELECT {e_full}, {sum}({n}) OVER (ORDER BY {e_full}, {key}) FROM {t} WHERE {x} = {v} ORDER BY {e_full}, {key}",
        (
            (
                "For the {many} with the {x} {v}, show the {e} and the running total of the {n_quantity} by {e}; "
                "order the same {e} by {key}."
            ),
            (
                "Show how the total {n_quantity} of the {many} whose {x} is {v} grows: each {e} and the total so "
                "far, by {e} and then {key}."
            ),
            (
                "List the {e} of each {one} with {x} {v} and the sum of the {n_quantity} up to it, in order of {e} "
                "and {key}."
            ),
            (
                "Add up the {n_quantity} step by step over the {many} with {v} as {x}, sorted by {e} and {key}. "
                "Show {e} and running total."
            ),
            (
                "What is the cumulative {n_quantity} of {many} with {x} {v} after each one, in order of {e}, then "
                "{key}? Give the {e} too."
            ),
        ),
    ),
    Shape(
        "running_total_of_parent",
        "SELECT {t}.{e_full}, {sum}({t}.{n}) OVER (ORDER BY {t}.{e_full}, {t}.{key}) FROM {t} JOIN {up} ON "
        "{up.on} WHERE {up}.{up.l} = {up.q} ORDER BY {t}.{e_full}, {t}.{key}",
        (
            (
                "For the {many} of the {up.one} {up.q}, show the {e} and the running total of the {n_quantity} by "
                "{e}; order the same {e} by {key}."
            ),
            (
                "Show how the total {n_quantity} of the {many} of {up.one} {up.q} grows: each {e} and the total so "
                "far, by {e} and then {key}."
            ),
            (
                "List the {e} of each {one} that belongs to the {up.one} {up.q} and the sum of the {n_quantity} up "
                "to it, in order of {e} and {key}."
            ),
            (
                "Add up the {n_quantity} step by step over the {many} of the {up.one} {up.q}, sorted by {e} and "
                "{key}. Show {e} and running total."
            ),
            (
                "What is the cumulative {n_quantity} of {up.one} {up.q} after each of its {many}, in order of {e}, "
                "then {key}? Give the {e} too."
            ),
        ),
    ),
    Shape(
        "difference",
        "SELECT {t}.{e_full}, {t}.{n} - LAG({t}.{n}) OVER (ORDER BY {t}.{e_full}, {t}.{key}) FROM {t} JOIN {up} "
        "ON {up.on} WHERE {up}.{up.l} = {up.q} ORDER BY {t}.{e_full}, {t}.{key}",
        (
            (
                "For the {many} of the {up.one} {up.q} in order of {e} and {key}, show the {e} and by how much the "
                "{n_quantity} differs from the one before."
            ),
            (
                "Show the {e} of each {one} of {up.one} {up.q} and the change of the {n_quantity} since the "
                "previous one, by {e} and then {key}."
            ),
            (
                "How does the {n_quantity} change from one {one} of the {up.one} {up.q} to the next? Give {e} and "
                "difference, sorted by {e}, then {key}."
            ),
            (
                "List {e} and the {n_quantity} minus that of the {one} before, for the {many} of {up.one} {up.q} in "
                "order of {e} and {key}; the first has none."
            ),
            (
                "Go through the {many} of the {up.one} {up.q} by {e} (then {key}) and give the {e} and the "
                "difference in {n_quantity} to the previous {one}."
            ),
        ),
        1.5,
    ),
    Shape(
        "previous",
        "SELECT {e_full}, {n}, LAG({n}) OVER (ORDER BY {e_full}, {key}) FROM {t} WHERE {x} = {v} "
        "ORDER BY {e_full}, {key}",
        (
            (
                "For the {many} with the {x} {v} in order of {e} and {key}, show the {e}, the {n} and the {n} of "
                "the one before."
            ),
            "Show {e}, {n} and previous {n} of each {one} whose {x} is {v}, sorted by {e} and then {key}.",
            (
                "List the {e} and {n} of every {one} with {x} {v}, next to the {n} of the {one} right before it by "
                "{e} and {key}."
            ),
            (
                "Go through the {many} that have {v} as {x} by {e}, then {key}: give {e}, {n} and the {n} of the "
                "previous one."
            ),
            "In order of {e} and {key}, what are the {e}, the {n} and the preceding {n} of the {many} with {x} {v}?",
        ),
    ),
    Shape(
        "share_of_group",
        "SELECT {l}, {g}, 100.0 * {n} / {sum}({n}) OVER (PARTITION BY {g}) FROM {t}",
        (
            "What percentage of the total {n_quantity} of its {g} does each {one} have? Show {l}, {g} and percentage.",
            (
                "For each {one}, give the {l}, the {g} and its share, in percent, of the {n_quantity} of all {many} "
                "with that {g}."
            ),
            "Show {l}, {g} and how many percent of the total {n_quantity} of the {g} every {one} accounts for.",
            "List all {many} with {g} and their percentage of the {n_quantity} added up over the same {g}.",
            "How much of the total {n_quantity} of its {g}, in percent, comes from each {one}? Give {l} and {g} too.",
        ),
    ),
    Shape(
        "share_of_parent",
        "SELECT {t}.{l}, 100.0 * {t}.{n} / {sum}({t}.{n}) OVER (PARTITION BY {up}.{up.key}) FROM {t} "
        "JOIN {up} ON {up.on} WHERE {up}.{up.x} = {up.v} ORDER BY {t}.{l}",
        (
            (
                "For each {one} of {up.many} with the {up.x} {up.v}, show the {l} and its percentage of the total "
                "{n_quantity} of its {up.one}, sorted by {l}."
            ),
            (
                "What percentage of the {n_quantity} of all {many} of its {up.one} does each {one} have, if the "
                "{up.x} of the {up.one} is {up.v}? Order by {l}."
            ),
            (
                "Show, in order of {l}, every {one} whose {up.one} has the {up.x} {up.v} with its share in percent "
                "of the total {n_quantity} of that {up.one}."
            ),
            (
                "List by {l} the {many} of each {up.one} that has {up.v} as {up.x}, and how many percent of the "
                "{n_quantity} of the {up.one} they account for."
            ),
            (
                "How much of the total {n_quantity} of its {up.one}, in percent, comes from each {one}? Only "
                "{up.many} with {up.x} {up.v}, sorted by {l}."
            ),
        ),
    ),
    Shape(
        "moving_average",
        "SELECT {e_full}, {avg}({n}) OVER (ORDER BY {e_full}, {key} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) "
        "FROM {t} WHERE {x} = {v} ORDER BY {e_full}, {key}",
        (
            (
                "For the {many} with the {x} {v} by {e} and {key}, show the {e} and the average {n_quantity} of "
                "each one and the two before it."
            ),
            (
                "Show the {e} and the moving average over three {many} of the {n_quantity}, for those whose {x} is "
                "{v}, in order of {e} and {key}."
            ),
            (
                "List, by {e} and then {key}, the {e} of each {one} with {x} {v} and the average {n_quantity} of it "
                "and the previous two."
            ),
            (
                "Smooth the {n_quantity} of the {many} that have {v} as {x}: give {e} and the average of the "
                "current and the two preceding ones, sorted by {e} and {key}."
            ),
            (
                "What is the average {n_quantity} over the last three {many} with {x} {v} at each {e}, going by {e} "
                "and {key}?"
            ),
        ),
    ),
)
