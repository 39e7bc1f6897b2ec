"""Years, months and ranges of dates."""

from tools.dataset.shapes.shape import Shape

DATING = (
    Shape(
        "date_year",
        "SELECT {a} FROM {t} WHERE STRFTIME('%Y', {e}) = '{year}'",
        (
            "What are the {a_s} of the {many} whose {e} is in {year}?",
            "List the {a} of all {many} with {a_e} in the year {year}.",
            "Show the {a} of every {one} whose {e} falls in {year}.",
            "Find the {a} of each {one} with {a_e} in {year}.",
            "Give the {a_s} of the {many} that have {a_e} from {year}.",
        ),
    ),
    Shape(
        "date_count_month",
        "SELECT COUNT(*) FROM {t} WHERE STRFTIME('%Y-%m', {e}) = '{year}-{month}'",
        (
            "How many {many} have {a_e} in {month_name} {year}?",
            "Count the {many} whose {e} is in {month_name} {year}.",
            "What is the number of {many} with {a_e} in {month_name} of the year {year}?",
            "How many {many} are there whose {e} falls in {month_name} {year}?",
            "Tell me how many {many} have {a_e} dated {month_name} {year}.",
        ),
    ),
    Shape(
        "date_range",
        "SELECT {a} FROM {t} WHERE {e} BETWEEN '{day}' AND '{day2}'",
        (
            "What are the {a_s} of the {many} whose {e} is from {day} to {day2}?",
            "List the {a} of all {many} with {a_e} between {day} and {day2}.",
            "Show the {a} of every {one} whose {e} falls between {day} and {day2}.",
            "Find the {a} of each {one} with {a_e} not before {day} and not after {day2}.",
            "Give the {a_s} of the {many} that have {a_e} from {day} until {day2}.",
        ),
    ),
    Shape(
        "date_per_year",
        "SELECT STRFTIME('%Y', {e_full}), COUNT(*) FROM {t} GROUP BY STRFTIME('%Y', {e_full})",
        (
            "How many {many} are there for each year of the {e}?",
            "Count the {many} per year of their {e}.",
            "Show each year with the number of {many} whose {e} is in it.",
            "For every year, give the number of {many} with {a_e} in that year, if there are any.",
            "What is the number of {many} by the year of the {e}?",
        ),
        1.5,
    ),
    Shape(
        "date_per_month",
        "SELECT STRFTIME('%m', {e}), COUNT(*) FROM {t} WHERE STRFTIME('%Y', {e}) = '{year}' GROUP BY "
        "STRFTIME('%m', {e})",
        (
            "How many {many} have {a_e} in each month of {year}? Write the month with two digits.",
            "Count the {many} with {a_e} in {year} per month, and give the months as 01 to 12.",
            "For every month of {year}, as two digits, show the number of {many} whose {e} is in it, if there are any.",
            "Show the two-digit month and the number of {many} for the {e_s} in {year}.",
            "What is the number of {many} by month of the {e} in {year}, with months from 01 to 12?",
        ),
    ),
    Shape(
        "date_busiest",
        "SELECT STRFTIME('%Y-%m', {e_full}) FROM {t} GROUP BY STRFTIME('%Y-%m', {e_full}) "
        "ORDER BY COUNT(*) DESC LIMIT 1",
        (
            "In which month of which year do the most {many} have their {e}? Write it as YYYY-MM.",
            "Which month, written like 2024-05, has the most {many} by {e}?",
            "Find the year and month (YYYY-MM) with the highest number of {many} by their {e}.",
            "What is the busiest month by the {e} of the {many}, as YYYY-MM?",
            "Show the month, in the form YYYY-MM, in which the {e} of most {many} lies.",
        ),
    ),
    Shape(
        "date_busiest_year",
        "SELECT STRFTIME('%Y', {e_full}) FROM {t} WHERE {x} = {v} GROUP BY STRFTIME('%Y', {e_full}) ORDER BY "
        "COUNT(*) DESC LIMIT 1",
        (
            "Which year of the {e} has the most {many} with the {x} {v}?",
            "In which year is the {e} of the most {many} whose {x} is {v}?",
            "Find the year with the highest number of {many} with {x} {v}, by their {e}.",
            "Looking at the {e} of {many} that have {v} as {x}, which year comes up most often?",
            "Show the year in which the most {many} with the {x} {v} have their {e}.",
        ),
    ),
    Shape(
        "date_latest_of_group",
        "SELECT {g}, MAX({e}) FROM {t} GROUP BY {g}",
        (
            "What is the latest {e} of the {many} for each {g}?",
            "Show each {g} with the most recent {e} of its {many}.",
            "For every {g}, give the latest {e} among the {many}.",
            "Find the last {e} of the {many} per {g}.",
            "List the {g_s} and the latest {e} of the {many} of each.",
        ),
        1.5,
    ),
    Shape(
        "date_year_order",
        "SELECT {a}, {e} FROM {t} WHERE STRFTIME('%Y', {e}) = '{year}' AND {x} = {v} ORDER BY {e}",
        (
            "Show the {a} and {e} of the {many} with the {x} {v} whose {e} is in {year}, the earliest first.",
            "List the {a} and the {e} of all {many} whose {x} is {v} and whose {e} is in {year}, sorted by {e}.",
            "Which {many} with {x} {v} have {a_e} in {year}? Give {a} and {e} in the order of the {e}.",
            "Give the {a} and {e} of every {one} with {v} as {x} and {a_e} in {year}, from earliest to latest.",
            "In the order of their {e}, show {a} and {e} of the {many} with {x} {v} from the year {year}.",
        ),
    ),
    Shape(
        "date_parent_year",
        "SELECT {up}.{up.l}, COUNT(*) FROM {t} JOIN {up} ON {up.on} WHERE STRFTIME('%Y', {t}.{e}) = "
        "'{year}' GROUP BY {up}.{up.l}",
        (
            (
                "How many {many} with {a_e} in {year} does each {up.one} have? Show the {up.l}, and leave out those "
                "without."
            ),
            "For each {up.one} with {many} in {year} by {e}, show the {up.l} and their number.",
            "Count the {many} whose {e} is in {year} per {up.one} that has any, and show the {up.l}.",
            "Show the {up.l} of every {up.one} and how many of its {many} have {a_e} in {year}, if any.",
            (
                "Looking only at {many} with {a_e} in the year {year}, how many are there for each {up.one}? Give "
                "the {up.l}."
            ),
        ),
    ),
    Shape(
        "date_first",
        "SELECT {a} FROM {t} WHERE {e} = (SELECT {e_f}({e}) FROM {t})",
        (
            "What is the {a} of the {one} with the {e_end} {e}? Show all if several share it.",
            "List the {a} of every {one} whose {e} is the {e_end} of all.",
            "Show the {a} of the {one} or {many} with the {e_end} {e}.",
            "Find the {a} of each {one} that has the {e_end} {e}, ties included.",
            "Which {many} have the {e_end} {e}? Give the {a} of all of them.",
        ),
    ),
    Shape(
        "date_same_year",
        "SELECT {l} FROM {t} WHERE STRFTIME('%Y', {e}) = (SELECT STRFTIME('%Y', {e}) FROM {t} WHERE {l} = {q})",
        (
            "Which {many} have their {e} in the same year as {q}, itself included?",
            "List all {many} whose {e} is in the year of the {e} of {q}, with {q} among them.",
            "Show the {l} of every {one} with {a_e} in the same year as {q}, also {q}.",
            "Find the {many}, {q} included, whose {e} falls in the same year as that of {q}.",
            "In the year of the {e} of {q}, which {many} have their {e}? Keep {q} in the list.",
        ),
        1.5,
    ),
    Shape(
        "date_average_year",
        "SELECT STRFTIME('%Y', {e_full}), {avg}({n}) FROM {t} GROUP BY STRFTIME('%Y', "
        "{e_full}) ORDER BY STRFTIME('%Y', {e_full})",
        (
            "What is the average {n_quantity} of the {many} for each year of the {e}? Sort by year.",
            "Show each year of the {e}, from the earliest, with the average {n_quantity} of its {many}.",
            "For every year by {e}, give the average {n_quantity} of the {many}, in the order of the years.",
            "Compute the average {n_quantity} of the {many} per year of their {e}, earliest year first.",
            "List the years of the {e} in ascending order, each with the average {n_quantity} of the {many}.",
        ),
    ),
)
