"""What remains of a query's text without what stands around it, values, ways of writing, and names.

All read sqlglot's tokens and not its tree: a fifth of the time, and a query that does not parse still has them.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

KEYWORDS = frozenset(
    """
    ALL AND AS ASC BETWEEN BY CASE CAST COLLATE CROSS CURRENT DESC DISTINCT ELSE END ESCAPE EXCEPT EXCLUDE EXISTS FILTER
    FIRST FOLLOWING FROM FULL GLOB GROUP GROUPS HAVING IN INNER INTERSECT IS ISNULL JOIN LAST LEFT LIKE LIMIT NATURAL
    NOT NOTNULL NULL NULLS OFFSET ON OR ORDER OUTER OVER PARTITION PRECEDING RANGE RECURSIVE REGEXP RIGHT ROW ROWS
    SELECT THEN UNBOUNDED UNION USING VALUES WHEN WHERE WINDOW WITH
    """.split()
)
_OPERATORS = {"==": "=", "!=": "<>"}
_COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">=", "LIKE", "GLOB", "BETWEEN"))
_NAME, _VALUE = "_", "?"
_VALUES = re.compile(
    r"""(?P<kept>"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|[xX]'[^']*')|'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b"""
)


def clean_query(query: str) -> str:
    """A query without spaces and semicolons at its ends; inside, spaces may be data."""
    return query.strip().rstrip("; \t\r\n")


def canonical(query: str) -> str:
    """The query in one way of writing: keywords in capitals, names in small letters, one space, no comment.

    Two queries with the same canonical form are the same query; the reverse does not hold (``a AND b``, ``b AND a``).
    """
    return " ".join(text for _, text in _parts(query))


def skeleton(query: str) -> str:
    """The query's shape: names are ``_``, values are ``?``, aliases are gone.

    ``SELECT T1.name FROM shop AS T1 WHERE T1.city = 'Lyon'`` is ``SELECT _ FROM _ WHERE _ = ?``.
    """
    # A dataset's queries differ mostly in their values, so without these few are read.
    return _skeleton(_VALUES.sub(lambda found: found["kept"] or ("'x'" if found[0].startswith("'") else "1"), query))


@lru_cache(maxsize=20_000)
def _skeleton(query: str) -> str:
    return " ".join(_without_names(_parts(query)))


def _parts(query: str) -> list[tuple[str, str]]:
    """Every token as (kind, canonical text); kinds are ``word``, ``name``, ``value`` and ``call``."""
    from sqlglot import tokenize
    from sqlglot.errors import SqlglotError

    try:
        tokens = tokenize(query, read="sqlite")
    except SqlglotError:  # an open quote, say; the syntax check reports it
        return [("word", word) for word in query.split()]
    parts: list[tuple[str, str]] = []
    for place, token in enumerate(tokens):
        following = tokens[place + 1].text if place + 1 < len(tokens) else ""
        parts.append(_part(token, query, parts[-1][1] if parts else "", following))
    while parts and parts[-1][1] == ";":
        parts.pop()
    return parts


def _part(token: "Token", query: str, before: str, following: str) -> tuple[str, str]:
    kind, text = token.token_type.name, token.text
    if kind in ("NUMBER", "HEX_STRING"):
        return "value", text
    # Spider writes values in double quotes, which SQLite takes for values where no such column is.
    quoted = kind == "IDENTIFIER" and query[token.start : token.start + 1] == '"'
    if kind == "STRING" or (quoted and before in _COMPARISONS and following != "."):
        return "value", "'{}'".format(text.replace("'", "''"))
    if kind == "IDENTIFIER":
        return "name", text.lower() if text.isidentifier() else f'"{text.lower()}"'
    first = text.split(" ", 1)[0].upper()
    if not (first[:1].isalpha() or first[:1] == "_"):
        return "word", _OPERATORS.get(text, text)
    if first in KEYWORDS:
        return "word", " ".join(text.upper().split())
    return ("call", text.upper()) if following == "(" else ("name", text.lower())


def _without_names(parts: list[tuple[str, str]]) -> Iterator[str]:
    """The skeleton's words: ``table.column`` is one name, and an alias, with or without AS, is none."""
    before = ""
    for (kind, text), (following, _) in zip(parts, [*parts[1:], ("", "")], strict=False):
        if kind == "word" and (text == "." or (text == "AS" and following == "name")):
            before = text
        elif kind == "name" and before in (".", "AS", _NAME, _VALUE, ")"):
            before = _NAME
        else:
            before = {"name": _NAME, "value": _VALUE}.get(kind, text)
            yield before
