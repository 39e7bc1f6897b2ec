"""Values at the edges of a query's conditions, where a query that is nearly the same gives another answer."""

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


def literals_by_column(tree: "exp.Expr") -> dict[str, list[str]]:
    """The literals that a query compares each column with, by its name in lower case, whatever table it is of."""
    from sqlglot import exp

    found: dict[str, list[str]] = defaultdict(list)
    meant = {
        each.alias.lower(): {c.name.lower() for c in each.find_all(exp.Column)} for each in tree.find_all(exp.Alias)
    }
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.In, exp.Between):
        literals = [("-" if isinstance(x.parent, exp.Neg) else "") + x.name for x in node.find_all(exp.Literal)]
        for name in {column.name.lower() for column in node.find_all(exp.Column)}:
            for each in meant.get(name) or {name}:
                found[each] += literals
    return found


def joined_columns(tree: "exp.Expr") -> dict[str, str]:
    """What each ``table.column``, in lower case, must equal in a join or a correlated subquery."""
    from sqlglot import exp

    tables = {table.alias_or_name.lower(): table.name for table in tree.find_all(exp.Table)}
    found: dict[str, str] = {}
    for node in tree.find_all(exp.EQ):
        if isinstance(node.this, exp.Column) and isinstance(node.expression, exp.Column):
            sides = (node.this, node.expression)
            left, right = (f"{tables.get(side.table.lower(), side.table)}.{side.name}".lower() for side in sides)
            found |= {left: right, right: left}
    return found


def near(literal: str, like: object) -> list[object]:
    """The literal and its neighbours as values of a column that holds values ``like`` this one; its type is kept."""
    try:
        if isinstance(like, int):
            return [int(float(literal)) + step for step in (0, 1, -1)]
        if isinstance(like, float):
            return [float(literal) + step for step in (0, 1, -1, 0.5, -0.5)]
    except (ValueError, OverflowError):
        return []
    bare = literal.strip("%")
    if not isinstance(like, str):
        return []
    try:
        day = date.fromisoformat(like[:10])
    except ValueError:
        return [bare, bare.swapcase(), f"{bare} x", f"x {bare}", f"x {bare} x"]
    return [each.isoformat() + like[10:] for each in _days_near(bare, day)]


def _days_near(literal: str, like: date) -> list[date]:
    """Days inside and just outside of what a literal means by its length: a day, a month of a year, a year, a month."""
    try:
        if len(literal) == 4:
            first = date(int(literal), 1, 1)
            return [first, first - timedelta(1), first.replace(month=12, day=31), first.replace(year=first.year + 1)]
        if len(literal) == 10:
            return [date.fromisoformat(literal) + timedelta(step) for step in (0, 1, -1)]
        first = date.fromisoformat(f"{literal}-01") if len(literal) == 7 else like.replace(month=int(literal), day=1)
        return [first, first - timedelta(1), first + timedelta(27), first + timedelta(32)]
    except (ValueError, OverflowError):
        return []
