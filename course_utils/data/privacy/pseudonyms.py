"""Make a pseudonym of a value: the same kind and form, derived from a secret key, and nobody's.

Words of names are replaced one by one, so that ``LIKE '%Berg%'`` still finds "Anders Berg". Numbers come from ranges
that are kept for tests or were never issued, where there are such ranges.
"""

import ipaddress
import random
import re
import string
from collections.abc import Callable
from functools import cache

from course_utils.data.privacy import checksums
from course_utils.data.privacy.context_patterns import STREET
from course_utils.data.privacy.dates import days_of, shift_date
from course_utils.data.privacy.keys import PseudonymKey
from course_utils.data.privacy.kinds import Kind
from course_utils.data.privacy.phones import country_of

LOCALES = ("de_DE", "en_US", "es_ES", "fr_FR", "it_IT", "nl_NL", "pl_PL")
WORD = re.compile(r"[^\W_]+(?:['’-](?!s\b)[^\W_]+)*")
"""A word of a name: O'Neil and Jean-Luc are one, the s of "Berg's" is none."""
BY_WORDS: frozenset[Kind] = frozenset({"name", "address"})
_KEPT = re.compile(
    rf"(?:van|von|de|der|den|la|le|du|des|da|di|del|al|bin|dr|prof|mr|mrs|ms|jr|sr|rue|via|calle|bis|ter|{STREET}|.)",
    re.IGNORECASE,
)
_STREET_END = re.compile(r"(?:straße|strasse|weg|platz|gasse|allee|damm|ufer|straat|laan)$", re.IGNORECASE)
# The networks' own test numbers begin so; other numbers of these ranges are not given out.
_TEST_CARD = {
    "4": "400000",
    "5": "555555",
    "2": "222300",
    "34": "378282",
    "37": "378282",
    "30": "305693",
    "36": "305693",
}
_TEST_CARD |= {
    "38": "305693",
    "39": "305693",
    "35": "353011",
    "60": "601111",
    "64": "601111",
    "65": "601111",
    "62": "620000",
}


def make_pseudonym(key: PseudonymKey, kind: Kind, value: str, attempt: int = 0) -> str:
    """A pseudonym in its compact form; for the kinds ``BY_WORDS`` that of one word.

    Args:
        key: The secret.
        kind: What the value is.
        value: The value in its canonical form (``canonical``).
        attempt: Counts up when the pseudonym is taken.
    """
    chances = key.chances(kind if kind not in BY_WORDS else "word", value, str(attempt))
    if kind == "birth_date":
        return shift_date(value, days_of(key))
    makers: dict[Kind, Callable[[random.Random, str], str]] = {
        "name": _word,
        "address": _word,
        "email": _email,
        "card": _card,
        "iban": _iban,
        "phone": _phone,
        "ip": _ip,
        "mac": lambda chances, value: "02" + "".join(chances.choices("0123456789ABCDEF", k=len(value) - 2)),
        "ssn": lambda chances, value: f"9{_digits(chances, 2)}0{_digits(chances, 5)}",
        "national_id": _same_form,
        "url_credentials": lambda chances, value: f"user{_digits(chances, 4)}:{_digits(chances, 8)}",
        "secret": lambda chances, value: f"removed-{chances.randbytes(6).hex()}",
    }
    return makers[kind](chances, value)


def canonical(kind: Kind, text: str) -> str:
    """The form in which two ways of writing the same value are equal."""
    if kind == "ip":
        return str(ipaddress.ip_address(text))
    if kind == "phone":
        digits = checksums.compact(text)
        return f"+{digits.removeprefix('00')}" if text.startswith(("+", "00")) else digits
    if kind in ("card", "iban", "mac", "ssn", "national_id"):
        return checksums.compact(text)
    if kind in ("secret", "url_credentials", "birth_date"):
        return text
    return " ".join(text.lower().split())


def write_like(kind: Kind, pseudonym: str, text: str) -> str:
    """A compact pseudonym with the spaces, signs and case of the text that it replaces."""
    if kind in ("card", "iban", "mac", "ssn", "national_id", "phone"):
        digits = iter(pseudonym.lstrip("+"))
        skip = 2 if kind == "phone" and text.startswith("00") else 0
        filled = "".join(next(digits, "") if place >= skip and c.isalnum() else c for place, c in enumerate(text))
        return filled.lower() if text.islower() else filled
    return in_case_of(pseudonym, text) if kind == "email" or kind in BY_WORDS else pseudonym


def in_case_of(pseudonym: str, text: str) -> str:
    """The pseudonym in small letters or capitals where the text is."""
    return pseudonym.lower() if text.islower() else pseudonym.upper() if text.isupper() else pseudonym


def is_kept(word: str) -> bool:
    """Whether a word of a name or an address stays: a particle, a title, an initial, the kind of street."""
    return bool(_KEPT.fullmatch(word))


def _word(chances: random.Random, word: str) -> str:
    if word[0].isdigit():
        return str(chances.randint(1, 10 ** len(re.match(r"\d+", word)[0]) - 1))  # type: ignore[index]
    if end := _STREET_END.search(word):
        return _pick(chances, _last_names()) + end[0].lower()
    return _pick(chances, _first_names() if word in _lower_first_names() else _last_names())


def _email(chances: random.Random, value: str) -> str:
    name = f"{_pick(chances, _first_names())}.{_pick(chances, _last_names())}.{_digits(chances, 4)}"
    return f"{name.lower()}@example.org"


def _card(chances: random.Random, value: str) -> str:
    start = _TEST_CARD.get(value[:1]) or _TEST_CARD.get(value[:2], "400000")
    digits = start + _digits(chances, len(value) - len(start) - 1)
    return digits + checksums.luhn_digit(digits)


def _iban(chances: random.Random, value: str) -> str:
    """The same country and form; a bank code of zeros or X, which no bank has."""
    account = "".join("0" if character.isdigit() else "X" for character in value[4:8]) + _same_form(chances, value[8:])
    return value[:2] + checksums.iban_check_digits(value[:2], account) + account


def _phone(chances: random.Random, value: str) -> str:
    """The same country and length; a US number gets the exchange 555."""
    country = country_of(value)
    for _ in range(100):
        if country in ("US", "CA"):
            area = value[:-7]
            number = f"{area}555{_digits(chances, 4)}"
        else:
            kept = min(6, len(value) - 5) if value.startswith("+") else min(4, len(value) - 5)
            number = value[:kept] + _digits(chances, len(value) - kept)
        if country_of(number) == country:
            break
    return number


def _ip(chances: random.Random, value: str) -> str:
    if ipaddress.ip_address(value).version == 4:
        return f"198.{chances.randint(18, 19)}.{chances.randint(0, 255)}.{chances.randint(1, 254)}"  # RFC 2544
    return str(ipaddress.ip_address("2001:db8::") + chances.getrandbits(64))  # RFC 3849


def _digits(chances: random.Random, n: int) -> str:
    return "".join(chances.choices(string.digits, k=n))


def _same_form(chances: random.Random, value: str) -> str:
    return "".join(chances.choice(string.digits if c.isdigit() else string.ascii_uppercase) for c in value)


def _pick(chances: random.Random, names: tuple[str, ...]) -> str:
    return names[chances.randrange(len(names))]


@cache
def _first_names() -> tuple[str, ...]:
    return _names("first_names")


@cache
def _last_names() -> tuple[str, ...]:
    return _names("last_names")


@cache
def _lower_first_names() -> frozenset[str]:
    return frozenset(name.lower() for name in _first_names())


def _names(what: str) -> tuple[str, ...]:
    """Faker's names of all locales, plain words only, in a fixed order."""
    from importlib import import_module

    names = {
        str(name)
        for locale in LOCALES
        for name in getattr(import_module(f"faker.providers.person.{locale}").Provider, what)
    }
    return tuple(sorted(name for name in names if re.fullmatch(r"[A-Z][a-z]{2,}", name)))
