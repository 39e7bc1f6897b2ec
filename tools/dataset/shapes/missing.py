"""NULL: rows without a value, counts that see it, and parents without children."""

from tools.dataset.shapes.shape import Shape

MISSING = (
    Shape(
        "is_null",
        "SELECT {a} FROM {t} WHERE {o} IS NULL",
        (
            "Show the {a} of all {many} without {a_o}.",
            "What are the {a_s} of the {many} that have no {o}?",
            "List the {a} of every {one} whose {o} is missing.",
            "Find the {a_s} of the {many} whose {o} is not known.",
            "Give the {a} of each {one} that has no {o}.",
        ),
        2.5,
    ),
    Shape(
        "is_not_null",
        "SELECT {a} FROM {t} WHERE {o} IS NOT NULL",
        (
            "Show the {a} of all {many} with a known {o}.",
            "What are the {a_s} of the {many} whose {o} is known?",
            "List the {a} of every {one} whose {o} is not missing.",
            "Find the {a_s} of the {many} that have {a_o}.",
            "Give the {a} of each {one} for which the {o} is known.",
        ),
    ),
    Shape(
        "count_known",
        "SELECT COUNT({o}) FROM {t}",
        (
            "How many {many} have a known {o}?",
            "Count the {many} whose {o} is known.",
            "For how many {many} is the {o} not missing?",
            "What is the number of {many} with a known {o}?",
            "Tell me how many {many} have {a_o} on record.",
        ),
    ),
    Shape(
        "count_missing",
        "SELECT COUNT(*) FROM {t} WHERE {o} IS NULL",
        (
            "How many {many} have no {o}?",
            "Count the {many} whose {o} is missing.",
            "For how many {many} is the {o} not known?",
            "What is the number of {many} without {a_o}?",
            "Tell me how many {many} there are without {a_o}.",
        ),
    ),
    Shape(
        "count_both",
        "SELECT COUNT(*), COUNT({o}) FROM {t}",
        (
            "How many {many} are there, and for how many of them is the {o} known?",
            "Count all {many} and, next to it, those with a known {o}.",
            "Show the number of {many} and the number of {many} whose {o} is not missing.",
            "What is the total number of {many}, and how many of them have {a_o} on record?",
            "Give the count of all {many} and the count of those with a known {o}.",
        ),
    ),
    Shape(
        "coalesce",
        "SELECT {a}, COALESCE({ot}, 'unknown') FROM {t}",
        (
            "Show the {a} and the {ot} of every {one}, with 'unknown' where the {ot} is missing.",
            "List the {a} and {ot} of all {many}; write 'unknown' if there is no {ot}.",
            "What are the {a} and the {ot} of each {one}? Say 'unknown' for a missing {ot}.",
            "For each {one}, give the {a} and the {ot}, or 'unknown' where it has none.",
            "Give the {a} of all {many} with their {ot}, and put 'unknown' in place of a missing {ot}.",
        ),
    ),
    Shape(
        "null_by_group",
        "SELECT {g}, COUNT(*) FROM {t} WHERE {o} IS NULL GROUP BY {g}",
        (
            "How many {many} without {a_o} are there for each {g} that has any?",
            "For every {g}, count the {many} whose {o} is missing, leaving out {g_s} with none.",
            "Show each {g} that has {many} with no {o}, and how many.",
            "Count the {many} that have no {o} per {g}, only where there are some.",
            "Among the {many} whose {o} is not known, how many are there of each {g}?",
        ),
    ),
    Shape(
        "not_or_null",
        "SELECT {a} FROM {t} WHERE {ot} != {otv} OR {ot} IS NULL",
        (
            "What are the {a_s} of the {many} whose {ot} is not {otv} or is missing?",
            "List the {a} of all {many} except those with the {ot} {otv}; keep those with no {ot}.",
            "Show the {a} of every {one} whose {ot} is missing or something other than {otv}.",
            "Find the {a} of each {one} without the {ot} {otv}, including those whose {ot} is not known.",
            "Give the {a} of all {many} that have no {ot} at all or another one than {otv}.",
        ),
    ),
    Shape(
        "count_with_zeros",
        "SELECT {t}.{l}, COUNT({kid}.{kid.key}) FROM {t} LEFT JOIN {kid} ON {kid.on} GROUP BY {t}.{l}",
        (
            "How many {kid.many} does each {one} have? Include {many} with none.",
            "Show the {l} of every {one} and its number of {kid.many}, 0 where it has none.",
            "Count the {kid.many} of each {one}, also of those that have none, and show the {l}.",
            "For all {many}, even those without any {kid.one}, give the {l} and the number of {kid.many}.",
            "List each {one} with how many {kid.many} it has, and 0 for those without.",
        ),
    ),
    Shape(
        "without_kids",
        "SELECT {t}.{l} FROM {t} LEFT JOIN {kid} ON {kid.on} WHERE {kid}.{kid.key} IS NULL",
        (
            "Which {many} have no {kid.one}?",
            "Name the {many} that are without any {kid.many}.",
            "List the {many} to which no {kid.one} belongs.",
            "Show every {one} that has not got a single {kid.one}.",
            "Find the {many} that do not have any {kid.many}.",
        ),
    ),
    Shape(
        "pairs_with_gaps",
        "SELECT {t}.{l}, {up}.{up.l} FROM {t} LEFT JOIN {up} ON {up.on}",
        (
            "Show the {l} of every {one} and the {up.l} of its {up.one}, also of {many} without one.",
            "List all {many} with the {up.l} of their {up.one}, and keep those that have no {up.one}.",
            "For each {one}, even without {up.a_one}, give the {l} and the {up.l} of the {up.one}.",
            "Give every {one} and the {up.l} of the {up.one} it belongs to, empty where there is none.",
            "What is the {up.one} of each {one}? Show both {l} and {up.l}, and leave no {one} out.",
        ),
        1.5,
    ),
    Shape(
        "top_of_tree",
        "SELECT {l} FROM {t} WHERE {boss.ref} IS NULL",
        (
            "Which {many} have no {boss.one}?",
            "List the {l} of every {one} without {boss.a_one}.",
            "Show the {many} that do not have {boss.a_one}.",
            "Name each {one} whose {boss.one} is missing.",
            "Find all {many} that have nobody and nothing as their {boss.one}.",
        ),
        1.5,
    ),
)
