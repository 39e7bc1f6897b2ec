"""Window functions that rank: places, and the first of each group."""

from tools.dataset.shapes.shape import Shape

RANKING = (
    Shape(
        "rank",
        "SELECT {l}, RANK() OVER (ORDER BY {n} {down}) FROM {t} WHERE {x} = {v}",
        (
            (
                "Rank the {many} with the {x} {v} by {n_quantity}, the highest first. Show {l} and rank; equal ones "
                "share a rank."
            ),
            "For the {many} whose {x} is {v}, give the {l} and the rank by {n_quantity}, with rank 1 for the highest.",
            (
                "Which rank does each {one} with {x} {v} have by {n_quantity} among these, from the highest down? "
                "Show the {l} too."
            ),
            (
                "Show the {l} of every {one} that has {v} as {x} and its place by {n_quantity}; 1 is the highest "
                "and ties share a place."
            ),
            "List the {many} with {x} {v} and their rank in descending order of {n} (same {n}, same rank).",
        ),
    ),
    Shape(
        "rank_in_group",
        "SELECT {l}, {g}, RANK() OVER (PARTITION BY {g} ORDER BY {n} {down}) FROM {t}",
        (
            "Rank the {many} by {n_quantity} within their {g}, the highest first. Show {l}, {g} and rank.",
            (
                "For each {one}, give the {l}, the {g} and the rank by {n_quantity} within that {g}, with 1 for the "
                "highest."
            ),
            (
                "Which rank does each {one} have by {n_quantity} among those with the same {g}? Show {l}, {g} and "
                "rank, where 1 is the highest."
            ),
            "Show {l}, {g} and the place of every {one} within its {g} by {n} from high to low; ties share a place.",
            "List all {many} with their {g} and their rank inside the {g} in descending order of {n}.",
        ),
    ),
    Shape(
        "rank_in_parent",
        "SELECT {t}.{l}, {up}.{up.l}, RANK() OVER (PARTITION BY {up}.{up.key} ORDER BY {t}.{n} {down}) "
        "FROM {t} JOIN {up} ON {up.on} WHERE {up}.{up.n} {up.op} {up.k} ORDER BY {up}.{up.l}, {t}.{l}",
        (
            (
                "For {up.many} with {up.n_with}, rank the {many} of each by {n_quantity}, the highest first. Show "
                "the {l} of the {one}, the {up.l} of the {up.one} and the rank, sorted by {up.one} and then {one}."
            ),
            (
                "Which rank does each {one} have by {n_quantity} within its {up.one}, if that has {up.n_with}? Give "
                "{one}, {up.one} and rank (1 is the highest), ordered by the {up.l} of the {up.one} and the {l} of "
                "the {one}."
            ),
            (
                "Show {one}, {up.one} and the rank of the {one} by {n_quantity} inside the {up.one}, from 1 for the "
                "highest, for each {up.one} whose {up.n_is}; sort by {up.one}, then {one}."
            ),
            (
                "List the {many} of every {up.one} that has {up.n_with}, the {up.one} and the place of the {one} in "
                "it by {n} from high to low, in alphabetical order of {up.one} and {one}."
            ),
            (
                "Only for {up.many} with {up.n_with}: the {l} of each {one}, the {up.l} of its {up.one} and its "
                "rank there by highest {n_quantity}, sorted by the {up.one} and then the {one}."
            ),
        ),
    ),
    Shape(
        "first_of_group",
        "SELECT {g}, {l} FROM {t} WHERE {key} IN (SELECT {key} FROM (SELECT {key}, ROW_NUMBER() OVER "
        "(PARTITION BY {g} ORDER BY {n} {down}, {l}) AS place FROM {t}) WHERE place <= {few})",
        (
            "For each {g}, which {few} {many} have the highest {n_quantity}? Break ties by {l} and show {g} and {l}.",
            (
                "Show the {g} and {l} of the {few} {many} with the highest {n_quantity} of every {g}; of equal ones "
                "take the first by {l}."
            ),
            (
                "List the top {few} {many} by {n_quantity} within each {g}, with ties in alphabetical order of {l}. "
                "Give {g} and {l}."
            ),
            (
                "Find, per {g}, the {few} {many} that lead by {n_quantity} (alphabetical {l} decides ties) and give "
                "{g} and {l}."
            ),
            "Give {g} and {l} of the first {few} {many} of each {g}, sorted by {n} from high to low and then by {l}.",
        ),
    ),
    Shape(
        "nth_value",
        "SELECT {l} FROM {t} WHERE {n} IN (SELECT {n} FROM (SELECT {n}, DENSE_RANK() OVER (ORDER BY {n} "
        "DESC) AS place FROM {t}) WHERE place = {few})",
        (
            "Which {many} have the {nth} highest {n_quantity}, if equal values count once?",
            "List the {many} whose {n_quantity} is the {nth} highest different value.",
            "Show every {one} with the {nth} largest distinct {n_quantity}.",
            "Find all {many} that share the {nth} highest value of {n}, where each value counts only once.",
            (
                "What are the {l_s} of the {many} at the {nth} highest level of {n_quantity}, counting different "
                "values only?"
            ),
        ),
    ),
    Shape(
        "group_rank",
        "SELECT {g}, COUNT(*), RANK() OVER (ORDER BY COUNT(*) DESC) FROM {t} GROUP BY {g} ORDER BY COUNT(*) DESC, {g}",
        (
            "Rank the {g_s} by their number of {many}. Show {g}, number and rank from the most down, and ties by {g}.",
            (
                "Show each {g}, how many {many} it has and its rank by that number (1 is the most), sorted by rank "
                "and then {g}."
            ),
            (
                "Which rank does each {g} have by its number of {many}? Give {g}, number and rank, from the most to "
                "the fewest, equal ones by {g}."
            ),
            (
                "List the {g_s} with number of {many} and place, the most first; the same number shares a place and "
                "is sorted by {g}."
            ),
            "For every {g}, count the {many} and give the rank of the count, sorted from high to low and then by {g}.",
        ),
    ),
    Shape(
        "latest_of_parent",
        "SELECT {up}.{up.l}, {t}.{a} FROM {t} JOIN {up} ON {up.on} WHERE {t}.{key} IN (SELECT {key} "
        "FROM (SELECT {key}, ROW_NUMBER() OVER (PARTITION BY {up.ref} ORDER BY {e_full} DESC, {key} DESC) AS "
        "place FROM {t}) WHERE place = 1)",
        (
            (
                "For each {up.one}, show the {up.l} and the {a} of its {one} with the latest {e}; if several share "
                "it, the one with the highest {key}."
            ),
            (
                "What is the {a} of the most recent {one}, by {e} and then by highest {key}, of each {up.one}? Show "
                "the {up.l} too."
            ),
            (
                "Show every {up.one} that has {many} by {up.l}, with the {a} of its latest {one} (by {e}, ties by "
                "the highest {key})."
            ),
            (
                "Give the {up.l} of each {up.one} and the {a} of its last {one}: the latest {e}, and of those the "
                "highest {key}."
            ),
            (
                "Find the newest {one} of every {up.one} by {e}, where the highest {key} breaks ties, and give "
                "{up.l} and {a}."
            ),
        ),
    ),
)
