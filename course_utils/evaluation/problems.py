"""Name what is wrong with a query that failed, so that failures can be counted by kind."""

FAILURES = {
    "the query is empty": "empty reply",
    "no such column": "no such column",
    "no such table": "no such table",
    "no such function": "no such function",
    "wrong number of arguments": "no such function",
    "ambiguous column name": "ambiguous column",
    "syntax error": "syntax error",
    "incomplete input": "syntax error",
    "unrecognized token": "syntax error",
    "misuse of": "misused aggregate",
    "do not have the same number of result columns": "unequal parts of a union",
    "one statement at a time": "several statements",
    "not authorized": "not read-only",
    "is not a SELECT": "not a SELECT",
    "prohibited": "not read-only",
    "ran longer than": "too slow",
}
"""What SQLite or ``run_query`` says, and the class it counts under."""

WRONG_ROWS = "wrong rows"
WRONG_ROW_COUNT = "wrong number of rows"
WRONG_COLUMN_COUNT = "wrong number of columns"
SWAPPED_COLUMNS = "columns in another order"
WRONG_ORDER = "rows in another order"


def classify_failure(message: str) -> str:
    """The class of an error message; ``"other error"`` for one that is not in the table."""
    return next((name for phrase, name in FAILURES.items() if phrase in message), "other error")
