"""Make variants of a gold query: mutants, which one edit makes wrong, and rewrites, which give the same answer."""

from collections.abc import Callable, Iterator

from sqlglot import exp, parse_one

Variant = tuple[str, str]
"""Its kind and the query."""
SWAPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.GTE,
    exp.GTE: exp.GT,
    exp.LT: exp.LTE,
    exp.LTE: exp.LT,
    exp.Max: exp.Min,
    exp.Min: exp.Max,
    exp.Sum: exp.Avg,
    exp.Avg: exp.Sum,
    exp.And: exp.Or,
    exp.Or: exp.And,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
}
MIRRORED = {exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE, exp.EQ: exp.EQ, exp.NEQ: exp.NEQ}
NEGATED = {exp.GT: exp.LTE, exp.LT: exp.GTE, exp.GTE: exp.LT, exp.LTE: exp.GT, exp.EQ: exp.NEQ, exp.NEQ: exp.EQ}


def mutants(query: str, columns: list[str]) -> list[Variant]:
    """Every edit of ``_edits`` at every place, without repeats; ``columns`` are those of the tables that are read."""
    return _apply(query, lambda node: _edits(node, columns))


def rewrites(query: str) -> list[Variant]:
    """Every rule of ``_rules`` at every place: the same answer on every database that keeps to the schema."""
    return _apply(query, _rules)


def _apply(query: str, edits: Callable[[exp.Expr], Iterator[tuple[str, exp.Expr | None]]]) -> list[Variant]:
    tree = parse_one(query, dialect="sqlite")
    found: dict[str, str] = {}
    for place, node in enumerate(tree.walk()):
        for kind, edited in edits(node):
            copy = tree.copy()
            old = [*copy.walk()][place]
            if edited is None:
                old.pop()
            elif old is copy:
                copy = edited
            else:
                old.replace(edited)
            found.setdefault(copy.sql("sqlite"), kind)
    return [(kind, text) for text, kind in found.items() if text != tree.sql("sqlite")]


def _with(node: exp.Expr, **changed: object) -> exp.Expr:
    copy = node.copy()
    for name, value in changed.items():
        copy.set(name, value)
    return copy


def _edits(node: exp.Expr, columns: list[str]) -> Iterator[tuple[str, exp.Expr | None]]:
    if isinstance(node, exp.Join) and not node.args.get("kind"):
        yield (
            ("INNER for LEFT JOIN", _with(node, side=None))
            if node.side
            else ("LEFT for INNER JOIN", _with(node, side="LEFT"))
        )
    if type(node) in SWAPPED:
        kind = "> for >=" if type(node) in (exp.GT, exp.GTE, exp.LT, exp.LTE) else "another operator"
        yield kind, SWAPPED[type(node)](**node.copy().args)
    if isinstance(node, exp.Count):
        if isinstance(node.this, exp.Star):
            yield from (("COUNT(column) for COUNT(*)", exp.Count(this=exp.column(name))) for name in columns[:6])
        else:
            inner = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
            yield "COUNT(*) for COUNT(column)", exp.Count(this=exp.Star())
            other = inner if isinstance(node.this, exp.Distinct) else exp.Distinct(expressions=[inner.copy()])
            yield "DISTINCT", exp.Count(this=other.copy())
    if isinstance(node, exp.Select):
        yield "DISTINCT", _with(node, distinct=None if node.args.get("distinct") else exp.Distinct())
        for part in ("where", "having", "order", "limit"):
            if node.args.get(part):
                yield f"{part} dropped", _with(node, **{part: None})
    if isinstance(node, exp.Order) and isinstance(node.parent, exp.Select) and len(node.expressions) > 1:
        yield "tie-break dropped", exp.Order(expressions=[each.copy() for each in node.expressions[:-1]])
    if isinstance(node, exp.Ordered):
        descending = not node.args.get("desc")
        yield "order turned", exp.Ordered(this=node.this.copy(), desc=descending, nulls_first=not descending)
    if isinstance(node, exp.Literal):
        if node.is_string and not isinstance(node.parent, exp.TimeToStr):
            for text in (node.name.swapcase(), f"{node.name}s", node.name[:-1]):
                yield "another text", exp.Literal.string(text)
        elif not node.is_string and node.name.isdigit():
            for step in (1, -1):
                yield "number +-1", exp.Literal.number(int(node.name) + step)
    if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Literal) and node.expression.is_string:
        yield "LIKE for =", exp.Like(this=node.this.copy(), expression=exp.Literal.string(f"%{node.expression.name}%"))
    if isinstance(node, exp.Like) and node.expression.name.startswith("%"):
        yield "LIKE prefix", exp.Like(this=node.this.copy(), expression=exp.Literal.string(node.expression.name[1:]))
    if isinstance(node, exp.And):
        null_check = any(side.find(exp.Null) for side in (node.this, node.expression))
        kind = "NULL check dropped" if null_check else "condition dropped"
        yield from ((kind, side.copy()) for side in (node.this, node.expression))
    if isinstance(node, exp.Column):
        others = [name for name in columns if name.lower() != node.name.lower()]
        yield from (("another column", exp.column(name, node.table or None)) for name in others[:6])
    if isinstance(node, exp.Union):
        yield "UNION ALL", _with(node, distinct=not node.args.get("distinct"))
    if isinstance(node, exp.Intersect | exp.Except):
        yield "another set operation", exp.Union(**{**node.copy().args, "distinct": True})
    if isinstance(node, exp.Not):
        yield "NOT dropped", node.this.copy()
    if isinstance(node, exp.Group) and len(node.expressions) > 1:
        yield "group dropped", exp.Group(expressions=[each.copy() for each in node.expressions[:-1]])


def _rules(node: exp.Expr) -> Iterator[tuple[str, exp.Expr | None]]:
    copy = node.copy()
    if isinstance(node, exp.And | exp.Or):
        yield "sides swapped", type(node)(this=copy.expression, expression=copy.this)
        opposite = exp.Or if isinstance(node, exp.And) else exp.And
        sides = (exp.Not(this=exp.Paren(this=side.copy())) for side in (node.this, node.expression))
        yield "De Morgan", exp.Not(this=exp.Paren(this=opposite(this=next(sides), expression=next(sides))))
    if isinstance(node, exp.Binary) and type(node) in MIRRORED and not node.find(exp.Select):
        yield "comparison mirrored", MIRRORED[type(node)](this=node.expression.copy(), expression=node.this.copy())
        negated = NEGATED[type(node)](this=node.this.copy(), expression=node.expression.copy())
        yield "comparison negated", exp.Not(this=exp.Paren(this=negated))
    if isinstance(node, exp.GT | exp.GTE) and isinstance(node.this, exp.Count) and node.expression.name.isdigit():
        other, step = (exp.GTE, 1) if isinstance(node, exp.GT) else (exp.GT, -1)
        bound = exp.Literal.number(int(node.expression.name) + step)
        yield "next whole number", other(this=copy.this, expression=bound)
    if isinstance(node, exp.Between):
        low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
        high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
        yield "BETWEEN unfolded", exp.Paren(this=exp.And(this=low, expression=high))
    if isinstance(node, exp.In) and node.expressions:
        cases = (exp.EQ(this=node.this.copy(), expression=each.copy()) for each in node.expressions)
        yield "IN unfolded", exp.Paren(this=exp.or_(*cases))
    if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Literal):
        yield "IN of one", exp.In(this=node.this.copy(), expressions=[node.expression.copy()])
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
        yield "COUNT(1)", exp.Count(this=exp.Literal.number(1))
    if isinstance(node, exp.Select):
        yield from _rules_of_select(node)
    query = node.parent and node.parent.parent
    if isinstance(node, exp.Ordered) and isinstance(query, exp.Query) and query.parent is None:
        for number, each in enumerate(query.selects, 1):
            if each.unalias() == node.this:
                yield "ORDER BY number", _with(node, this=exp.Literal.number(number))
    if isinstance(node, exp.Union) and node.args.get("distinct") and node.parent is None and not node.args.get("order"):
        yield "sides of UNION swapped", _with(node, this=node.expression.copy(), expression=node.this.copy())


def _rules_of_select(node: exp.Select) -> Iterator[tuple[str, exp.Expr | None]]:
    has_order, joins = node.args.get("order"), node.args.get("joins") or []
    if node.parent is None and not has_order:
        yield "in a subquery", exp.select("*").from_(node.copy().subquery("answer"))
        yield "in a WITH", exp.select("*").from_("answer").with_("answer", as_=node.copy())
    if not node.args.get("where"):
        yield "WHERE 1 = 1", node.copy().where("1 = 1")
    if node.args.get("distinct") and not has_order and not node.find(exp.AggFunc, exp.Window):
        keys = [each.unalias().copy() for each in node.expressions]
        yield "GROUP BY for DISTINCT", _with(node, distinct=None, group=exp.Group(expressions=keys))
    is_plain = len(joins) == 1 and not joins[0].side and joins[0].args.get("on") and not node.is_star
    if is_plain and not node.args.get("limit"):
        first = node.args["from_"].this
        swapped = _with(joins[0], this=first.copy())
        yield "tables swapped", _with(node, from_=exp.From(this=joins[0].this.copy()), joins=[swapped])
