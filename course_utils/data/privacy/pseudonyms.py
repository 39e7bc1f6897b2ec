"""Make a pseudonym of a value: of the same type and form, and derived from a secret key.

Words of names are replaced one by one, so that ``LIKE '%Berg%'`` still finds "Anders Berg". Numbers keep their form,
their country or issuer, and a check digit that fits, and come from ranges that were never issued where there are some.
"""

import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from stdnum import iban, luhn

from course_utils.data.privacy.validators import compact
from course_utils.errors import ConfigurationError

if TYPE_CHECKING:
    from faker import Faker

MIN_CHARACTERS = 16
LOCALES = ("de_DE", "en_US", "es_ES", "fr_FR", "it_IT", "nl_NL", "pl_PL")
NUMBERS = frozenset({"card", "iban", "mac", "national_id", "phone", "ssn"})
"""Types of digits and letters that are written with spaces and signs, or without."""
WORD = re.compile(r"[^\W_]+(?:['’-](?!s\b)[^\W_]+)*")
"""A word of a name: O'Neil and Jean-Luc are one, the s of "Berg's" is none."""
_KEPT = frozenset("van von de der den la le du des da di del al bin dr prof mr mrs ms jr sr".split())
_ACCENT = re.compile("[\u0300-\u036f]")


@dataclass(frozen=True)
class PseudonymKey:
    """A secret of at least ``MIN_CHARACTERS``; there is no default.

    Who has it can test a guess ("is this Anna Schmidt?"), so keep it as safe as the mapping.

    Raises:
        ConfigurationError: The secret is too short.
    """

    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_CHARACTERS:
            raise ConfigurationError(
                f"the pseudonym key has fewer than {MIN_CHARACTERS} characters; keep a random one in the environment: "
                'python -c "import secrets; print(secrets.token_hex(32))"'
            )

    def faker(self, *parts: str) -> "Faker":
        """A source of invented data that depends on the key and the parts alone (HMAC-SHA256)."""
        digest = hmac.digest(self.secret.encode("utf-8"), "\0".join(parts).encode("utf-8", "surrogatepass"), "sha256")
        fake = _faker(LOCALES[digest[0] % len(LOCALES)])
        fake.seed_instance(digest)
        return fake


@cache
def _faker(locale: str) -> "Faker":
    from faker import Faker

    return Faker(locale)


@dataclass(repr=False)  # a notebook or a log must not show it
class PseudonymMapping:
    """Real values and their pseudonyms; whoever has it can undo the anonymisation, so keep it apart from the data."""

    originals: dict[tuple[str, str], str] = field(default_factory=dict)  # (type, text as found) to its pseudonym
    pseudonyms: dict[tuple[str, str], str] = field(default_factory=dict)  # by canonical value; those of names by word
    _taken: set[str] = field(default_factory=set)  # pseudonyms, and words of real names: no new pseudonym may be one

    def add_original(self, type_: str, text: str) -> None:
        """Make a value known, before the first pseudonym is made."""
        self.originals.setdefault((type_, text), "")
        if type_ == "name":
            self._taken |= {fold(word) for word in WORD.findall(text)}

    def replace(self, key: PseudonymKey, type_: str, text: str) -> str:
        """The pseudonym of a value, written as the value is."""
        if type_ == "name":
            replaced = WORD.sub(lambda found: self._replace_word(key, found[0]), text)
        else:
            replaced = self._pseudonym(key, type_, canonical(type_, text))
            replaced = _spaced_like(text, replaced) if type_ in NUMBERS else replaced
        if (type_, text) in self.originals:
            self.originals[type_, text] = replaced
        return replaced

    def _replace_word(self, key: PseudonymKey, word: str) -> str:
        if len(word) == 1 or word.lower() in _KEPT:  # initials, titles and particles
            return word
        pseudonym = self._pseudonym(key, "name", fold(word))
        return pseudonym.lower() if word.islower() else pseudonym.upper() if word.isupper() else pseudonym

    def _pseudonym(self, key: PseudonymKey, type_: str, value: str) -> str:
        attempt = 0
        while (type_, value) not in self.pseudonyms:
            fake = key.faker(type_, value, str(attempt))
            pseudonym = _invent(fake, type_, value)
            if type_ == "name" and attempt > 20:  # Faker knows about 6,000 plain surnames
                pseudonym += _surname(fake).lower()
            if fold(pseudonym) not in self._taken or attempt > 100:  # there are fewer birthdays than people
                self._taken.add(fold(pseudonym))
                self.pseudonyms[type_, value] = pseudonym
            attempt += 1
        return self.pseudonyms[type_, value]


def fold(text: str) -> str:
    """A text as it is compared, character by character: small and without accents, which people leave out."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_character(character) for character in text.replace("’", "'"))


@cache
def _fold_character(character: str) -> str:
    plain = _ACCENT.sub("", unicodedata.normalize("NFD", character)).lower()
    return plain if len(plain) == 1 else character


def canonical(type_: str, text: str) -> str:
    """The form in which two ways of writing the same value are equal, such as +49 30 901820 and 004930901820."""
    if type_ in NUMBERS:
        return compact(text).lstrip("0") if type_ == "phone" else compact(text)
    return str(ip_address(text)) if type_ == "ip" else fold(text)


def _spaced_like(text: str, number: str) -> str:
    """A number with the spaces, signs, leading zeros and case of the text that it replaces."""
    characters = iter(compact(text)[: -len(number)] + number)
    spaced = "".join(next(characters, "") if character.isalnum() else character for character in text)
    return spaced.lower() if text.islower() else spaced


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
            return fake.hexify("2001:db8::^^^^:^^^^") if ":" in value else fake.ipv4_private()
    return _number(fake, type_, value)


def _surname(fake: "Faker") -> str:
    while not re.fullmatch(r"[A-Z][a-z]{2,}", name := fake.last_name()):
        pass
    return name


def _number(fake: "Faker", type_: str, value: str) -> str:
    """The same form with other digits and letters, behind a start that is kept or that nobody's number has."""
    starts = {
        "card": value[:4] + "0000",  # the issuer, and zeros where a customer's number goes on
        "iban": value[:4] + re.sub("[A-Z]", "X", re.sub(r"\d", "0", value[4:8])),  # a bank that there is not
        "mac": "02",  # administered locally
        "phone": value[: min(4, len(value) - 5)],  # the country or the area
        "ssn": "900",  # none begins with 9
    }
    start = starts.get(type_, "")
    form = re.sub("[A-Za-z]", "?", re.sub(r"\d", "#", value[len(start) :]))
    number = start + fake.bothify(form, letters="ABCDEF")  # letters that hexadecimal numbers have as well
    if type_ == "card":
        return number[:-1] + luhn.calc_check_digit(number[:-1])
    return number[:2] + iban.calc_check_digits(number) + number[4:] if type_ == "iban" else number
