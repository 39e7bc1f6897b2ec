"""What a query's text alone tells: whether it parses, and whether its answer depends on the data at all.

Queries that differ in their values only parse alike, so each pattern is parsed once.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from course_utils.data.finding import Problem, quoted
from course_utils.data.hardness import parse
from course_utils.errors import QueryError

if TYPE_CHECKING:
    from sqlglot import exp

_VALUES = re.compile(r"""(?P<name>"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*)|'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b""")


@dataclass(frozen=True)
class Reading:
    """What sqlglot reads in a query."""

    fault: str = ""
    """Why it does not parse; empty if it does."""
    constant: str = ""
    """Why its answer is the same whatever the tables hold; empty if it is not."""
    ordered: bool = False
    """Whether the outermost query asks for an order."""


def pattern(query: str) -> str:
    """The query with 'x' for every string and 1 for every number."""
    return _VALUES.sub(lambda found: found["name"] or ("'x'" if found[0].startswith("'") else "1"), query)


def read_syntax(query: str) -> Reading:
    """Parse a query, or take what is known of another with the same pattern."""
    reading = _read(pattern(query))
    return _read(query) if reading.fault else reading  # the evidence must quote the query itself


@lru_cache(maxsize=20_000)
def _read(query: str) -> Reading:
    try:
        tree = parse(query)
        return Reading(constant=_why_constant(tree), ordered=tree.args.get("order") is not None)
    except QueryError as error:
        return Reading(fault=str(error).removeprefix("does not parse (").partition("): ")[0])
    except RecursionError:
        return Reading(fault="nested too deeply to parse")


def _why_constant(tree: "exp.Expr") -> str:
    from sqlglot import exp

    if not isinstance(tree, exp.Query | exp.Values):
        return ""
    if tree.find(exp.Table) is None:
        return "it reads no table"
    selects = getattr(tree, "selects", [])
    if selects and not any(_depends(expression) for expression in selects) and tree.find(exp.SetOperation) is None:
        return "it selects literal values only"
    return ""


def _depends(expression: "exp.Expr") -> bool:
    """Whether an expression of the SELECT list can differ from row to row or table to table."""
    from sqlglot import exp

    return expression.find(exp.Column, exp.Star, exp.AggFunc, exp.Query, exp.Window) is not None


def syntax_problems(reading: Reading, error: str) -> list[Problem]:
    """Queries that are no SQL.

    Args:
        reading: What sqlglot read.
        error: What SQLite said; empty if it ran the query. SQLite has the last word, being what runs it.
    """
    if reading.fault and not error:
        fix = "SQLite runs it; its difficulty and skeleton stay unknown, so write it more plainly if you can"
        return [Problem("syntax", "note", f'"query" does not parse with sqlglot ({reading.fault})', fix)]
    if reading.fault or is_syntax_error(error):
        why = error or reading.fault
        return [Problem("syntax", "error", f'"query" does not parse ({why})', "correct the SQL or remove the row")]
    return []


def is_syntax_error(error: str) -> bool:
    """Whether SQLite refused to parse a query, rather than to run it."""
    signs = ("syntax error", "incomplete input", "unrecognized token", "one statement at a time")
    return any(sign in error for sign in signs)


def constant_problem(reading: Reading, query: str) -> Problem | None:
    """A query that answers without looking teaches guessing."""
    if not reading.constant:
        return None
    reason = f"the result is constant: {reading.constant} ({quoted(query)})"
    return Problem("constant-result", "warning", reason, "ask the tables, or mark the row answerable: false")
