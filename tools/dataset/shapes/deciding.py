"""CASE: labels and counts that depend on a condition."""

from tools.dataset.shapes.shape import Shape

DECIDING = (
    Shape(
        "case_label",
        "SELECT {a}, CASE WHEN {n} {op} {k} THEN 'yes' ELSE 'no' END FROM {t}",
        (
            "Show the {a} of every {one} and 'yes' if it has {n_with}, otherwise 'no'.",
            "List the {a} of all {many} with 'yes' or 'no' for whether their {n_is}.",
            "For each {one}, give the {a} and say 'yes' where the {n_is} and 'no' in all other cases.",
            "Does each {one} have {n_with}? Show the {a} and 'yes' or 'no'.",
            "Give the {a} of each {one}, and next to it 'yes' for {n_with} or else 'no'.",
        ),
    ),
    Shape(
        "case_bands",
        "SELECT {l}, CASE WHEN {n} < {low_k} THEN 'low' WHEN {n} < {high_k} THEN 'middle' ELSE 'high' END FROM "
        "{t} WHERE {x} = {v}",
        (
            (
                "For the {many} with the {x} {v}, show the {l} and 'low' for {a_n} below {low_k}, 'middle' below "
                "{high_k}, else 'high'."
            ),
            (
                "List the {many} whose {x} is {v} with a label: 'low' if the {n_quantity} is under {low_k}, 'middle' "
                "if it is under {high_k}, 'high' otherwise."
            ),
            (
                "Label each {one} with {x} {v} by its {n_quantity}: less than {low_k} is 'low', from there to less "
                "than {high_k} 'middle', the rest 'high'. Show {l} and label."
            ),
            (
                "Show the {l} of every {one} that has {v} as {x}, and call {a_n} under {low_k} 'low', under {high_k} "
                "'middle' and all others 'high'."
            ),
            (
                "Give {l} and band of the {many} with {x} {v}: 'low' below {low_k}, 'middle' below {high_k}, 'high' "
                "otherwise, by {n_quantity}."
            ),
        ),
    ),
    Shape(
        "case_band_count",
        "SELECT CASE WHEN {n} < {low_k} THEN 'low' ELSE 'high' END, COUNT(*) FROM {t} WHERE {n} IS NOT NULL "
        "GROUP BY CASE WHEN {n} < {low_k} THEN 'low' ELSE 'high' END",
        (
            "How many {many} are 'low', with {a_n} below {low_k}, and how many 'high'? Show the label and the count.",
            "Call {many} with {a_n} under {low_k} 'low' and all others with a known {n} 'high', and count both.",
            "Count the {many} in two groups: 'low' if the {n_quantity} is less than {low_k}, otherwise 'high'.",
            "Show 'low' and 'high' with their number of {many}, where low is {a_n} below {low_k} and high any other.",
            (
                "Group the {many} into 'low' ({n_quantity} under {low_k}) and 'high' (the rest) and give the size of "
                "each group."
            ),
        ),
    ),
    Shape(
        "case_sum",
        "SELECT {g}, SUM(CASE WHEN {n} {op} {k} THEN 1 ELSE 0 END), COUNT(*) FROM {t} GROUP BY {g}",
        (
            "For each {g}, show how many {many} have {n_with} and how many there are in all.",
            "How many of the {many} of each {g} have {n_with}, out of how many? Show {g} and both counts.",
            "Show each {g} with its number of {many} whose {n_is} and its number of all {many}.",
            "Per {g}, count the {many} with {n_with}, also if there are none, and all {many}.",
            "Give every {g}, the number of its {many} that have {n_with}, and the total number of its {many}.",
        ),
    ),
    Shape(
        "percentage",
        "SELECT 100.0 * SUM(CASE WHEN {g} = {v} THEN 1 ELSE 0 END) / COUNT(*) FROM {t}",
        (
            "What percentage of the {many} have the {g} {v}?",
            "What share of all {many}, in percent, has {v} as {g}?",
            "How many percent of the {many} are there whose {g} is {v}?",
            "Give the percentage of {many} with {g} {v}.",
            "Compute in percent how many of the {many} have the {g} {v}.",
        ),
    ),
    Shape(
        "percentage_of_group",
        "SELECT {h}, 100.0 * SUM(CASE WHEN {g} = {v} THEN 1 ELSE 0 END) / COUNT(*) FROM {t} GROUP BY {h} ORDER BY {h}",
        (
            "What percentage of the {many} of each {h} have the {g} {v}? Sort by {h}.",
            "For each {h}, in order of {h}, show which share of its {many}, in percent, has {v} as {g}.",
            "Show every {h} and the percentage of its {many} whose {g} is {v}, sorted by {h}.",
            "Per {h}, how many percent of the {many} have the {g} {v}? Order by {h}.",
            "List the {h_s} alphabetically, each with the percentage of its {many} that have {g} {v}.",
        ),
    ),
    Shape(
        "case_pivot",
        "SELECT {h}, SUM(CASE WHEN {g} = {v} THEN 1 ELSE 0 END), SUM(CASE WHEN {g} = {w} THEN 1 ELSE 0 "
        "END) FROM {t} GROUP BY {h} ORDER BY {h}",
        (
            "For each {h}, how many {many} have the {g} {v} and how many the {g} {w}? Sort by {h}.",
            "Show every {h}, in order, with two counts of its {many}: those with the {g} {v} and those with {w}.",
            "Count the {many} with {g} {v} and, in a second column, those with {g} {w}, per {h} and sorted by {h}.",
            (
                "List the {h_s} alphabetically with their number of {many} whose {g} is {v} and their number whose "
                "{g} is {w}."
            ),
            "Per {h}, put the number of {many} with {v} as {g} beside the number with {w} as {g}, ordered by {h}.",
        ),
    ),
    Shape(
        "case_join",
        "SELECT {up}.{up.l}, SUM(CASE WHEN {t}.{x} = {v} THEN 1 ELSE 0 END) FROM {t} JOIN {up} ON "
        "{up.on} WHERE {up}.{up.n} {up.op} {up.k} GROUP BY {up}.{up.l}",
        (
            (
                "For each {up.one} with {up.n_with} that has {many}, show the {up.l} and how many of them have the "
                "{x} {v}, even 0."
            ),
            (
                "How many {many} with the {x} {v} does each {up.one} with {up.n_with} have? Show the {up.l}; leave "
                "out {up.many} without any {many}."
            ),
            (
                "Take the {up.many} whose {up.n_is} and that have {many}: give the {up.l} and the number of their "
                "{many} whose {x} is {v}, which may be 0."
            ),
            (
                "Show the {up.l} of every {up.one} with {up.n_with} and at least one {one}, with its number of "
                "{many} that have {v} as {x}."
            ),
            (
                "Count, for each {up.one} that has {up.n_with} and some {many}, those with {x} {v}, 0 included, and "
                "name the {up.one} by {up.l}."
            ),
        ),
    ),
)
