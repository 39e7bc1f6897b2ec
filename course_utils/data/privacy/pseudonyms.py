"""Make a pseudonym of a value: of the same type and form, derived from a secret key, and nobody's.

Words of names are replaced one by one, so that ``LIKE '%Berg%'`` still finds "Anders Berg". Numbers come from ranges
that are kept for tests or were never issued, where there are such ranges.
"""

import hmac
import ipaddress
import os
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from stdnum import iban, luhn

from course_utils.data.privacy.validators import ISSUERS, compact, country_of, issuer_of
from course_utils.errors import ConfigurationError

if TYPE_CHECKING:
    from faker import Faker

VARIABLE = "COURSE_PSEUDONYM_KEY"
MIN_CHARACTERS = 16
LOCALES = ("de_DE", "en_US", "es_ES", "fr_FR", "it_IT", "nl_NL", "pl_PL")
BY_WORDS = frozenset({"name", "address"})
WORD = re.compile(r"[^\W_]+(?:['’-](?!s\b)[^\W_]+)*")
"""A word of a name: O'Neil and Jean-Luc are one, the s of "Berg's" is none."""
_KEPT = frozenset(
    """van von de der den la le du des da di del al bin dr prof mr mrs ms jr sr rue via calle bis ter street st avenue
    ave road rd boulevard blvd lane ln drive court square terrace crescent close place way""".split()
)
_STREET_END = re.compile(r"(?:stra(?:ß|ss)e|str|weg|platz|gasse|allee|damm|ufer|straat|laan)$")
_ACCENT = re.compile("[\u0300-\u036f]")
SPACED = frozenset({"card", "iban", "mac", "ssn", "national_id", "phone"})
"""Types that are written with spaces and hyphens, or without."""
_FORMS = {  # of Faker's: # is a digit, ^ a hexadecimal one
    "mac": "02^^^^^^^^^^",  # administered locally
    "ssn": "9##0#####",  # none begins with 9
    "url_credentials": "user####:########",
    "secret": "removed-^^^^^^^^^^^^",
}


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
                f"the pseudonym key has fewer than {MIN_CHARACTERS} characters; set {VARIABLE} to a random one: "
                'python -c "import secrets; print(secrets.token_hex(32))"'
            )

    @classmethod
    def from_environment(cls) -> "PseudonymKey":
        """The key in ``COURSE_PSEUDONYM_KEY``.

        Raises:
            ConfigurationError: It is not set, or too short.
        """
        return cls(os.environ.get(VARIABLE, ""))

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
        if type_ in BY_WORDS:
            self._taken |= {fold(word) for word in WORD.findall(text)}

    def replace(self, key: PseudonymKey, type_: str, text: str) -> str:
        """The pseudonym of a value, written as the value is."""
        if type_ in BY_WORDS:
            replaced = WORD.sub(lambda found: self._replace_word(key, found[0]), text)
        elif type_ in SPACED:
            replaced = _spaced_like(text, self._pseudonym(key, type_, canonical(type_, text)))
        else:
            replaced = self._pseudonym(key, type_, canonical(type_, text))
        if (type_, text) in self.originals:
            self.originals[type_, text] = replaced
        return replaced

    def _replace_word(self, key: PseudonymKey, word: str) -> str:
        if len(word) == 1 or word.lower() in _KEPT:  # initials, titles, particles and kinds of streets
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
            # Two people may live in houses of one number, or be born on one day.
            if (value[0].isdigit() and type_ in ("name", "birth_date")) or fold(pseudonym) not in self._taken:
                self._taken.add(fold(pseudonym))
                self.pseudonyms[type_, value] = pseudonym
            attempt += 1
        return self.pseudonyms[type_, value]


def fold(text: str) -> str:
    """A text as it is compared, character by character: small and without accents, which people leave out."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_character(character) for character in text)


@cache
def _fold_character(character: str) -> str:
    if character == "’":
        return "'"
    plain = _ACCENT.sub("", unicodedata.normalize("NFD", character)).lower()
    return plain if len(plain) == 1 else character


def canonical(type_: str, text: str) -> str:
    """The form in which two ways of writing the same value are equal."""
    if type_ == "phone" and text.startswith(("+", "00")):
        return "+" + compact(text).removeprefix("00")
    if type_ in SPACED:
        return compact(text)
    return str(ipaddress.ip_address(text)) if type_ == "ip" else text.lower() if type_ == "email" else text


def _spaced_like(text: str, pseudonym: str) -> str:
    """A compact pseudonym with the spaces, signs and case of the text that it replaces."""
    characters = iter(pseudonym.lstrip("+"))
    kept = 2 if pseudonym.startswith("+") and text.startswith("00") else 0
    spaced = "".join(next(characters, "") if c.isalnum() and place >= kept else c for place, c in enumerate(text))
    return spaced.lower() if text.islower() else spaced


def _invent(fake: "Faker", type_: str, value: str) -> str:
    if type_ in _FORMS:
        return fake.hexify(fake.numerify(_FORMS[type_]), upper=type_ == "mac")
    if type_ == "birth_date":
        return fake.date_between_dates(date(1940, 1, 1), date(2005, 12, 31)).isoformat()
    makers = {"name": _name_word, "email": _email, "card": _card, "iban": _iban, "phone": _phone, "ip": _ip}
    return makers.get(type_, _same_form)(fake, value)


def _name_word(fake: "Faker", word: str) -> str:
    if word[0].isdigit():  # of a house
        return _same_form(fake, word)
    end = _STREET_END.search(word)
    return _surname(fake) + (end[0] if end else "")


def _email(fake: "Faker", _: str) -> str:
    return f"{_surname(fake)}.{_surname(fake)}.{fake.numerify('####')}@example.org".lower()


def _ip(fake: "Faker", value: str) -> str:
    """An address of the networks for measurements (RFC 2544) or documentation (RFC 3849)."""
    start, n_bits = ("2001:db8::", 64) if ":" in value else ("198.18.0.0", 17)
    return str(ipaddress.ip_address(start) + fake.random.getrandbits(n_bits))


def _surname(fake: "Faker") -> str:
    while not re.fullmatch(r"[A-Z][a-z]{2,}", name := fake.last_name()):
        pass
    return name


def _card(fake: "Faker", value: str) -> str:
    start = ISSUERS[issuer_of(value) or "Visa"][1]
    digits = start + fake.numerify("#" * (len(value) - len(start) - 1))
    return digits + luhn.calc_check_digit(digits)


def _iban(fake: "Faker", value: str) -> str:
    """The same country and form; a bank code of zeros or X, which no bank has."""
    account = "".join("0" if c.isdigit() else "X" for c in value[4:8]) + _same_form(fake, value[8:])
    return value[:2] + iban.calc_check_digits(f"{value[:2]}00{account}") + account


def _phone(fake: "Faker", value: str) -> str:
    """The same country and length; a US number gets the exchange 555."""
    country = country_of(value)
    n_kept = min(6 if value.startswith("+") else 4, len(value) - 5)
    form = f"{value[:-7]}555####" if country in ("US", "CA") else value[:n_kept] + "#" * (len(value) - n_kept)
    numbers = (fake.numerify(form) for _ in range(100))
    return next((number for number in numbers if country_of(number) == country), fake.numerify(form))


def _same_form(fake: "Faker", value: str) -> str:
    return fake.bothify(re.sub("[A-Za-z]", "?", re.sub(r"\d", "#", value)), letters="ABCDEFGHJKLMNPRSTUVWXYZ")
