"""Replace personal data in questions and queries by pseudonyms, and look afterwards whether any is left.

The same value gets the same pseudonym in question and query, so the query still asks what the question asks. What
depends on the letters of a name (``ORDER BY name``, ``LIKE 'A%'``) finds other rows, as it would for other people.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from course_utils.artifacts import Row
from course_utils.data.encoding import strip_invisible
from course_utils.data.privacy.detect import ENTITY_TYPES
from course_utils.data.privacy.patterns import Entity, find_by_patterns, without_overlaps
from course_utils.data.privacy.pseudonyms import NUMBERS, WORD, PseudonymKey, PseudonymMapping, canonical, fold
from course_utils.data.privacy.validators import compact
from course_utils.errors import DataError

MAX_LISTED = 20
_VALUE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?<![\w.])\d{7,}(?![\w.])")
_COMPARED = re.compile(r"(?:[=<>]|\b(?:LIKE|GLOB|BETWEEN|IN\s*\([^()]*))\s*$", re.IGNORECASE)


def anonymise_rows(
    rows: Sequence[Mapping[str, Any]],
    *,
    key: PseudonymKey,
    names: Iterable[str] = (),
    mapping: PseudonymMapping | None = None,
) -> tuple[list[Row], PseudonymMapping]:
    """Replace what the patterns find, the given names, and every value that the mapping knows.

    Args:
        rows: Rows with ``question`` and ``query``; other fields stay.
        key: The secret.
        names: People's names, such as those of a database's column.
        mapping: What an earlier call returned, for the same pseudonyms in every split; it grows.

    Returns:
        The rows without personal data, and the table that must be kept away from them.
    """
    mapping = mapping or PseudonymMapping()
    for name in names:
        mapping.add_original("name", _plain(name))
    for row in rows:
        for text in (row["question"], *_values(row["query"])):
            for entity in find_by_patterns(_plain(text)):
                mapping.add_original(entity.type, entity.text)
    known = _Known(mapping.originals)

    def change(text: str, values: frozenset[str]) -> str:
        """Only where something is found is the text composed (NFC) and stripped of invisible characters."""
        plain = _plain(text)
        entities = without_overlaps([*known.find(plain, values), *find_by_patterns(plain)])
        for entity in reversed(entities):
            plain = plain[: entity.start] + mapping.replace(key, entity.type, entity.text) + plain[entity.end :]
        return plain if entities else text

    anonymised = []
    for row in rows:
        values = _folded_values(row["query"])
        query = map_values(row["query"], partial(change, values=values))
        anonymised.append({**row, "question": change(row["question"], values), "query": query})
    return anonymised, mapping


def recheck(rows: Sequence[Mapping[str, Any]], mapping: PseudonymMapping) -> None:
    """Look for every original value in all texts of all rows, and for personal data that is no pseudonym.

    Args:
        rows: Anonymised rows.
        mapping: What ``anonymise_rows`` returned.

    Raises:
        DataError: Some is left; lists the rows, with the values masked.
    """
    known = _Known(original for original, pseudonym in mapping.originals.items() if pseudonym != original[1])
    invented = {canonical(type_, text) for (type_, _), text in mapping.pseudonyms.items()}

    def is_real(entity: Entity) -> bool:
        return ENTITY_TYPES[entity.type][1] == "error" and canonical(entity.type, entity.text) not in invented

    left = []
    for number, row in enumerate(rows, start=1):
        for name, value in row.items():
            if isinstance(value, str) and name != "db_id":
                text = _plain(value).replace("''", "'")  # as a query writes O'Neil
                found = [*known.find(text, _folded_values(row["query"]), is_prose=name != "query")]
                for entity in without_overlaps([*found, *filter(is_real, find_by_patterns(text))]):
                    left.append(f'row {number}: "{name}" still has {entity.type} {entity.masked}')
    if left:
        more = [f"... and {len(left) - MAX_LISTED} more"] if len(left) > MAX_LISTED else []
        raise DataError("\n".join([f"{len(left)} pieces of personal data are left:", *left[:MAX_LISTED], *more]))


def map_values(query: str, change: Callable[[str], str]) -> str:
    """The query with its text values and its long whole numbers changed."""

    def changed(found: re.Match[str]) -> str:
        value = _value(found)
        if value is None:
            return found[0]
        quote = found[0][0]
        return change(value) if quote.isdigit() else quote + change(value).replace(quote, quote * 2) + quote

    return _VALUE.sub(changed, query)


def _values(query: str) -> list[str]:
    return [value for found in _VALUE.finditer(query) if (value := _value(found)) is not None]


def _value(found: re.Match[str]) -> str | None:
    """What stands there, without quotes; None for a column.

    Double quotes name columns in SQL; SQLite takes for a text what something is compared with, and so do we.
    """
    before, behind = found.string[: found.start()], found.string[found.end() : found.end() + 1]
    quote = found[0][0]
    if quote == '"' and (behind == "." or not _COMPARED.search(before)):
        return None
    return found[0] if quote.isdigit() else found[0][1:-1].replace(quote * 2, quote)


def _folded_values(query: str) -> frozenset[str]:
    """The values of a query without the wildcards at their ends."""
    return frozenset(fold(_plain(value)).strip("%_ ") for value in _values(query))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", strip_invisible(text))


class _Known:
    """Finds values that are known to be personal, however they are spaced, accented and in whichever case."""

    def __init__(self, originals: Iterable[tuple[str, str]]) -> None:
        self._names: set[tuple[str, ...]] = set()  # the words of each name
        self._others: list[tuple[str, str, str]] = []  # letters and digits of a value, a pattern for it, its type
        for type_, text in originals:
            words = tuple(WORD.findall(fold(text)))
            if type_ != "name":
                self._others.append((compact(text), _pattern_of(type_, fold(text)), type_))
            elif words:
                self._names |= {words, words[-1:] + words[:-1]}  # Anders Berg, and Berg, Anders
        self._parts = {word for words in self._names for word in words if len(words) == 1 or len(word) > 2}
        self._longest = max(map(len, self._names), default=0)

    def find(self, text: str, values: frozenset[str], *, is_prose: bool = True) -> Iterator[Entity]:
        """Every known value in a text.

        Args:
            text: A question, a query, or a text value of a query.
            values: The text values of the row's query: what stands there is a value in the question as well, even a
                name of one small word (the pilot May is not the modal verb), and a word of a name by itself.
            is_prose: Whether a capital tells a name from a word.
        """
        folded, letters_of_text = fold(text), compact(text)
        for letters, form, type_ in self._others:
            for match in re.finditer(rf"(?<!\w){form}(?!\w)", folded) if letters in letters_of_text else ():
                yield Entity(type_, *match.span(), text[match.start() : match.end()])
        words = list(WORD.finditer(folded))
        for first, word in enumerate(words):
            for n in range(min(self._longest, len(words) - first), 0, -1):
                end = words[first + n - 1].end()
                is_known = tuple(each[0] for each in words[first : first + n]) in self._names
                if n == 1 and word[0] in values:
                    is_known = word[0] in self._parts
                elif n == 1:
                    is_known = is_known and is_prose and text[word.start()].isupper()
                # Two columns, "Price" and "Hill", are not one person.
                if is_known and '"' not in text[word.start() : end]:
                    yield Entity("name", word.start(), end, text[word.start() : end])


def _pattern_of(type_: str, text: str) -> str:
    if type_ not in NUMBERS:
        return re.escape(text)
    start = r"\(?(?:\+|00)?" if text.startswith("+") else ""
    return r"[\s()./-]{0,3}".join([start, *map(re.escape, compact(text).lower())])
