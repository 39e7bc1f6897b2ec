"""Forms of a query: one spelling of its text, its skeleton without names and values, its shape and its hardness.

The first three use tokens, not sqlglot's tree, because that takes a fifteenth of the time and works for queries that
do not parse. Spider's hardness uses the tree.
"""

import logging
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import dropwhile
from typing import TYPE_CHECKING

from course_utils.errors import QueryError

if TYPE_CHECKING:
    from sqlglot import exp

KEYWORDS = frozenset(
    """
    ALL AND AS ASC BETWEEN BY CASE CAST COLLATE CROSS CURRENT DESC DISTINCT ELSE END ESCAPE EXCEPT EXCLUDE EXISTS FILTER
    FIRST FOLLOWING FROM FULL GLOB GROUP GROUPS HAVING IN INNER INTERSECT IS ISNULL JOIN LAST LEFT LIKE LIMIT NATURAL
    NOT NOTNULL NULL NULLS OFFSET ON OR ORDER OUTER OVER PARTITION PRECEDING RANGE RECURSIVE REGEXP RIGHT ROW ROWS
    SELECT THEN UNBOUNDED UNION USING VALUES WHEN WHERE WINDOW WITH
    """.split()
)
SHAPES = {
    "several queries": r"\bSELECT\b.*\bSELECT\b",
    "join": r"\bJOIN\b",
    "groups": r"\bGROUP BY\b",
    "aggregate": r"\b(?:COUNT|SUM|AVG|MIN|MAX) \(",
    "one table": "",
}
"""Names of a query's shape by the first pattern that its skeleton matches, from the hardest shape on."""
_OPERATORS = {"==": "=", "!=": "<>"}
_COMPARISONS = frozenset("= == != <> < <= > >= LIKE GLOB REGEXP MATCH IS BETWEEN".split())
_STILL_COMPARED = frozenset("( NOT UPPER LOWER TRIM".split())
_NAME, _VALUE = "_", "?"
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*[\s\S]*?(?:\*/|\Z))|(?P<value>[xX]?'(?:[^']|'')*'|\d[\d.]*(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<quoted>"(?:[^"]|"")*"|`[^`]*`|\[[^][]*\])|(?P<word>\w+)|(?P<sign>->>?|<<|>>|<>|[<>=!]=|\|\||\S)""",
    re.VERBOSE,
)


def clean_query(query: str) -> str:
    """Strip spaces and semicolons at both ends; spaces inside may be data."""
    return query.strip().strip("; \t\r\n")


def canonical(query: str) -> str:
    """Normalise a query's spelling: keywords in upper case, names in lower case, single spaces, no comments.

    Queries with the same form are the same query, unless one compares with the column ``"x"`` and the other with the
    text ``'x'``. Equal queries may have different forms: ``a AND b``, ``b AND a``.
    """
    return " ".join(text for _, text in _parts(query))


def shape_of(query: str) -> str:
    """The first of ``SHAPES`` that the query's skeleton matches."""
    return next(name for name, pattern in SHAPES.items() if re.search(pattern, skeleton(query)))


@lru_cache(maxsize=1024)
def has_top_level_order(query: str) -> bool:
    """Whether the first statement has an ORDER BY outside all parentheses."""
    depth = 0
    for kind, text in _parts(query) if "order" in query.lower() else ():
        if kind == "word":
            depth += (text == "(") - (text == ")")
            if depth == 0 and text in ("ORDER", ";"):
                return text == "ORDER"
    return False


@lru_cache(maxsize=20_000)
def skeleton(query: str) -> str:
    """The query's structure: names become ``_``, values ``?``, and aliases are removed.

    ``SELECT T1.name FROM shop AS T1 WHERE T1.city = 'Lyon'`` becomes ``SELECT _ FROM _ WHERE _ = ?``.
    """
    return " ".join(_without_names(_parts(query)))


def _parts(query: str) -> list[tuple[str, str]]:
    """Every token as (kind, canonical text); kinds are ``word``, ``name``, ``value`` and ``call``."""
    tokens = [(kind, found[0]) for kind, found in read_tokens(query) if kind != "comment"]
    tokens = [*dropwhile(lambda token: token[1] == ";", tokens)]
    parts: list[tuple[str, str]] = []
    for (kind, text), (_, following) in zip(tokens, [*tokens[1:], ("", "")], strict=False):
        if kind == "word":
            is_keyword = text.upper() in KEYWORDS
            called = ("call", text.upper()) if following == "(" else ("name", text.lower())
            parts.append(("word", text.upper()) if is_keyword else called)
        elif kind == "quoted":
            name = text[1:-1].replace('""', '"').lower()
            parts.append(("name", name if name.isidentifier() else f'"{name}"'))
        else:
            parts.append((kind, text_literal(kind, text)) if kind == "value" else ("word", _OPERATORS.get(text, text)))
    while parts and parts[-1][1] == ";":
        parts.pop()
    return parts


def read_tokens(query: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Every token with its kind: ``comment``, ``value``, ``quoted`` for a name in quotes, ``word`` or ``sign``.

    In SQL, double quotes enclose a column's name; SQLite reads them as a text if there is no such column. Here they are
    a ``value`` if something is compared with them: after an operator, BETWEEN or its AND, or in the list of IN, because
    Spider writes its texts that way.
    """
    before, is_compared, is_between, lists = "", False, False, [False]  # lists: for each open "(", whether it is IN's
    has_quotes = '"' in query  # most queries have none and skip the rest of the loop
    for found in _TOKEN.finditer(query):
        kind, text = str(found.lastgroup), found[0].upper()
        is_text = kind == "quoted" and text[0] == '"' and is_compared and query[found.end() : found.end() + 1] != "."
        yield "value" if is_text else kind, found
        if kind == "comment" or not has_quotes:
            continue
        if text == "(":
            lists.append(before == "IN")
        elif text == ")":
            lists = lists[:-1] or [False]
        elif text == "SELECT":
            lists[-1] = False
        stays = (lists[-1] and text in ("(", ",")) or (is_between and text == "AND")
        is_compared = stays or text in _COMPARISONS or (is_compared and text in _STILL_COMPARED)
        is_between = text == "BETWEEN" or (is_between and text != "AND")
        before = text


def rewrite(query: str, change: Callable[[str, str], str]) -> str:
    """Replace each token by ``change(kind, token)``; the spaces between tokens stay."""
    texts, end = list[str](), 0
    for kind, found in read_tokens(query):
        texts += query[end : found.start()], change(kind, found[0])
        end = found.end()
    return "".join([*texts, query[end:]])


def text_literal(kind: str, token: str) -> str:
    """Turn a text in double quotes, which only SQLite accepts, into one in single quotes; other tokens stay."""
    is_text = kind == "value" and token[0] == '"'
    return "'{}'".format(token[1:-1].replace('""', '"').replace("'", "''")) if is_text else token


def _without_names(parts: list[tuple[str, str]]) -> Iterator[str]:
    """The skeleton's words: ``table.column`` is one name, and an alias, with or without AS, is dropped."""
    before = ""
    for (kind, text), (following, _) in zip(parts, [*parts[1:], ("", "")], strict=False):
        if kind == "word" and (text == "." or (text == "AS" and following == "name")):
            before = text
        elif kind == "name" and before in (".", "AS", _NAME, _VALUE, ")"):
            before = _NAME
        else:
            before = {"name": _NAME, "value": _VALUE}.get(kind, text)
            yield before


# Spider's hardness


def hardness(query: str) -> str:
    """Spider's level of a query: easy, medium, hard or extra, by the number of its parts.

    The rules are those of ``eval_hardness`` in Spider's ``evaluation.py`` (https://github.com/taoyds/spider; Yu et al.
    2018, arXiv 1809.08887), applied to sqlglot's tree, which knows more of SQLite's functions. As in Spider, only the
    parts of the outermost SELECT count, and window functions (``OVER``) do not.

    Raises:
        QueryError: The query does not parse as SQLite, or is not a SELECT.
    """
    components, others, nested = count_parts(query)
    if components <= 1 and others == 0 and nested == 0:
        return "easy"
    if nested == 0 and ((others <= 2 and components <= 1) or (components <= 2 and others < 2)):
        return "medium"
    if (nested == 0 and ((others > 2 and components <= 2) or (2 < components <= 3 and others <= 2))) or (
        components <= 1 and others == 0 and nested <= 1
    ):
        return "hard"
    return "extra"


def count_parts(query: str) -> tuple[int, int, int]:
    """Spider's three counts of the outermost SELECT: component 1, others, component 2 (nested queries).

    Raises:
        QueryError: The query does not parse as SQLite, or is not a SELECT.
    """
    from sqlglot import exp

    tree = parse(query)
    n_nested = 0
    while isinstance(tree, exp.SetOperation):
        tree, n_nested = tree.this, n_nested + 1
    if not isinstance(tree, exp.Select):
        raise QueryError("not a SELECT", "syntax")
    joins = tree.args.get("joins") or []
    places = [tree.args.get("where"), tree.args.get("having"), *(join.args.get("on") for join in joins)]
    conditions = [*_outermost(*places)]
    n_components = len(joins) + sum(bool(tree.args.get(name)) for name in ("where", "group", "order", "limit"))
    n_components += sum(isinstance(node, exp.Or | exp.Like) for node in conditions)
    n_nested += sum(isinstance(node, exp.Select | exp.SetOperation) for node in conditions)
    return n_components, _count_others(tree), n_nested


def _count_others(tree: "exp.Select") -> int:
    """Spider's count of others, 0 to 4: one each for more than one aggregate, column, condition in WHERE and group.

    As in Spider's code, a negated condition counts as an aggregate, and so does a connective in HAVING.
    """
    from sqlglot import exp

    groups, keys = (tree.args[name].expressions if tree.args.get(name) else [] for name in ("group", "order"))
    in_where, in_having = ([*_outermost(tree.args.get(name))] for name in ("where", "having"))
    n_aggregates = sum(expression.find(exp.AggFunc) is not None for expression in (*tree.expressions, *keys))
    n_aggregates += sum(isinstance(node, exp.Not) for node in (*in_where, *in_having))
    n_aggregates += sum(isinstance(node, exp.Connector) for node in in_having)
    has_connective = any(isinstance(node, exp.Connector) for node in in_where)
    return (n_aggregates > 1) + (len(tree.expressions) > 1) + has_connective + (len(groups) > 1)


def _outermost(*conditions: "exp.Expr | None") -> Iterator["exp.Expr"]:
    """All nodes of the conditions; a nested query is included, but not its own nodes."""
    from sqlglot import exp

    for condition in filter(None, conditions):
        yield from condition.walk(prune=lambda node: isinstance(node, exp.Select | exp.SetOperation))


def parse(query: str) -> "exp.Expr":
    """Parse one SQLite query into sqlglot's tree.

    Raises:
        QueryError: The text does not parse as SQLite, or is not exactly one statement.
    """
    import sqlglot

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements that it does not know: SHOW TABLES
    try:
        found = sqlglot.parse(rewrite(query, text_literal), dialect="sqlite")
    except sqlglot.errors.SqlglotError as error:
        raise QueryError(f"sqlglot does not parse it ({str(error).splitlines()[0]})", "syntax") from error
    except RecursionError as error:
        raise QueryError("sqlglot does not parse it (it is nested too deeply)", "syntax") from error
    trees = [tree for tree in found if tree and tree.key != "semicolon"]  # to which it ties a comment
    if len(trees) != 1:
        raise QueryError(f"sqlglot finds {len(trees)} queries in it", "syntax")
    return trees[0]


def tables_read(tree: "exp.Expr") -> list[str]:
    """The table of each mention in a query, in lower case, without those that its WITH clauses define."""
    from sqlglot import exp

    own = {part.alias.lower() for part in tree.find_all(exp.CTE)}
    return [name for table in tree.find_all(exp.Table) if (name := table.name.lower()) not in own]
