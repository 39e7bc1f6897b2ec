"""Ways to corrupt one row, each as real datasets are corrupted; None for a row that cannot be corrupted so."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from course_utils.artifacts import Row
from course_utils.data.encoding import CONFUSABLES

Corruption = Callable[[Row, Random, "Context"], Row | None]

_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)", re.IGNORECASE)
_FIRST_COLUMN = re.compile(r"^(SELECT (?:DISTINCT )?(?:\w+\.)?)(\w+)(?=,| FROM )", re.IGNORECASE)
_CUT_BEHIND = re.compile(r"\b(?:FROM|WHERE|BY|ON|AND|JOIN|OR|LIMIT)\b|[=<>]|'(?=\w)|\(\w*", re.IGNORECASE)
_ONE_VALUE = re.compile(r"^(SELECT (?:DISTINCT )?[\w., ]+ FROM [^()]+? WHERE [\w.]+ = )'(?:[^']|'')*'$", re.IGNORECASE)
_SET_OPERATION = re.compile(r"\b(?:UNION|EXCEPT|INTERSECT)\b", re.IGNORECASE)
_TYPOS = (("SELECT", "SELCT"), ("FROM", "FORM"), ("WHERE", "WEHRE"), (")", ""), ("(", "(("))
_TEMPLATES = (
    "<|im_start|>user\n{}<|im_end|>",
    "[INST] {} [/INST]",
    "### Instruction:\n{}\n\n### Response:",
    "USER: {} ASSISTANT:",
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>",
)
_ANSWERS = ("```sql\n{}\n```", "Sure, here is the query:\n{}", "Here is the SQL: {}", "```\n{}", "The query is: {}")
_PERSONAL = (
    "{} Please mail the answer to maria.keller81@gmail.com.",
    "{} Call me on +44 20 7946 0958 if it takes long.",
    "{} My card is 4539 1488 0343 6467.",
    "{} Send it to IBAN DE89 3704 0044 0532 0130 00.",
    "{} My social security number is 536-90-4399.",
)
_SWEARING = (
    "{} - this fucking list is wrong",
    "{} - answer me, you asshole",
    "{} - I need the shit now",
    "{} - what a bitch of a table",
)
_ACCENTS = {"e": "é", "a": "à", "o": "ö", "u": "ü", "i": "ï"}


@dataclass(frozen=True)
class Context:
    """What other rows hold that a corrupted one must fit to, or must not."""

    tables: Mapping[str, set[str]]  # that queries name, by db_id
    queries: Mapping[str, Sequence[str]]  # of the row's own split, by db_id; one of another split would be a leak


def read_contexts(splits: Mapping[str, Sequence[Row]]) -> dict[str, Context]:
    """The context of the rows of each split."""
    tables: dict[str, set[str]] = {}
    queries: dict[str, dict[str, list[str]]] = {split: {} for split in splits}
    for split, rows in splits.items():
        for row in rows:
            queries[split].setdefault(row["db_id"], []).append(row["query"])
            tables.setdefault(row["db_id"], set()).update(tables_of(row["query"]))
    return {split: Context(tables, own) for split, own in queries.items()}


def tables_of(query: str) -> list[str]:
    """Tables behind FROM and JOIN, as they are written, in small letters."""
    return [name.lower() for name in _TABLE.findall(query)]


def drop_field(row: Row, rng: Random, _: Context) -> Row:
    """A required field is gone."""
    gone = rng.choice(("db_id", "question", "query"))
    return {name: value for name, value in row.items() if name != gone}


def change_type(row: Row, rng: Random, _: Context) -> Row:
    """A field holds no text."""
    return {**row, rng.choice(("question", "query")): rng.choice(([row["query"]], 42, {"text": row["question"]}))}


def rename_database(row: Row, _: Random, __: Context) -> Row:
    """``db_id`` names a database that is not there."""
    return {**row, "db_id": f"{row['db_id']}_old"}


def swap_database(row: Row, rng: Random, context: Context) -> Row | None:
    """``db_id`` names another database, without the query's tables."""
    needed = set(tables_of(row["query"]))
    others = sorted(db_id for db_id, tables in context.tables.items() if needed and not needed & tables)
    return {**row, "db_id": rng.choice(others)} if others else None


def misname_column(row: Row, _: Random, __: Context) -> Row | None:
    """The query asks for a column that is not there."""
    query, n = _FIRST_COLUMN.subn(r"\g<1>\g<2>_nr", row["query"])
    return {**row, "query": query} if n else None


def break_sql(row: Row, rng: Random, _: Context) -> Row | None:
    """A typo in a keyword, or a bracket too few or too many."""
    typos = [(right, wrong) for right, wrong in _TYPOS if right in row["query"] and "'" not in row["query"]]
    if not typos:
        return None
    right, wrong = rng.choice(typos)
    return {**row, "query": row["query"].replace(right, wrong, 1)}


def cut_sql(row: Row, rng: Random, _: Context) -> Row | None:
    """The query ends in the middle, as at a token limit: behind a keyword, inside a string or a bracket."""
    ends = [found.end() for found in _CUT_BEHIND.finditer(row["query"])]
    return {**row, "query": row["query"][: rng.choice(ends)]} if ends else None


def garble(row: Row, rng: Random, _: Context) -> Row | None:
    """UTF-8 read as Windows-1252."""
    places = [i for i, letter in enumerate(row["question"]) if letter in _ACCENTS]
    if not places:
        return None
    place = rng.choice(places)
    accented = _put(row["question"], place, _ACCENTS[row["question"][place]])
    return {**row, "question": accented.encode("utf-8").decode("cp1252", "ignore")}


def hide_character(row: Row, rng: Random, _: Context) -> Row:
    """A zero-width space, a soft hyphen or a byte order mark inside a word."""
    place = rng.randrange(1, len(row["question"]))
    text = row["question"]
    return {**row, "question": text[:place] + rng.choice("\u200b\u00ad\ufeff") + text[place:]}


def add_control(row: Row, rng: Random, _: Context) -> Row:
    """A control character, as terminals and PDF files leave behind."""
    place = rng.randrange(1, len(row["question"]))
    return {**row, "question": _put(row["question"], place, rng.choice("\x08\x00\x1b\x7f"))}


def replace_letter(row: Row, rng: Random, _: Context) -> Row | None:
    """A Cyrillic letter that looks like a Latin one."""
    latin = {latin: other for other, latin in CONFUSABLES.items() if "\u0400" <= other <= "\u04ff"}
    text = row["question"]
    places = [found.start() + 1 for found in re.finditer(r"[A-Za-z]{4,}", text) if text[found.start() + 1] in latin]
    if not places:
        return None
    place = rng.choice(places)
    return {**row, "question": _put(text, place, latin[text[place]])}


def _put(text: str, place: int, letter: str) -> str:
    return text[:place] + letter + text[place + 1 :]


def _reformat(name: str, patterns: Sequence[str]) -> Corruption:
    """A field's text in one of some patterns."""
    return lambda row, rng, _: {**row, name: rng.choice(patterns).format(row[name])}


wrap_question = _reformat("question", _TEMPLATES)  # in another model's template
wrap_answer = _reformat("query", _ANSWERS)  # in a code fence or an assistant's manners
add_personal_data = _reformat("question", _PERSONAL)
swear = _reformat("question", _SWEARING)


def paste_document(row: Row, rng: Random, _: Context) -> Row:
    """Somebody pasted a whole document behind the question."""
    words = row["question"].split()
    return {**row, "question": f"{row['question']} {' '.join(rng.choices(words, k=3_000))}"}


def miss_value(row: Row, _: Random, __: Context) -> Row | None:
    """The query looks for a value that no row has."""
    query, n = _ONE_VALUE.subn(r"\g<1>'(none of these)'", row["query"])
    if not n or _SET_OPERATION.search(query):  # the other half of it still has rows
        return None
    return {name: value for name, value in {**row, "query": query}.items() if name != "empty"}


def answer_blindly(row: Row, rng: Random, _: Context) -> Row:
    """The answer itself instead of a query for it."""
    return {**row, "query": rng.choice((f"SELECT {rng.randrange(1, 99)}", "SELECT 'yes'", "SELECT NULL"))}


def forget_condition(row: Row, _: Random, __: Context) -> Row | None:
    """A join without its condition: every row with every row."""
    tables = list(dict.fromkeys(tables_of(row["query"])))
    if len(tables) < 2:
        return None
    fields = {name: value for name, value in row.items() if name != "empty"}
    return {**fields, "query": f"SELECT {tables[0]}.* FROM {tables[0]}, {tables[1]}"}


def mistype(row: Row, rng: Random, _: Context) -> Row | None:
    """A long question with a typo, a doubled word or a polite word more."""
    text = row["question"]
    words = [found for found in re.finditer(r"[a-z]{5,}", text) if text[found.start() + 2] != text[found.start() + 3]]
    if len(text) < 50 or not words:
        return None
    word = rng.choice(words)
    place = word.start() + 2
    edits = (
        text[:place] + text[place + 1] + text[place] + text[place + 2 :],
        text[:place] + text[place + 1 :],
        text[:place] + text[place] + text[place:],
        text[: word.end()] + " " + word[0] + text[word.end() :],
        f"{text.rstrip('?. ')}, please",
    )
    return {**row, "question": rng.choice(edits)}


def keep(row: Row, _: Random, __: Context) -> Row:
    """The same row once more."""
    return dict(row)


def contradict(row: Row, rng: Random, context: Context) -> Row | None:
    """The same question with the query of another one about the same database."""
    own = row["query"].split()
    others = [query for query in context.queries[row["db_id"]] if query.split()[:2] != own[:2]]
    return {**row, "query": rng.choice(others)} if others else None
