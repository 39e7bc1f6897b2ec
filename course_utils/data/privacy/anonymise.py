"""Replace personal data in questions and queries by pseudonyms, and check afterwards that none is left.

A value gets the same pseudonym in question and query, so that they still fit each other. Names are found only where
the words around them mark them as names ("the patient ...").
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

from course_utils.data.encoding import plain_letters
from course_utils.data.privacy.patterns import (
    UNSPACED,
    Entity,
    compact,
    find_by_patterns,
    in_plain_letters,
    load_table,
    without_overlaps,
)
from course_utils.errors import ConfigurationError, DataError
from course_utils.files import Row
from course_utils.finding import listed
from course_utils.sql.query_forms import read_tokens, rewrite

if TYPE_CHECKING:
    from faker import Faker

MIN_CHARACTERS = 16
"""Characters that a secret must have at least."""
FORMATS: dict[str, str] = {name: it["invented"] for name, it in load_table()["types"].items() if "invented" in it}
"""Faker's format of the pseudonyms, for some types. A value of any other type keeps its form, with other characters."""
MAX_WORDS = 40
"""Words of a value at most: an IBAN may have nine groups, and in scripts without spaces each letter is a word."""
_WORD = re.compile(rf"{UNSPACED.pattern}|(?:(?!{UNSPACED.pattern})[^\W_])+")
_LONG_NUMBER = re.compile(r"\d{7,}")


class Pseudonyms:
    """Real values and their pseudonyms. This object can undo the anonymisation: never store it with the data.

    The same ``secret`` gives the same pseudonyms in another process, if the values come in the same order: a value
    whose first pseudonym is taken gets the next one. So use one object for questions, queries and databases. With the
    secret anybody can test a guess ("is this Anna Schmidt?"), so keep it as safe as the values. There is no default.

    Raises:
        ConfigurationError: The secret has fewer than ``MIN_CHARACTERS``.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < MIN_CHARACTERS:
            raise ConfigurationError(
                f"the secret of pseudonyms has fewer than {MIN_CHARACTERS} characters; keep a random one in the "
                'environment: python -c "import secrets; print(secrets.token_hex(32))"'
            )
        self._secret = secret
        self._pseudonyms: dict[tuple[str, str], str] = {}  # by type and canonical value
        self._types: dict[str, str] = {}  # by known canonical value
        self._taken: set[str] = set()  # pseudonyms and the words of known names, which no new pseudonym may equal

    def add(self, type_: str, text: str) -> None:
        """Make a value known. Add all values before the first call of ``replace``, so that no pseudonym equals one."""
        value = canonical(type_, text)
        self._types |= dict.fromkeys((value, canonical("name", text)), type_)
        self._taken |= set(value.split()) if type_ == "name" else set()

    def find(self, text: str) -> Iterator[Entity]:
        """Every known value in a text, whatever its spacing, accents and case; inflected names are not found.

        A name of one word is not found in lower case: the pilot May is found, the verb "may" is not.
        """
        return in_plain_letters(text, self._find)

    def _find(self, text: str) -> Iterator[Entity]:
        words = list(_WORD.finditer(text))
        folded = [word[0].casefold() for word in words]
        for first, word in enumerate(words):
            for n in range(min(MAX_WORDS, len(words) - first), 0, -1):
                parts = folded[first : first + n]
                forms = (" ".join(parts), "".join(parts).upper().lstrip("0"))  # the two forms of ``canonical``
                type_ = next((self._types[form] for form in forms if form in self._types), "")
                if type_ and not (type_ == "name" and n == 1 and word[0].islower()):
                    start, end = word.start(), words[first + n - 1].end()
                    yield Entity(type_, start, end, text[start:end])

    def replace(self, type_: str, text: str) -> str:
        """The same pseudonym each time for a value: by ``FORMATS`` for the types there, else with the value's signs."""
        text, _ = plain_letters(text)
        pseudonym = self._pseudonym(type_, canonical(type_, text))
        if type_ == "name":
            return pseudonym.lower() if text.islower() else pseudonym.upper() if text.isupper() else pseudonym
        if type_ in FORMATS:
            return pseudonym
        characters = iter(compact(text)[: -len(pseudonym)] + pseudonym)  # leading zeros, as in 0049, stay
        return "".join(next(characters, "") if character.isalnum() else character for character in text)

    def is_invented(self, entity: Entity) -> bool:
        """Whether an entity is a pseudonym, or part of one that a pattern takes for a value of its own."""
        value = canonical(entity.type, entity.text)
        return value in self._taken or any(value in each for each in self._taken)

    def _pseudonym(self, type_: str, value: str) -> str:
        """The first invented value that is no other value's pseudonym, no known value and no word of a known name."""
        for attempt in count() if (type_, value) not in self._pseudonyms else ():
            fake = _faker()
            fake.seed_instance(f"{self._secret}\0{type_}\0{value}\0{attempt}")  # hashed with SHA-512
            form = FORMATS.get(type_) or re.sub("[A-Z]", "?", re.sub(r"\d", "%", value))
            if type_ == "name" and attempt > 20:  # Faker knows about 1,000 surnames
                form += "-{{last_name}}"
            pseudonym = fake.parse(fake.bothify(form, letters="ABCDEF"))  # letters that hexadecimal numbers have too
            key = canonical(type_, pseudonym)
            is_free = key not in self._taken and key not in self._types
            if is_free or attempt > 100:  # some types, such as dates, have fewer values than a dataset has people
                self._taken.add(key)
                self._pseudonyms[type_, value] = pseudonym
                break
        return self._pseudonyms[type_, value]


@cache
def _faker() -> "Faker":
    from faker import Faker

    return Faker()


def canonical(type_: str, text: str) -> str:
    """One form for all ways of writing a value, such as +49 30 901820 and 004930901820."""
    if type_ == "birth_date":  # may be words in a question and digits in its query; 7/4 is July 4th, 7.4. April 7th
        import pandas as pd

        with suppress(ValueError, OverflowError), catch_warnings(action="ignore"):
            date = pd.to_datetime(text, dayfirst="." in text)
            is_ahead = date.tz_localize(None) > pd.Timestamp.now()  # pandas reads the year 45 as 2045
            return f"{date - pd.DateOffset(years=100 * is_ahead):%Y %m %d}"
    plain, _ = plain_letters(text)
    return " ".join(_WORD.findall(plain)).casefold() if type_ in FORMATS else compact(plain).lstrip("0")


def anonymise_rows(rows: Sequence[Mapping[str, Any]], pseudonyms: Pseudonyms) -> list[Row]:
    """Replace in ``question`` and ``query`` the values that patterns find, and those added to ``pseudonyms`` before."""
    for row in rows:
        for text in (row["question"], *_values(row["query"])):
            for entity in find_by_patterns(text):
                pseudonyms.add(entity.type, entity.text)

    def change(text: str) -> str:
        found = [*pseudonyms.find(text), *find_by_patterns(text)]
        entities = without_overlaps(sorted(found, key=lambda entity: entity.start - entity.end))  # longest first
        for entity in reversed(entities):
            text = text[: entity.start] + pseudonyms.replace(entity.type, entity.text) + text[entity.end :]
        return text

    return [{**row, "question": change(row["question"]), "query": map_values(row["query"], change)} for row in rows]


def recheck(rows: Sequence[Mapping[str, Any]], pseudonyms: Pseudonyms) -> None:
    """Check all fields but ``db_id`` for known values, and for other personal data of severity ``error``.

    Raises:
        DataError: Personal data is left; lists the rows, with the values masked.
    """
    left = []
    for number, row in enumerate(rows, start=1):
        for name, value in ((name, value) for name, value in row.items() if name != "db_id"):
            # Numbers, lists and objects, such as a chat's messages, are searched as JSON.
            told = "" if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            text = value if isinstance(value, str) else re.sub(r"\\.", " ", told)
            shown = " ".join(_values(text)) if name == "query" else text
            other = (each for each in find_by_patterns(shown) if not pseudonyms.is_invented(each))
            new = (each for each in other if load_table()["types"][each.type]["severity"] == "error")
            entities = without_overlaps([*pseudonyms.find(shown), *new])
            left += [f'row {number}: "{name}" still has {entity.type} {entity.masked}' for entity in entities]
    if left:
        raise DataError(listed(f"{len(left)} pieces of personal data are left", left))


def map_values(query: str, change: Callable[[str], str]) -> str:
    """The query with ``change`` applied to its text values, comments and whole numbers of seven digits or more."""

    def changed(kind: str, token: str) -> str:
        value, quote = _value(kind, token), token[0]
        if value is None:
            return token
        return change(value) if quote not in "'\"" else quote + change(value).replace(quote, quote * 2) + quote

    return rewrite(query, changed)


def _values(query: str) -> list[str]:
    return [value for kind, found in read_tokens(query) if (value := _value(kind, found[0])) is not None]


def _value(kind: str, token: str) -> str | None:
    """A token's value without quotes: a text, a comment or a long whole number; None for any other token."""
    if kind == "value" and token[0] in "'\"":
        return token[1:-1].replace(token[0] * 2, token[0])
    return token if kind == "comment" or _LONG_NUMBER.fullmatch(token) else None
