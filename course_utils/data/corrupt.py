"""Ways to corrupt one row, each as real datasets are corrupted; None for a row that cannot be corrupted so."""

import re
from collections.abc import Callable, Sequence
from random import Random

from course_utils.artifacts import Row

Corruption = Callable[[Row, Random], Row | None]

_CUT_BEHIND = re.compile(r"\b(?:FROM|WHERE|BY|ON|AND|JOIN|OR|LIMIT)\b|[=<>]|'(?=\w)|\(\w*", re.IGNORECASE)
_TYPOS = ((r"\bSELECT\b", "SELCT"), (r"\bFROM\b", "FORM"), (r"\bWHERE\b", "WEHRE"), (r"\)", ""), (r"\(", "(("))
_LETTERS = re.compile(r"[^\W\d_]{4,}")
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


def drop_field(row: Row, rng: Random) -> Row:
    """A required field is gone."""
    gone = rng.choice(("db_id", "question", "query"))
    return {name: value for name, value in row.items() if name != gone}


def rename_database(row: Row, _: Random) -> Row:
    """``db_id`` names a database that is not there."""
    return {**row, "db_id": f"{row['db_id']}_old"}


def break_sql(row: Row, rng: Random) -> Row | None:
    """A typo in a keyword, or a bracket too few or too many, before any quoted text, which may hold either."""
    query = row["query"]
    plain = re.split("['\"`[]", query)[0]
    typos = [(found, wrong) for right, wrong in _TYPOS if (found := re.search(right, plain, re.IGNORECASE))]
    if not typos:
        return None
    found, wrong = rng.choice(typos)
    return {**row, "query": query[: found.start()] + wrong + query[found.end() :]}


def cut_sql(row: Row, rng: Random) -> Row | None:
    """The query ends in the middle, as at a token limit: behind a keyword, inside a string or a bracket."""
    ends = [found.end() for found in _CUT_BEHIND.finditer(row["query"])]
    return {**row, "query": row["query"][: rng.choice(ends)]} if ends else None


def hide_character(row: Row, rng: Random) -> Row:
    """A zero-width space, a soft hyphen or a byte order mark inside a word."""
    place = rng.randrange(1, len(row["question"]))
    text = row["question"]
    return {**row, "question": text[:place] + rng.choice("\u200b\u00ad\ufeff") + text[place:]}


def _reformat(name: str, patterns: Sequence[str]) -> Corruption:
    """A field's text in one of some patterns."""
    return lambda row, rng: {**row, name: rng.choice(patterns).format(row[name])}


wrap_question = _reformat("question", _TEMPLATES)  # in another model's template
wrap_answer = _reformat("query", _ANSWERS)  # in a code fence or an assistant's manners
add_personal_data = _reformat("question", _PERSONAL)
swear = _reformat("question", _SWEARING)


def mistype(row: Row, rng: Random) -> Row | None:
    """A question with a slip in a word of any script, as small as keeps it recognisable; a long one may have more."""
    text = row["question"]
    words = [found for found in _LETTERS.finditer(text) if text[found.start() + 2] != text[found.start() + 3]]
    if len(text) < 20 or not words:
        return None
    word = rng.choice(words)
    place = word.start() + 2
    edits = [text[:place] + text[place] + text[place:]]
    if len(text) >= 30:
        edits.append(text[:place] + text[place + 1 :])
    if len(text) >= 50:
        edits.append(text[:place] + text[place + 1] + text[place] + text[place + 2 :])
        if len(word[0]) < 15:  # where no spaces stand between words, it is half a sentence
            edits.append(text[: word.end()] + " " + word[0] + text[word.end() :])
        if text.isascii():
            edits.append(f"{text.rstrip('?. ')}, please")
    return {**row, "question": rng.choice(edits)}


def keep(row: Row, _: Random) -> Row:
    """The same row once more."""
    return dict(row)
