"""Replace personal data in questions and queries by pseudonyms, and look afterwards whether any is left.

The same value gets the same pseudonym in question and query, so the query still asks what the question asks. What
depends on the letters of a name (``ORDER BY name``, ``LIKE 'A%'``) finds other rows, as it would for other people.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from course_utils.artifacts import Row
from course_utils.data.encoding import strip_invisible
from course_utils.data.privacy.entities import STRONG, Entity, without_overlaps
from course_utils.data.privacy.patterns import find_by_patterns
from course_utils.data.privacy.pseudonyms import BY_WORDS, WORD, PseudonymKey, PseudonymMapping, fold
from course_utils.errors import DataError

MAX_LISTED = 20
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_NUMBER = re.compile(r"(?<![\w.])\d{7,}(?![\w.])")
_COMPARED = re.compile(r"(?:[=<>]|\b(?:LIKE|GLOB|BETWEEN|IN\s*\([^()]*))\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Anonymised:
    """Rows without personal data, and the table that must be kept away from them."""

    rows: list[Row]
    mapping: PseudonymMapping = field(repr=False)


def anonymise_rows(
    rows: Sequence[Mapping[str, Any]],
    *,
    key: PseudonymKey,
    names: Iterable[str] = (),
    mapping: PseudonymMapping | None = None,
) -> Anonymised:
    """Replace what the patterns find, the given names, and every value that the mapping knows.

    Args:
        rows: Rows with ``question`` and ``query``; other fields stay.
        key: The secret.
        names: People's names, such as those of a database's column.
        mapping: What an earlier call returned, for the same pseudonyms in every split; it grows.
    """
    mapping = mapping or PseudonymMapping()
    for name in names:
        mapping.add_original("name", _plain(name))
    for row in rows:
        for text in (row["question"], *(_inside(found[0]) for found in _values(row["query"]))):
            for entity in find_by_patterns(_plain(text)):
                mapping.add_original(entity.type, entity.text)
    known = _Known(mapping)

    def change(text: str, values: frozenset[str]) -> str:
        """Only where something is found is the text composed (NFC) and stripped of invisible characters."""
        plain = _plain(text)
        entities = without_overlaps([*known.find(plain, values), *find_by_patterns(plain)])
        for entity in reversed(entities):
            plain = plain[: entity.start] + mapping.replace(key, entity.type, entity.text) + plain[entity.end :]
        return plain if entities else text

    return Anonymised([_changed(row, change) for row in rows], mapping)


def _changed(row: Mapping[str, Any], change: Callable[[str, frozenset[str]], str]) -> Row:
    values = _value_words(row["query"])
    query = map_values(row["query"], lambda text: change(text, values))
    return {**row, "question": change(row["question"], values), "query": query}


def map_values(query: str, change: Callable[[str], str]) -> str:
    """The query with its text values changed, and whole numbers where a number itself is personal."""
    parts, end = [], 0
    for found in _values(query):
        quote = found[0][0]
        inside = change(_inside(found[0])).replace(quote, quote * 2)
        parts += [_NUMBER.sub(lambda number: change(number[0]), query[end : found.start()]), quote + inside + quote]
        end = found.end()
    return "".join([*parts, _NUMBER.sub(lambda number: change(number[0]), query[end:])])


def _values(query: str) -> Iterator[re.Match[str]]:
    """Quoted texts; in double quotes, which name columns in SQL, only those that SQLite compares with something."""
    for found in _QUOTED.finditer(query):
        is_name = query[found.end() : found.end() + 1] == "." or not _COMPARED.search(query[: found.start()])
        if found[0][0] == "'" or not is_name:
            yield found


def _inside(quoted: str) -> str:
    return quoted[1:-1].replace(quoted[0] * 2, quoted[0])


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", strip_invisible(text))


def _value_words(query: str) -> frozenset[str]:
    """The text values of a query, folded and without the wildcards at their ends."""
    return frozenset(fold(_plain(_inside(found[0])).strip("%_ ")) for found in _values(query))


class _Known:
    """An index of the mapping's originals: names by their words, other values by one pattern."""

    def __init__(self, mapping: PseudonymMapping) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        others: dict[str, str] = {}
        for type_, text in mapping.originals:
            if type_ not in BY_WORDS:
                others[text.lower()] = type_
            elif words := tuple(fold(word) for word in WORD.findall(text)):
                self._names[words] = type_
                if type_ == "name":
                    self._names[words[-1:] + words[:-1]] = type_  # Berg, Anders
        self._parts = {word for words in self._names if len(words) > 1 for word in words if len(word) > 2}
        self._longest = max(map(len, self._names), default=0)
        ordered = sorted(others, key=len, reverse=True)
        self._types = [others[text] for text in ordered]
        groups = "|".join(f"({_loosely(text)})" for text in ordered)
        self._others = re.compile(rf"(?<!\w)(?:{groups})(?!\w)", re.IGNORECASE) if ordered else None

    def find(self, text: str, values: frozenset[str]) -> Iterator[Entity]:
        """Every known value in a text, the longer ones first.

        Args:
            text: A question, or a text value of a query.
            values: The text values of the row's query: what stands there is a value in the question as well, even a
                name of one small word (the pilot May is not the modal verb), and a word of a name by itself.
        """
        for match in self._others.finditer(text) if self._others else ():
            yield Entity(self._types[(match.lastindex or 1) - 1], *match.span(), match[0])
        words = list(WORD.finditer(text))
        folded = [fold(word[0]) for word in words]
        for n in range(self._longest, 0, -1):
            for first in range(len(words) - n + 1):
                type_ = self._names.get(tuple(folded[first : first + n]))
                is_value = folded[first] in values
                if n == 1 and not is_value and words[first][0].islower():
                    continue
                if type_ or (n == 1 and is_value and folded[first] in self._parts):
                    span = words[first].start(), words[first + n - 1].end()
                    yield Entity(type_ or "name", *span, text[slice(*span)])


def _loosely(text: str) -> str:
    """A pattern for a number with any spaces and hyphens; for other values the text itself."""
    characters = [c for c in text if c.isalnum()]
    if sum(c.isdigit() for c in characters) < 7 or "@" in text or ":" in text:
        return re.escape(text)
    return r"[\s()./-]{0,3}".join([r"\(?(?:\+|00)?" if text.startswith("+") else "", *map(re.escape, characters)])


def recheck(rows: Sequence[Mapping[str, Any]], mapping: PseudonymMapping) -> None:
    """Look for every original value in all texts of all rows, in any case, and for personal data that is no pseudonym.

    Args:
        rows: Anonymised rows.
        mapping: What ``anonymise_rows`` returned.

    Raises:
        DataError: Some is left; lists the rows, with the values masked.
    """
    originals = [original for original, pseudonym in mapping.originals.items() if pseudonym != original[1]]
    pseudonyms = {_compact(text) for text in (*mapping.originals.values(), *mapping.pseudonyms.values())}
    left = []
    for number, row in enumerate(rows, start=1):
        texts = {name: _plain(value) for name, value in row.items() if isinstance(value, str) and name != "db_id"}
        for name, text in texts.items():
            found = [*_originals_in(text, _value_words(row["query"]), originals, is_query=name == "query")]
            found += [e for e in find_by_patterns(text) if e.type in STRONG and _compact(e.text) not in pseudonyms]
            left += [f'row {number}: "{name}" still has {entity.type} {entity.masked}' for entity in found]
    if left:
        more = [f"... and {len(left) - MAX_LISTED} more"] if len(left) > MAX_LISTED else []
        raise DataError("\n".join([f"{len(left)} pieces of personal data are left:", *left[:MAX_LISTED], *more]))


def _originals_in(
    text: str, values: frozenset[str], originals: Iterable[tuple[str, str]], *, is_query: bool
) -> Iterator[Entity]:
    """By plain search, not by the index that replaced the values."""
    text = text.replace("''", "'")  # as a query writes O'Neil
    found = re.findall(rf'{WORD.pattern}|"', text)  # "Price", "Hill" are two columns, not one person
    words = f" {' '.join(map(fold, found))} "
    alone = values if is_query else values | {fold(word) for word in found if not word.islower()}
    for type_, original in originals:
        wanted = " ".join(map(fold, WORD.findall(original)))
        if type_ in BY_WORDS:
            is_left = f" {wanted} " in words and (" " in wanted or wanted in alone)
        else:
            is_left = fold(original) in fold(text) or (
                len(_compact(original)) > 7 and _compact(original) in _compact(text)
            )
        if is_left:
            yield Entity(type_, 0, len(original), original)


def _compact(text: str) -> str:
    return re.sub(r"[\W_]", "", fold(text))
