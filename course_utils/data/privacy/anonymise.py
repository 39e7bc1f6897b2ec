"""Replace personal data in questions and queries by pseudonyms, and look afterwards whether any is left.

The same value gets the same pseudonym in question and query, so the query still asks what the question asks. Of names
those are known that the words around them give away.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from course_utils.artifacts import Row
from course_utils.data.privacy.patterns import find_by_patterns, load_table, without_overlaps
from course_utils.data.privacy.pseudonyms import Pseudonyms
from course_utils.errors import DataError
from course_utils.finding import listed

# Texts, comments, long numbers; names in brackets or backticks, so that an apostrophe in one begins no text.
_VALUE = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*[\s\S]*?\*/|(?<![\w.])\d{7,}(?![\w.])|`[^`]*`|\[[^\]]*\]"
)
_COMPARED = re.compile(
    r"(?i)(?:[=<>]|\b(?:LIKE|GLOB|REGEXP|MATCH|IS(?:\s+NOT)?|BETWEEN(?:\s+\S+\s+AND)?|IN\s*\((?!\s*SELECT\b)[^()]*))"
    r"(?:\s|\(|\b(?:UPPER|LOWER|TRIM)\()*$"
)


def anonymise_rows(rows: Sequence[Mapping[str, Any]], pseudonyms: Pseudonyms) -> list[Row]:
    """Replace in ``question`` and ``query`` what the patterns find, and every value that ``pseudonyms`` know by now."""
    for row in rows:
        for text in (row["question"], *_values(row["query"])):
            for entity in find_by_patterns(text):
                pseudonyms.add(entity.type, entity.text)
    change = partial(_change, pseudonyms=pseudonyms)
    return [{**row, "question": change(row["question"]), "query": map_values(row["query"], change)} for row in rows]


def recheck(rows: Sequence[Mapping[str, Any]], pseudonyms: Pseudonyms) -> None:
    """Look for every known value in all texts of anonymised rows, and for personal data that is no pseudonym.

    Raises:
        DataError: Some is left; lists the rows, with the values masked.
    """
    left = []
    for number, row in enumerate(rows, start=1):
        texts = [(name, value) for name, value in row.items() if isinstance(value, str) and name != "db_id"]
        for name, text in texts:
            shown = " ".join(_values(text)) if name == "query" else text
            other = (each for each in find_by_patterns(shown) if load_table()["types"][each.type][1] == "error")
            new = (each for each in other if not pseudonyms.is_invented(each))
            entities = without_overlaps([*pseudonyms.find(shown), *new])
            left += [f'row {number}: "{name}" still has {entity.type} {entity.masked}' for entity in entities]
    if left:
        raise DataError(listed(f"{len(left)} pieces of personal data are left", left))


def map_values(query: str, change: Callable[[str], str]) -> str:
    """The query with its text values, comments and long whole numbers changed."""

    def changed(found: re.Match[str]) -> str:
        value, quote = _value(found), found[0][0]
        if value is None:
            return found[0]
        return change(value) if quote not in "'\"" else quote + change(value).replace(quote, quote * 2) + quote

    return _VALUE.sub(changed, query)


def _change(text: str, pseudonyms: Pseudonyms) -> str:
    found = [*pseudonyms.find(text), *find_by_patterns(text)]
    entities = without_overlaps(sorted(found, key=lambda entity: entity.start - entity.end))  # longest first
    for entity in reversed(entities):
        text = text[: entity.start] + pseudonyms.replace(entity.type, entity.text) + text[entity.end :]
    return text


def _values(query: str) -> list[str]:
    return [value for found in _VALUE.finditer(query) if (value := _value(found)) is not None]


def _value(found: re.Match[str]) -> str | None:
    """What stands there, without quotes; None for a column.

    Double quotes name columns in SQL; SQLite takes for a text what is none, and we what something is compared with.
    """
    quote, behind = found[0][0], found.string[found.end() : found.end() + 1]
    if quote in "`[" or (quote == '"' and (behind == "." or not _COMPARED.search(found.string[: found.start()]))):
        return None
    return found[0][1:-1].replace(quote * 2, quote) if quote in "'\"" else found[0]
