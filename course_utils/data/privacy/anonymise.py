"""Replace personal data in questions and queries by pseudonyms, and look afterwards whether any is left.

The same value gets the same pseudonym in question and query, so the query still asks what the question asks. Of names
those are known that the words around them give away.
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
FORMATS: dict[str, str] = {name: it["invented"] for name, it in load_table()["types"].items() if "invented" in it}
"""What Faker writes for some types; the values of the others keep their form."""
MAX_WORDS = 40
"""Words that a value may be written in: the nine groups of an IBAN, the letters of a name where there are no spaces."""
_WORD = re.compile(rf"{UNSPACED.pattern}|(?:(?!{UNSPACED.pattern})[^\W_])+")
_LONG_NUMBER = re.compile(r"\d{7,}")


class Pseudonyms:
    """Real values and their pseudonyms: who has them can undo the anonymisation, so keep them apart from the data.

    The same ``secret`` gives the same pseudonyms to the same values, replaced in the same order, in another process: a
    value whose first pseudonym another has taken gets the next. So use one object for questions, queries and databases.
    Who has the secret can test a guess ("is this Anna Schmidt?"): keep it as safe. There is no default.

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
        self._types: dict[str, str] = {}  # of each known canonical value
        self._taken: set[str] = set()  # pseudonyms, and words of known names: no pseudonym may be one

    def add(self, type_: str, text: str) -> None:
        """Make a value known; all of them before the first pseudonym is made."""
        value = canonical(type_, text)
        self._types |= dict.fromkeys((value, canonical("name", text)), type_)
        self._taken |= set(value.split()) if type_ == "name" else set()

    def find(self, text: str) -> Iterator[Entity]:
        """Every known value in a text, however it is spaced, accented and in whichever case, but no inflected name.

        A capital tells a name of one word from a word: the pilot May is not the modal verb.
        """
        return in_plain_letters(text, self._find)

    def _find(self, text: str) -> Iterator[Entity]:
        words = list(_WORD.finditer(text))
        folded = [word[0].casefold() for word in words]
        for first, word in enumerate(words):
            for n in range(min(MAX_WORDS, len(words) - first), 0, -1):
                parts = folded[first : first + n]
                forms = (" ".join(parts), "".join(parts).upper().lstrip("0"))  # as canonical gives them
                type_ = next((self._types[form] for form in forms if form in self._types), "")
                if type_ and not (type_ == "name" and n == 1 and word[0].islower()):
                    start, end = word.start(), words[first + n - 1].end()
                    yield Entity(type_, start, end, text[start:end])

    def replace(self, type_: str, text: str) -> str:
        """The pseudonym of a value in plain letters, with the signs of a number; a name's is one surname."""
        text, _ = plain_letters(text)
        pseudonym = self._pseudonym(type_, canonical(type_, text))
        if type_ == "name":
            return pseudonym.lower() if text.islower() else pseudonym.upper() if text.isupper() else pseudonym
        if type_ in FORMATS:
            return pseudonym
        characters = iter(compact(text)[: -len(pseudonym)] + pseudonym)  # zeros before a phone's country stay
        return "".join(next(characters, "") if character.isalnum() else character for character in text)

    def is_invented(self, entity: Entity) -> bool:
        """Whether what was found is one of the pseudonyms, or a part of one that looks like a number of its own."""
        value = canonical(entity.type, entity.text)
        return value in self._taken or any(value in each for each in self._taken)

    def _pseudonym(self, type_: str, value: str) -> str:
        """The first of an endless row of inventions that is no other value's, no known value and no word of a name."""
        for attempt in count() if (type_, value) not in self._pseudonyms else ():
            fake = _faker()
            fake.seed_instance(f"{self._secret}\0{type_}\0{value}\0{attempt}")  # hashed with SHA-512
            form = FORMATS.get(type_) or re.sub("[A-Z]", "?", re.sub(r"\d", "%", value))
            if type_ == "name" and attempt > 20:  # Faker knows about 1,000 surnames
                form += "-{{last_name}}"
            pseudonym = fake.parse(fake.bothify(form, letters="ABCDEF"))  # letters that hexadecimal numbers have too
            key = canonical(type_, pseudonym)
            is_free = key not in self._taken and key not in self._types
            if is_free or attempt > 100:  # there are fewer birthdays than people
                self._taken.add(key)
                self._pseudonyms[type_, value] = pseudonym
                break
        return self._pseudonyms[type_, value]


@cache
def _faker() -> "Faker":
    from faker import Faker

    return Faker()


def canonical(type_: str, text: str) -> str:
    """The form in which two ways of writing the same value are equal, such as +49 30 901820 and 004930901820."""
    if type_ == "birth_date":  # words in a question, digits in its query; 7/4 begins with the month, 7.4. not
        import pandas as pd

        with suppress(ValueError, OverflowError), catch_warnings(action="ignore"):
            date = pd.to_datetime(text, dayfirst="." in text)
            is_ahead = date.tz_localize(None) > pd.Timestamp.now()  # two digits of a year are read so
            return f"{date - pd.DateOffset(years=100 * is_ahead):%Y %m %d}"
    plain, _ = plain_letters(text)
    return " ".join(_WORD.findall(plain)).casefold() if type_ in FORMATS else compact(plain).lstrip("0")


def anonymise_rows(rows: Sequence[Mapping[str, Any]], pseudonyms: Pseudonyms) -> list[Row]:
    """Replace in ``question`` and ``query`` what the patterns find, and every value that ``pseudonyms`` know by now."""
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
    """Look for every known value in all texts of anonymised rows, and for personal data that is no pseudonym.

    Raises:
        DataError: Some is left; lists the rows, with the values masked.
    """
    left = []
    for number, row in enumerate(rows, start=1):
        for name, value in ((name, value) for name, value in row.items() if name != "db_id"):
            # Numbers, and what lies in lists and objects, such as a chat's messages, are told by their JSON.
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
    """The query with its text values, comments and long whole numbers changed."""

    def changed(kind: str, token: str) -> str:
        value, quote = _value(kind, token), token[0]
        if value is None:
            return token
        return change(value) if quote not in "'\"" else quote + change(value).replace(quote, quote * 2) + quote

    return rewrite(query, changed)


def _values(query: str) -> list[str]:
    return [value for kind, found in read_tokens(query) if (value := _value(kind, found[0])) is not None]


def _value(kind: str, token: str) -> str | None:
    """What a token holds, without quotes; None for a column, a short number and whatever else is no value."""
    if kind == "value" and token[0] in "'\"":
        return token[1:-1].replace(token[0] * 2, token[0])
    return token if kind == "comment" or _LONG_NUMBER.fullmatch(token) else None
