"""Set operations: UNION, INTERSECT and EXCEPT."""

from tools.dataset.shapes.shape import Shape

COMBINING = (
    Shape(
        "union_conditions",
        "SELECT {l} FROM {t} WHERE {x} = {v} UNION SELECT {l} FROM {t} WHERE {n} {op} {k}",
        (
            "Which {many} have the {x} {v}, or {n_with}, or both? Give each {l} once.",
            "List the different {l_s} of the {many} with {x} {v}, together with those of the {many} with {n_with}.",
            "Take all {many} whose {x} is {v} and all {many} whose {n_is}, and show each {l} only once.",
            (
                "Combine the {l_s} of the {many} that have {v} as {x} and of the {many} that have {n_with}, without "
                "repeats."
            ),
            "Show every {l} of {a_one} with {x} {v} or of {a_one} with {n_with}, no {l} twice.",
        ),
    ),
    Shape(
        "union_tables",
        "SELECT {l} FROM {t} UNION SELECT {up.l} FROM {up}",
        (
            "List the {l} of all {many} and the {up.l} of all {up.many} in one list, without repeats.",
            "Show one list with the {l_s} of the {many} and the {up.l_s} of the {up.many}, each only once.",
            "What are all the different {l_s} of {many} and {up.l_s} of {up.many} taken together?",
            "Combine the {l} of every {one} with the {up.l} of every {up.one} into a single list of distinct values.",
            "Give every {l} of {a_one} and every {up.l} of {up.a_one}, all in one column with no duplicates.",
        ),
    ),
    Shape(
        "intersect_groups",
        "SELECT {g} FROM {t} WHERE {n} < {low_k} INTERSECT SELECT {g} FROM {t} WHERE {n} > {high_k}",
        (
            "Which {g_s} have both {many} with {a_n} below {low_k} and {many} with {a_n} above {high_k}?",
            "List every {g} that some {one} with {a_n} under {low_k} shares with {a_one} with {a_n} over {high_k}.",
            (
                "Show the {g_s} of {many} whose {n_quantity} is less than {low_k} that are also {g_s} of {many} whose "
                "{n_quantity} is greater than {high_k}."
            ),
            (
                "Find the {g_s} that occur among {many} with {a_n} lower than {low_k} and also among those with {a_n} "
                "higher than {high_k}."
            ),
            "For which {g_s} is there {a_one} with {a_n} below {low_k} and another with {a_n} above {high_k}?",
        ),
    ),
    Shape(
        "intersect_kids",
        "SELECT {t}.{l} FROM {t} JOIN {kid} ON {kid.on} WHERE {kid}.{kid.x} = {kid.v} INTERSECT SELECT "
        "{t}.{l} FROM {t} JOIN {kid} ON {kid.on} WHERE {kid}.{kid.x} = {kid.w}",
        (
            "Which {many} have both {kid.a_one} with the {kid.x} {kid.v} and one with the {kid.x} {kid.w}?",
            "List the {l} of every {one} with {kid.many} of the {kid.x} {kid.v} and also of the {kid.x} {kid.w}.",
            (
                "Show the {many} that have at least one {kid.one} whose {kid.x} is {kid.v} and another whose "
                "{kid.x} is {kid.w}."
            ),
            "Find each {one} to which {kid.a_one} with {kid.x} {kid.v} belongs as well as one with {kid.x} {kid.w}.",
            "Name the {many} whose {kid.many} include {kid.v} and {kid.w} as {kid.x}.",
        ),
    ),
    Shape(
        "except_groups",
        "SELECT {g} FROM {t} EXCEPT SELECT {g} FROM {t} WHERE {n} {op} {k}",
        (
            "Which {g_s} have no {many} with {n_with}?",
            "List every {g} for which there is no {one} whose {n_is}.",
            "Show the {g_s} of the {many}, except those that occur with {n_with}.",
            "Find the {g_s} that no {one} with {n_with} has.",
            "Take all {g_s} of the {many} and leave out those of {many} with {n_with}.",
        ),
    ),
    Shape(
        "except_kids",
        "SELECT {l} FROM {t} EXCEPT SELECT {t}.{l} FROM {t} JOIN {kid} ON {kid.on} WHERE {kid}.{kid.x} = {kid.v}",
        (
            "Give the {l_s} of all {many}, except those with {kid.a_one} of the {kid.x} {kid.v}.",
            "Take all {many} by {l} and leave out those that have {kid.a_one} whose {kid.x} is {kid.v}.",
            "List the {l} of every {one}, minus the ones with any {kid.one} that has {kid.v} as {kid.x}.",
            "Which {l_s} of {many} remain when those with {kid.a_one} with {kid.x} {kid.v} are removed?",
            "Show all {many} but not those to which {kid.a_one} with the {kid.x} {kid.v} belongs.",
        ),
    ),
    Shape(
        "except_conditions",
        "SELECT {g} FROM {t} WHERE {h} = {hv} EXCEPT SELECT {g} FROM {t} WHERE {h} = {hw}",
        (
            "Which {g_s} do {many} with the {h} {hv} have that no {one} with the {h} {hw} has?",
            "List the {g_s} of {many} whose {h} is {hv}, except those that also occur with the {h} {hw}.",
            "Show every {g} found among {many} with {h} {hv} but not among those with {h} {hw}.",
            "Take the {g_s} of the {many} with {hv} as {h} and remove those of the {many} with {hw} as {h}.",
            "Find the {g_s} that occur with the {h} {hv} but never with the {h} {hw}.",
        ),
        1.5,
    ),
)
