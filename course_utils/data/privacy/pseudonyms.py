"""Find known personal values in texts and make pseudonyms of them: of the same type and form, derived from a secret.

Numbers keep their form, their country or issuer, and a check digit that fits, and come from ranges that were never
issued where there are some.
"""

import hmac
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

from stdnum import iban, luhn

from course_utils.data.encoding import plain_letters
from course_utils.data.privacy.patterns import Entity, compact, in_plain_letters
from course_utils.errors import ConfigurationError

if TYPE_CHECKING:
    from faker import Faker

MIN_CHARACTERS = 16
FORMED = frozenset({"card", "iban", "mac", "national_id", "phone", "secret", "ssn", "url_credentials"})
"""Types whose pseudonym has the form of the value: its digits, letters and signs, with or without spaces."""
MAX_GROUPS = 12
"""Words that such a value may be written in, such as the nine groups of an IBAN."""
_WORD = re.compile(r"[^\W_]+(?:['’-](?!s\b)[^\W_]+)*")  # O'Neil and Jean-Luc are one, the s of "Berg's" is none
_IPV4 = re.compile(r"(?:\d{1,3} ){3}\d{1,3}")  # as canonical() writes it


class Pseudonyms:
    """Real values and their pseudonyms: who has them can undo the anonymisation, so keep them apart from the data.

    The same ``secret`` gives the same pseudonyms in another process, and who has it can test a guess ("is this Anna
    Schmidt?"): keep it as safe. There is no default.

    Raises:
        ConfigurationError: The secret has fewer than ``MIN_CHARACTERS``.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < MIN_CHARACTERS:
            raise ConfigurationError(
                f"the secret of pseudonyms has fewer than {MIN_CHARACTERS} characters; keep a random one in the "
                'environment: python -c "import secrets; print(secrets.token_hex(32))"'
            )
        self.replaced: dict[tuple[str, str], str] = {}  # (type, canonical value) to its pseudonym; of names by word
        self._secret = secret.encode("utf-8")
        self._types: dict[str, str] = {}  # of each known canonical value
        self._taken: set[str] = set()  # pseudonyms, and words of known names: no pseudonym may be one
        self._longest = 0  # words that a known value may have

    def add(self, type_: str, text: str) -> None:
        """Make a value known; all of them before the first pseudonym is made."""
        value = canonical(type_, text)
        words = value.split()
        self._types[value] = type_
        self._taken |= set(words) if type_ == "name" else set()
        self._longest = max(self._longest, MAX_GROUPS if type_ in FORMED else len(words))

    def find(self, text: str) -> Iterator[Entity]:
        """Every known value in a text, however it is spaced, accented and in whichever case.

        A capital tells a name of one word from a word: the pilot May is not the modal verb.
        """
        return in_plain_letters(text, self._find)

    def _find(self, text: str) -> Iterator[Entity]:
        words = list(_WORD.finditer(text))
        for first, word in enumerate(words):
            for last in reversed(words[first : first + self._longest]):
                found = text[word.start() : last.end()]
                number = compact(found)
                forms = (canonical("name", found), number, number.lstrip("0"))
                type_ = next((self._types[form] for form in forms if form in self._types), "")
                if type_ and not (type_ == "name" and last is word and found.islower()):
                    yield Entity(type_, word.start(), last.end(), found)

    def replace(self, type_: str, text: str) -> str:
        """The pseudonym of a value, written as the value is, in plain letters; a name's word by word."""
        text, _ = plain_letters(text)
        if type_ == "name":
            return _WORD.sub(lambda found: self._replace_word(found[0]), text)
        pseudonym = self._pseudonym(type_, canonical(type_, text))
        return _written_like(text, pseudonym) if type_ in FORMED else pseudonym

    def is_invented(self, entity: Entity) -> bool:
        """Whether what was found is one of the pseudonyms."""
        return canonical(entity.type, entity.text) in self._taken

    def _replace_word(self, word: str) -> str:
        pseudonym = self._pseudonym("name", word.lower())
        return pseudonym.lower() if word.islower() else pseudonym.upper() if word.isupper() else pseudonym

    def _pseudonym(self, type_: str, value: str) -> str:
        """The first of an endless row of inventions that is no other value's, and no word of a real name."""
        for attempt in count() if (type_, value) not in self.replaced else ():
            # It depends on the secret and the value alone (HMAC-SHA256).
            key = "\0".join((type_, value, str(attempt))).encode("utf-8", "surrogatepass")
            fake = _faker()
            fake.seed_instance(hmac.digest(self._secret, key, "sha256"))
            pseudonym = _invent(fake, type_, value)
            if type_ == "name" and attempt > 20:  # Faker knows about 1,000 plain surnames
                pseudonym += _surname(fake).lower()
            form = canonical(type_, pseudonym)
            if form not in self._taken or attempt > 100:  # there are fewer birthdays than people
                self._taken.add(form)
                self.replaced[type_, value] = pseudonym
                break
        return self.replaced[type_, value]


@cache
def _faker() -> "Faker":
    from faker import Faker

    return Faker()


def canonical(type_: str, text: str) -> str:
    """The form in which two ways of writing the same value are equal, such as +49 30 901820 and 004930901820."""
    if type_ in FORMED:
        return compact(plain_letters(text)[0]).lstrip("0" if type_ == "phone" else "")
    return " ".join(_WORD.findall(plain_letters(text)[0].lower()))


def _written_like(text: str, pseudonym: str) -> str:
    """A pseudonym with the spaces, signs, leading zeros and case of the text that it replaces."""
    characters = iter(compact(text)[: -len(pseudonym)] + pseudonym)
    written = "".join(next(characters, "") if character.isalnum() else character for character in text)
    return written.lower() if text.islower() else written


def _invent(fake: "Faker", type_: str, value: str) -> str:
    match type_:
        case "name":
            return _surname(fake)
        case "email":
            return f"{_surname(fake)}.{fake.numerify('####')}@example.org".lower()
        case "address":
            return f"{fake.numerify('%##')} {_surname(fake)} Street"
        case "birth_date":
            return fake.date_between_dates(date(1940, 1, 1), date(2005, 12, 31)).isoformat()
        case "ip":
            return fake.ipv4_private() if _IPV4.fullmatch(value) else fake.hexify("2001:db8::^^^^:^^^^")
    return _same_form(fake, type_, value)


def _surname(fake: "Faker") -> str:
    while not re.fullmatch(r"[A-Z][a-z]{2,}", name := fake.last_name()):
        pass
    return name


def _same_form(fake: "Faker", type_: str, value: str) -> str:
    """Other digits and letters behind a start that is kept or that nobody's number has; check digits are repaired."""
    starts = {
        "card": value[:4] + "0000",  # the issuer, and zeros where a customer's number goes on
        "iban": value[:4] + re.sub("[A-Z]", "X", re.sub(r"\d", "0", value[4:8])),  # a bank that there is not
        "mac": "02",  # administered locally
        "phone": value[: min(4, len(value) - 5)],  # the country or the area
        "ssn": "900",  # none begins with 9
    }
    start = starts.get(type_, "")
    form = re.sub("[^#]", "?", re.sub(r"\d", "#", value[len(start) :]))
    number = start + fake.bothify(form, letters="ABCDEF")  # letters that hexadecimal numbers have as well
    if type_ == "card":
        return number[:-1] + luhn.calc_check_digit(number[:-1])
    return number[:2] + iban.calc_check_digits(number) + number[4:] if type_ == "iban" else number
