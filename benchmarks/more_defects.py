"""Further kinds of defects, with which the validation is measured besides ``corrupt.DEFECTS``."""

import re
from collections.abc import Mapping, Sequence
from random import Random

from course_utils.data.corrupt import DEFECTS, Corruption, Defect, mistype
from course_utils.data.encoding import CONFUSABLES
from course_utils.files import Row

_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)", re.IGNORECASE)
_FIRST_COLUMN = re.compile(r"^(SELECT (?:DISTINCT )?(?:\w+\.)?)(\w+)(?=,| FROM )", re.IGNORECASE)
_ONE_VALUE = re.compile(r"^(SELECT (?:DISTINCT )?[\w., ]+ FROM [^()]+? WHERE [\w.]+ = )'(?:[^']|'')*'$", re.IGNORECASE)
_SET_OPERATION = re.compile(r"\b(?:UNION|EXCEPT|INTERSECT)\b", re.IGNORECASE)
_ACCENTS = {"e": "é", "a": "à", "o": "ö", "u": "ü", "i": "ï"}


def every_defect(splits: Mapping[str, Sequence[Row]]) -> dict[str, Defect]:
    """The course's defects and those of this module; some take from other rows what they put into one.

    Args:
        splits: The rows that are to be corrupted, by split.
    """
    return DEFECTS | {
        "wrong type": Defect("schema", change_type),
        "wrong database": Defect("execution", _swap_database(splits)),
        "wrong column": Defect("execution", misname_column),
        "empty result": Defect("empty-result", miss_value),
        "constant result": Defect("constant-result", answer_blindly),
        "enormous result": Defect("enormous-result", forget_condition),
        "mojibake": Defect("encoding", garble),
        "control character": Defect("encoding", add_control),
        "confusable letter": Defect("encoding", replace_letter),
        "too long": Defect("length", paste_document),
        "contradiction": Defect("contradiction", _contradict(splits), "split"),
        "near leak": Defect("leak-near", mistype, "test"),
    }


def _swap_database(splits: Mapping[str, Sequence[Row]]) -> Corruption:
    """``db_id`` names another database, without the query's tables."""
    tables: dict[str, set[str]] = {}
    for row in (row for rows in splits.values() for row in rows):
        tables.setdefault(row["db_id"], set()).update(tables_of(row["query"]))

    def swap_database(row: Row, rng: Random) -> Row | None:
        needed = set(tables_of(row["query"]))
        others = sorted(db_id for db_id, known in tables.items() if needed and not needed & known)
        return {**row, "db_id": rng.choice(others)} if others else None

    return swap_database


def _contradict(splits: Mapping[str, Sequence[Row]]) -> Corruption:
    """The same question with the query of another one about the same database and in the same split."""
    split_of = {(row["db_id"], row["query"]): split for split, rows in splits.items() for row in rows}
    queries: dict[tuple[str, str], list[str]] = {}
    for (db_id, query), split in split_of.items():
        queries.setdefault((split, db_id), []).append(query)

    def contradict(row: Row, rng: Random) -> Row | None:
        own = row["query"].split()
        # Not a query of another split, which would also be a leak.
        neighbours = queries[split_of[row["db_id"], row["query"]], row["db_id"]]
        others = [query for query in neighbours if query.split()[:2] != own[:2]]
        return {**row, "query": rng.choice(others)} if others else None

    return contradict


def change_type(row: Row, rng: Random) -> Row:
    """A field holds no text."""
    return {**row, rng.choice(("question", "query")): rng.choice(([row["query"]], 42, {"text": row["question"]}))}


def misname_column(row: Row, _: Random) -> Row | None:
    """The query asks for a column that is not there."""
    query, n = _FIRST_COLUMN.subn(r"\g<1>\g<2>_nr", row["query"])
    return {**row, "query": query} if n else None


def miss_value(row: Row, _: Random) -> Row | None:
    """The query looks for a value that no row has."""
    query, n = _ONE_VALUE.subn(r"\g<1>'(none of these)'", row["query"])
    if not n or _SET_OPERATION.search(query):  # the other half of a set operation still returns rows
        return None
    return {name: value for name, value in {**row, "query": query}.items() if name != "empty"}


def answer_blindly(row: Row, rng: Random) -> Row:
    """The answer itself instead of a query for it."""
    return {**row, "query": rng.choice((f"SELECT {rng.randrange(1, 99)}", "SELECT 'yes'", "SELECT NULL"))}


def forget_condition(row: Row, _: Random) -> Row | None:
    """A join without its condition: every row with every row."""
    tables = list(dict.fromkeys(tables_of(row["query"])))
    if len(tables) < 2:
        return None
    fields = {name: value for name, value in row.items() if name != "empty"}
    return {**fields, "query": f"SELECT {tables[0]}.* FROM {tables[0]}, {tables[1]}"}


def garble(row: Row, rng: Random) -> Row | None:
    """UTF-8 read as Windows-1252."""
    places = [i for i, letter in enumerate(row["question"]) if letter in _ACCENTS]
    if not places:
        return None
    place = rng.choice(places)
    accented = _put(row["question"], place, _ACCENTS[row["question"][place]])
    return {**row, "question": accented.encode("utf-8").decode("cp1252", "ignore")}


def add_control(row: Row, rng: Random) -> Row:
    """A control character, as terminals and PDF files leave behind."""
    place = rng.randrange(1, len(row["question"]))
    return {**row, "question": _put(row["question"], place, rng.choice("\x08\x00\x1b\x7f"))}


def replace_letter(row: Row, rng: Random) -> Row | None:
    """A Cyrillic letter that looks like a Latin one."""
    latin = {latin: other for other, latin in CONFUSABLES.items() if "\u0400" <= other <= "\u04ff"}
    text = row["question"]
    places = [found.start() + 1 for found in re.finditer(r"[A-Za-z]{4,}", text) if text[found.start() + 1] in latin]
    if not places:
        return None
    place = rng.choice(places)
    return {**row, "question": _put(text, place, latin[text[place]])}


def paste_document(row: Row, rng: Random) -> Row:
    """Somebody pasted a whole document behind the question."""
    words = row["question"].split()
    return {**row, "question": f"{row['question']} {' '.join(rng.choices(words, k=3_000))}"}


def tables_of(query: str) -> list[str]:
    """Tables behind FROM and JOIN, as they are written, in small letters."""
    return [name.lower() for name in _TABLE.findall(query)]


def _put(text: str, place: int, letter: str) -> str:
    return text[:place] + letter + text[place + 1 :]
