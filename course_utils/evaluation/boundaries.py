"""Read from a query's conditions, joins and order which values expose a nearly equal query that is wrong."""

from collections import defaultdict
from datetime import date, timedelta

from sqlglot import exp

MAX_INTEGER = 2**63
"""SQLite's integers are smaller than this."""


def literals_by_column(tree: exp.Expr) -> dict[str, list[str]]:
    """The literals that a query compares each column with, by the column's name in lower case, without its table."""
    found: dict[str, list[str]] = defaultdict(list)
    aliases = tree.find_all(exp.Alias)
    meant = {each.alias.lower(): {c.name.lower() for c in each.find_all(exp.Column)} for each in aliases}
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.In, exp.Between):
        literals = [("-" if isinstance(x.parent, exp.Neg) else "") + x.name for x in node.find_all(exp.Literal)]
        for name in {column.name.lower() for column in node.find_all(exp.Column)}:
            for each in meant.get(name) or {name}:
                found[each] += literals
    return found


def joined_columns(tree: exp.Expr) -> dict[str, str]:
    """For each ``table.column`` of a join or a correlated subquery, the one it must equal; both in lower case."""
    tables = {table.alias_or_name.lower(): table.name for table in tree.find_all(exp.Table)}
    found: dict[str, str] = {}
    for node in tree.find_all(exp.EQ):
        if isinstance(node.this, exp.Column) and isinstance(node.expression, exp.Column):
            sides = (node.this, node.expression)
            left, right = (f"{tables.get(side.table.lower(), side.table)}.{side.name}".lower() for side in sides)
            found |= {left: right, right: left}
    return found


def break_ties(tree: exp.Expr, descending: bool) -> str:
    """The query with all selected columns as last keys of each ORDER BY: only ties make its two directions differ."""
    tree = tree.copy()
    for order in tree.find_all(exp.Order):
        if isinstance(query := order.parent, exp.Query) and not query.is_star:
            for number in range(1, len(query.selects) + 1):
                column = exp.Literal.number(number)
                order.append("expressions", exp.Ordered(this=column, desc=descending, nulls_first=not descending))
    return tree.sql("sqlite")


def near(literal: str, like: object) -> list[object]:
    """The literal and its neighbours, as values of the same type as ``like``, a value of the column; [] if none fit."""
    if isinstance(like, int | float):
        try:
            values = dict.fromkeys(type(like)(float(literal) + step) for step in (0, 1, -1, 0.5, -0.5))
            return [value for value in values if isinstance(value, float) or abs(value) < MAX_INTEGER]
        except (ValueError, OverflowError):
            return []
    bare = literal.strip("%")
    if not isinstance(like, str):
        return []
    try:
        day = date.fromisoformat(like[:10] if like[4:5] == like[7:8] == "-" else "")  # not 20200115 or 2020-W01-1
    except ValueError:
        return [bare, bare.swapcase(), f"{bare} x", f"x {bare}", f"x {bare} x"]
    return [each.isoformat() + like[10:] for each in _days_near(bare, day)]


def _days_near(literal: str, like: date) -> list[date]:
    """Days inside and just outside the period that a literal names: a day, a month of a year, a year, or a month."""
    steps = {10: (0, 1, -1), 4: (0, -1, 364, 365, 366)}.get(len(literal), (0, -1, 27, 32))
    whole = literal + f"{like.year}-01-01"[len(literal) :] if len(literal) > 2 else f"{like.year}-{literal:0>2}-01"
    try:
        return [date.fromisoformat(whole) + timedelta(step) for step in steps]
    except (ValueError, OverflowError):
        return []
