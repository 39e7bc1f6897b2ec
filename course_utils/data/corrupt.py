"""Functions that corrupt one row as real datasets are corrupted; they return None if the row does not allow it."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from sqlglot import exp

from course_utils.errors import QueryError
from course_utils.files import Row, read_toml
from course_utils.sql import read_schema, same_answer
from course_utils.sql.query_forms import parse

Corruption = Callable[[Row, Random], Row | None]


class Defect(NamedTuple):
    """A kind of defect: the check that should find it, the function that makes it, and where the result goes."""

    check: str
    corrupt: Corruption
    where: Literal["row", "split", "test"] = "row"  # replaces the row, or is added to its split or to the test rows


_CUT_BEHIND = re.compile(r"\b(?:FROM|WHERE|BY|ON|AND|JOIN|OR|LIMIT)\b|[=<>]|'(?=\w)|\(\w*", re.IGNORECASE)
_TYPOS = ((r"\bSELECT\b", "SELCT"), (r"\bFROM\b", "FORM"), (r"\bWHERE\b", "WEHRE"), (r"\)", ""), (r"\(", "(("))
_LETTERS = re.compile(r"[^\W\d_]{4,}")
_FORMS = read_toml(__file__)


def drop_field(row: Row, rng: Random) -> Row:
    """Remove one required field."""
    gone = rng.choice(("db_id", "question", "query"))
    return {name: value for name, value in row.items() if name != gone}


def break_sql(row: Row, rng: Random) -> Row | None:
    """Misspell a keyword, or drop or double a bracket; only before quoted text, in which neither breaks the query."""
    query = row["query"]
    plain = re.split("['\"`[]", query)[0]
    typos = [(found, wrong) for right, wrong in _TYPOS if (found := re.search(right, plain, re.IGNORECASE))]
    if not typos:
        return None
    found, wrong = rng.choice(typos)
    return {**row, "query": query[: found.start()] + wrong + query[found.end() :]}


def cut_sql(row: Row, rng: Random) -> Row | None:
    """Truncate the query as a token limit would: after a keyword or operator, or inside a string or a bracket."""
    ends = [found.end() for found in _CUT_BEHIND.finditer(row["query"])]
    return {**row, "query": row["query"][: rng.choice(ends)]} if ends else None


def hide_character(row: Row, rng: Random) -> Row:
    """Insert a zero-width space, a soft hyphen or a byte order mark inside the question."""
    place = rng.randrange(1, len(row["question"]))
    text = row["question"]
    return {**row, "question": text[:place] + rng.choice("\u200b\u00ad\ufeff") + text[place:]}


def _reformat(name: str, forms: str) -> Corruption:
    """A corruption that puts a field's text into one of the formats listed under ``forms`` in ``corrupt.toml``."""
    return lambda row, rng: {**row, name: rng.choice(_FORMS[forms]).format(row[name])}


def mistype(row: Row, rng: Random) -> Row | None:
    """Double a letter of the question; None below 20 characters, where one letter is too much for a near-duplicate."""
    text = row["question"]
    words = [found for found in _LETTERS.finditer(text) if text[found.start() + 2] != text[found.start() + 3]]
    if len(text) < 20 or not words:
        return None
    place = rng.choice(words).start() + 2
    return {**row, "question": text[:place] + text[place] + text[place:]}


DEFECTS: dict[str, Defect] = {
    "missing field": Defect("schema", drop_field),
    "unknown database": Defect("schema", lambda row, _: {**row, "db_id": f"{row['db_id']}_old"}),
    "broken SQL": Defect("syntax", break_sql),
    "truncated SQL": Defect("syntax", cut_sql),
    "hidden character": Defect("encoding", hide_character),
    "template in question": Defect("template", _reformat("question", "templates")),
    "template in answer": Defect("template", _reformat("query", "manners")),
    "personal data": Defect("personal-data", _reformat("question", "personal_data")),
    "profanity": Defect("profanity", _reformat("question", "profanity")),
    "exact duplicate": Defect("exact-duplicate", lambda row, _: dict(row), "split"),
    "near duplicate": Defect("near-duplicate", mistype, "split"),
    "exact leak": Defect("leak-exact", lambda row, _: dict(row), "test"),
}

# Mutants: queries that differ from the right one in one place, run, and answer differently (Tuya, Suárez-Cabal and de
# la Riva 2007, Information and Software Technology 49, 398-417). No check of a single row can find such wrong labels.

KINDS = ("another column", "opposite operator", "condition dropped")
MAX_TRIES = 8
"""Mutants of one query that are run at most, to find one with another answer."""
_OPPOSITES = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.EQ: exp.NEQ, exp.Max: exp.Min, exp.Sum: exp.Avg, exp.And: exp.Or}
_OPPOSITES |= {other: one for one, other in _OPPOSITES.items()}


def mutants(databases: Mapping[str, Path]) -> dict[str, Defect]:
    """The ``KINDS`` of mutants, for ``inject_defects``; ``databases`` holds the SQLite file of each db_id."""
    return {kind: Defect("contradiction", partial(_mutate, kind, databases)) for kind in KINDS}


def _mutate(kind: str, databases: Mapping[str, Path], row: Row, rng: Random) -> Row | None:
    database = databases[row["db_id"]]
    try:
        tree = parse(row["query"])
    except QueryError:
        return None
    read = {table.name.lower() for table in tree.find_all(exp.Table)}
    columns = [c.name for table in read_schema(database).tables if table.name.lower() in read for c in table.columns]
    places = ((place, edit) for place, node in enumerate(tree.walk()) for edit in _edits(node, columns))
    edits = [(place, edited) for place, (of_kind, edited) in places if of_kind == kind]
    for place, edited in rng.sample(edits, min(MAX_TRIES, len(edits))):
        mutant = tree.copy()
        old = [*mutant.walk()][place]
        old.replace(edited.copy()) if edited else old.pop()
        try:
            if not same_answer(database, row["query"], mutant.sql("sqlite")):
                return {**row, "query": mutant.sql("sqlite")}
        except (QueryError, RecursionError):  # it does not run, which the check for errors finds, or is too deep
            continue
    return None


def _edits(node: exp.Expr, columns: list[str]) -> Iterator[tuple[str, exp.Expr | None]]:
    """Yield the replacements of a node, each with its kind; a replacement of None removes the node."""
    if isinstance(node, exp.Column):
        names = (name for name in dict.fromkeys(columns) if name.lower() != node.name.lower())
        yield from ((KINDS[0], exp.column(name, node.table or None)) for name in names)
    elif isinstance(node, exp.Ordered):
        ascending = bool(node.args.get("desc"))
        # NULLs stay where SQLite sorts them, or sqlglot would add NULLS FIRST or LAST to the query.
        yield KINDS[1], exp.Ordered(this=node.this.copy(), desc=not ascending, nulls_first=ascending)
    elif isinstance(node, exp.Condition) and (opposite := _OPPOSITES.get(type(node))):
        yield KINDS[1], opposite(**node.copy().args)
    if isinstance(node, exp.Where | exp.Having | exp.And):
        yield KINDS[2], node.left if isinstance(node, exp.And) else None
