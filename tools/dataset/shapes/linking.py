"""Three and four tables, and a table joined with itself."""

from tools.dataset.shapes.shape import Shape

LINKING = (
    Shape(
        "chain_filter",
        "SELECT {t}.{a} FROM {t} JOIN {up} ON {up.on} JOIN {up2} ON {up2.on} WHERE {up2}.{up2.y} = {up2.r}",
        (
            "What are the {a_s} of the {many} that belong to {up.a_one} of {up2.a_one} with the {up2.y} {up2.r}?",
            "List the {a} of all {many} whose {up.one} belongs to {up2.a_one} with the {up2.y} {up2.r}.",
            "Show the {a} of every {one} whose {up.one} has {up2.a_one} with {up2.r} as {up2.y}.",
            "Find the {a} of each {one} of any {up.one} of the {up2.one} whose {up2.y} is {up2.r}.",
            "Give the {a_s} of the {many} whose {up.one} is one of {up2.a_one} with the {up2.y} {up2.r}.",
        ),
        1.2,
    ),
    Shape(
        "chain_count",
        "SELECT {up2}.{up2.l}, COUNT(*) FROM {t} JOIN {up} ON {up.on} JOIN {up2} ON {up2.on} GROUP BY {up2}.{up2.l}",
        (
            (
                "How many {many} does each {up2.one} have through its {up.many}? Leave out those with none and show "
                "{up2.l} and count."
            ),
            "For each {up2.one} whose {up.many} have {many}, show the {up2.l} and the number of these {many}.",
            "Count the {many} per {up2.one} of their {up.one}, where there are any, and show the {up2.l}.",
            (
                "Show the {up2.l} of every {up2.one} and how many {many} its {up.many} have in total, unless they have "
                "none."
            ),
            "Give the {up2.l} of each {up2.one} with the number of {many} that belong to its {up.many}, if any do.",
        ),
        1.2,
    ),
    Shape(
        "chain_average",
        "SELECT {f}({t}.{n}) FROM {t} JOIN {up} ON {up.on} JOIN {up2} ON {up2.on} WHERE {up2}.{up2.y} = {up2.r}",
        (
            "What is the {f_n} of the {many} whose {up.one} belongs to {up2.a_one} with the {up2.y} {up2.r}?",
            "Find the {f_n} of all {many} of any {up.one} of {up2.a_one} whose {up2.y} is {up2.r}.",
            "Give the {f_n} of the {many} that belong to {up.a_one} of the {up2.one} with {up2.r} as {up2.y}.",
            "Compute the {f_n} over all {many} whose {up.one} has {up2.a_one} with the {up2.y} {up2.r}.",
            "For {up2.many} with the {up2.y} {up2.r}, what is the {f_n} of the {many} of their {up.many}?",
        ),
        1.2,
    ),
    Shape(
        "chain_three",
        "SELECT {t}.{a} FROM {t} JOIN {up} ON {up.on} JOIN {up2} ON {up2.on} JOIN {up3} ON {up3.on} "
        "WHERE {up3}.{up3.y} = {up3.r}",
        (
            (
                "What are the {a_s} of the {many} whose {up.one} belongs to {up2.a_one} of {up3.a_one} with the "
                "{up3.y} {up3.r}?"
            ),
            (
                "List the {a} of all {many} that belong to {up.a_one} whose {up2.one} has {up3.a_one} with the "
                "{up3.y} {up3.r}."
            ),
            (
                "Show the {a} of every {one} of any {up.one} whose {up2.one} belongs to the {up3.one} with {up3.r} "
                "as {up3.y}."
            ),
            (
                "Go from each {one} to its {up.one}, from there to the {up2.one} and its {up3.one}: give the {a} "
                "where the {up3.y} of the {up3.one} is {up3.r}."
            ),
            (
                "Find the {a} of each {one} whose {up.one} has {up2.a_one} that belongs to {up3.a_one} with the "
                "{up3.y} {up3.r}."
            ),
        ),
        2.5,
    ),
    Shape(
        "link_filter",
        "SELECT DISTINCT {t}.{l} FROM {t} JOIN {kid} ON {kid.on} JOIN {far} ON {far.on} WHERE {far}.{far.l} = {far.q}",
        (
            "Which {many} have {kid.a_one} for the {far.one} {far.q}?",
            "List the {l} of every {one} that has {kid.a_one} with the {far.one} {far.q}, each only once.",
            "Name the {many} that are linked to the {far.one} {far.q} by {kid.a_one}.",
            "Show each {one} with at least one {kid.one} for the {far.one} {far.q}.",
            "Find the {many} to which {kid.a_one} of the {far.one} {far.q} belongs.",
        ),
        1.2,
    ),
    Shape(
        "link_attribute",
        "SELECT DISTINCT {t}.{l} FROM {t} JOIN {kid} ON {kid.on} JOIN {far} ON {far.on} WHERE {far}.{far.x} = {far.v}",
        (
            "Which {many} have {kid.a_one} for {far.a_one} with the {far.x} {far.v}?",
            "List the {l} of every {one} that has {kid.a_one} whose {far.one} has the {far.x} {far.v}, each only once.",
            "Name the {many} that are linked by {kid.a_one} to {far.a_one} whose {far.x} is {far.v}.",
            "Show each {one} with at least one {kid.one} for {far.a_one} that has {far.v} as {far.x}.",
            "Find the {many} with {kid.a_one} of any {far.one} whose {far.x} is {far.v}.",
        ),
        1.2,
    ),
    Shape(
        "link_partners",
        "SELECT DISTINCT {far}.{far.l} FROM {far} JOIN {kid} ON {far.on} JOIN {t} ON {kid.on} WHERE {t}.{n} {op} {k}",
        (
            "Which {far.many} have {kid.a_one} for {a_one} with {n_with}?",
            "List the different {far.many} that are linked by {kid.a_one} to {a_one} with {n_with}.",
            "Show the {far.l} of each {far.one} that has at least one {kid.one} for {a_one} whose {n_is}.",
            "Name every {far.one} with {kid.a_one} whose {one} has {n_with}, each only once.",
            "Find the {far.many} that share {kid.a_one} with any {one} that has {n_with}.",
        ),
        1.2,
    ),
    Shape(
        "link_count",
        "SELECT {t}.{l}, COUNT(DISTINCT {kid}.{far.ref}) FROM {t} JOIN {kid} ON {kid.on} GROUP BY {t}.{l}",
        (
            "To how many different {far.many} is each {one} linked by its {kid.many}? Leave out {many} without any.",
            "For each {one} that has {kid.many}, show the {l} and the number of different {far.many} of these.",
            "Show the {l} of every {one} with {kid.many} and how many different {far.many} they are for.",
            "Count the distinct {far.many} in the {kid.many} of each {one} that has any, and show the {l}.",
            "Give each {one} with at least one {kid.one} and its number of different {far.many}.",
        ),
        1.2,
    ),
    Shape(
        "link_chain_filter",
        "SELECT DISTINCT {t}.{l} FROM {t} JOIN {kid} ON {kid.on} JOIN {far} ON {far.on} JOIN {far2} ON "
        "{far2.on} WHERE {far2}.{far2.y} = {far2.r}",
        (
            "Which {many} have {kid.a_one} for {far.a_one} that belongs to {far2.a_one} with the {far2.y} {far2.r}?",
            (
                "List the {l} of every {one} with {kid.a_one} whose {far.one} has {far2.a_one} with the {far2.y} "
                "{far2.r}, each only once."
            ),
            (
                "Name the {many} that are linked by {kid.a_one} to {far.a_one} of the {far2.one} whose {far2.y} is "
                "{far2.r}."
            ),
            (
                "Show each {one} that has at least one {kid.one} for any {far.one} of {far2.a_one} with {far2.r} as "
                "{far2.y}."
            ),
            (
                "Find the different {many} with {kid.a_one} where the {far.one} belongs to {far2.a_one} whose "
                "{far2.y} is {far2.r}."
            ),
        ),
        1.5,
    ),
    Shape(
        "link_chain_count",
        "SELECT {far2}.{far2.l}, COUNT(DISTINCT {t}.{key}) FROM {t} JOIN {kid} ON {kid.on} JOIN {far} "
        "ON {far.on} JOIN {far2} ON {far2.on} GROUP BY {far2}.{far2.l}",
        (
            (
                "How many different {many} have {kid.a_one} for {far.a_one} of each {far2.one}? Show the {far2.l}, "
                "and leave out those with none."
            ),
            (
                "For each {far2.one}, show the {far2.l} and the number of different {many} with {kid.a_one} for one "
                "of its {far.many}, if there are any."
            ),
            (
                "Count the distinct {many} that {kid.many} link to the {far.many} of each {far2.one}, and show the "
                "{far2.l}, where there are any."
            ),
            (
                "Show the {far2.l} of every {far2.one} and how many different {many} are linked to its {far.many} "
                "by {kid.a_one}, unless none are."
            ),
            (
                "Give each {far2.one} with the number of different {many} that its {far.many} have through their "
                "{kid.many}, if they have any."
            ),
        ),
        1.5,
    ),
    Shape(
        "self_pair",
        "SELECT T1.{l}, T2.{l} FROM {t} AS T1 JOIN {t} AS T2 ON T1.{boss.ref} = T2.{key}",
        (
            "For each {one} that has {boss.a_one}, show the {l} of the {one} and of the {boss.one}.",
            "List every {one} together with its {boss.one}; leave out those without one.",
            "Show the {l} of all {many} and the {l} of their {boss.one}, where there is one.",
            "Who or what is the {boss.one} of each {one}? Give both {l_s} and skip {many} without {boss.a_one}.",
            "Give the {l} of each {one} and, next to it, that of its {boss.one}, where it has one.",
        ),
        5,
    ),
    Shape(
        "self_compare",
        "SELECT T1.{l} FROM {t} AS T1 JOIN {t} AS T2 ON T1.{boss.ref} = T2.{key} WHERE T1.{n} {side} T2.{n}",
        (
            "Which {many} have {a_n} {side} that of their {boss.one}?",
            "List the {l} of every {one} whose {n_quantity} is {side} the {n_quantity} of its {boss.one}.",
            "Show the {many} whose {n_quantity} lies {side} that of their {boss.one}.",
            "Find each {one} with {a_n} {side} the one that its {boss.one} has.",
            "Compare each {one} with its {boss.one}: which have {a_n} {side} it?",
        ),
        5,
    ),
    Shape(
        "self_count",
        "SELECT T2.{l}, COUNT(*) FROM {t} AS T1 JOIN {t} AS T2 ON T1.{boss.ref} = T2.{key} GROUP BY T2.{l}",
        (
            "How many {many} is each {boss.one} the {boss.one} of? Show the {l} and the count.",
            "For each {one} that is {boss.a_one}, show the {l} and of how many {many}.",
            "Count the {many} per {boss.one} and show the {l} of the {boss.one}.",
            "Show the {l} of every {boss.one} with the number of {many} that have it.",
            "Give each {boss.one} and how many {many} it is {boss.a_one} for.",
        ),
        5,
    ),
    Shape(
        "self_named",
        "SELECT T1.{l} FROM {t} AS T1 JOIN {t} AS T2 ON T1.{boss.ref} = T2.{key} WHERE T2.{l} = "
        "{boss.q} ORDER BY T1.{l}",
        (
            "Which {many} have {boss.q} as their {boss.one}? Sort them by {l}.",
            "List the {l} of every {one} whose {boss.one} is {boss.q}, in alphabetical order.",
            "Show the {many} with the {boss.one} {boss.q}, ordered by {l}.",
            "Name, from A to Z, the {many} of which {boss.q} is the {boss.one}.",
            "Find all {many} that have {boss.q} for {boss.a_one} and sort them by {l}.",
        ),
        5,
    ),
)
