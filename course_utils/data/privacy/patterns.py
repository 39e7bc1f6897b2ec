"""Find personal data by the patterns of ``patterns.toml`` and check digits: fast, offline, no model.

The patterns find values of a fixed form, and names and dates that the words around them mark as personal: "she was born
on 1980-01-01" is found, the condition "patients born after 1980-01-01" is not.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from stdnum import luhn

from course_utils.data.encoding import plain_letters
from course_utils.files import read_toml
from course_utils.tasks import UNSPACED_LETTERS

_DIGIT = re.compile(r"\d")
# Visa, Mastercard, American Express, Diners, JCB, Discover and UnionPay, Maestro: first digits and lengths (ISO 7812)
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[0689]\d{12}|35\d{14}|6[0245]\d{14,17}"
    r"|(?:5018|5020|5038|6304)\d{8,15}"
)
# Countries whose national phone numbers are recognised; international ones (+49 ...) are recognised for all countries.
PHONE_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN")
# What looks like a phone number: dates, ranges of years, numbers in groups of thousands, US social security numbers.
_NO_PHONE = re.compile(
    r"\d{4}[-./]\d\d?[-./]\d\d?(?:\s.*)?|\d\d?[-./]\d\d?[-./]\d{4}(?:\s.*)?"
    r"|(?:1[89]|20)\d\d\s?[-/]\s?(?:1[89]|20)\d\d|\d{1,3}(?: \d{3}){2,}|\d{3}-\d\d-\d{4}"
)
# Letters of scripts without spaces, which touch a number or a name; of Korean in NFKD too.
UNSPACED = re.compile(rf"(?!\d)[{UNSPACED_LETTERS}\u1100-\u11ff]")
# Domains reserved for examples and tests (RFC 2606), after "@", "." or "[at]".
_RESERVED = re.compile(
    r"(?:[@.]|[\])}]\s?)(?:example(?:\.|\s?[\[({]\s?(?:dot|punkt)\s?[\])}]\s?)(?:com|net|org)"
    r"|example|test|invalid|localhost)$"
)


@dataclass(frozen=True)
class Entity:
    """A piece of personal data in a text: ``text == whole[start:end]``."""

    type: str  # one of the types in patterns.toml
    start: int
    end: int
    text: str = field(repr=False)  # a report or a log must not become the next leak

    @property
    def masked(self) -> str:
        """The first two characters and 3 to 10 stars: enough to find the place, too little to use."""
        return self.text[:2] + "*" * min(max(len(self.text) - 2, 3), 10)


class Pattern(NamedTuple):
    """One form of one type of personal data; ``patterns.toml`` explains the fields."""

    type: str
    regex: re.Pattern[str]
    keywords: Sequence[str] = ()
    digits: int = 0
    check: str = ""

    def passes(self, number: str) -> bool:
        """Whether the personal part passes the pattern's check; True if it has none."""
        if self.check.startswith("stdnum."):
            return bool(import_module(self.check).is_valid(compact(number)))
        return not self.check or CHECKS[self.check](number)


def find_by_patterns(text: str) -> list[Entity]:
    """Personal data in a text, in order and without overlaps, whatever Unicode form its letters have; linear time."""
    return without_overlaps(in_plain_letters(text, _find))


def in_plain_letters(text: str, find: Callable[[str], Iterable[Entity]]) -> Iterator[Entity]:
    """Yield what ``find`` finds in a text's plain letters, with its place there; never a part of a Korean syllable."""
    plain, places = plain_letters(text)
    for entity in find(plain):
        start, end = places[entity.start], places[entity.end]
        if places[entity.end - 1] < end and (entity.start == 0 or places[entity.start - 1] < start):
            yield Entity(entity.type, start, end, text[start:end])


def without_overlaps(found: Iterable[Entity]) -> list[Entity]:
    """Of entities that share characters, only the first one in ``found``; sorted by their place in the text."""
    taken: set[int] = set()
    kept = []
    for entity in found:
        places = range(entity.start, entity.end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(entity)
    return sorted(kept, key=lambda entity: entity.start)


def _find(text: str) -> Iterator[Entity]:
    for each in dict.fromkeys((UNSPACED.sub(";", text), text)):  # the sign ends a value that such a letter touches
        yield from _match(each)


def _match(text: str) -> Iterator[Entity]:
    lowered = text.lower()
    n_digits = len(_DIGIT.findall(text))
    for pattern in _patterns():
        if n_digits >= pattern.digits and (not pattern.keywords or any(map(lowered.__contains__, pattern.keywords))):
            for match in pattern.regex.finditer(text):
                if pattern.passes(match["it"]):
                    yield Entity(pattern.type, *match.span("it"), match["it"])


@cache
def load_table() -> dict[str, Any]:
    """The content of ``patterns.toml``, which explains its tables."""
    return read_toml(__file__)


@cache
def _patterns() -> tuple[Pattern, ...]:
    patterns = []
    for each in load_table()["pattern"]:
        regex = each["regex"]
        for name, fragment in reversed(load_table()["fragments"].items()):  # a fragment may hold those above it
            regex = regex.replace(f"<{name}>", fragment)
        patterns.append(Pattern(**{**each, "regex": re.compile(regex.replace("\n", ""))}))
    return tuple(patterns)


def compact(number: str) -> str:
    """The letters and digits of a text, in upper case."""
    return re.sub(r"[\W_]", "", number).upper()


def is_card(number: str) -> bool:
    """Whether a text is a payment card number: issuer, length and check digit fit."""
    return bool(_CARD.fullmatch(compact(number))) and luhn.is_valid(compact(number))


def is_phone(number: str) -> bool:
    """Whether a text is a valid phone number and does not look like a date, a range of years or a large number."""
    import phonenumbers

    if number.count("(") != number.count(")") or _NO_PHONE.fullmatch(number):
        return False
    number = re.sub(r"^00\s*", "+", number)
    for region in (None,) if number.startswith("+") else PHONE_REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def is_outside_address(text: str) -> bool:
    """Whether a text is an IP address that may be somebody's: no loopback, multicast or broadcast address, no mask."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    own = address.is_loopback or address.is_unspecified or address.is_multicast
    return bool(re.search(r"\d", text)) and len(text) > 5 and not own and not text.startswith(("0.", "255."))


def is_mailbox(text: str) -> bool:
    """Whether an e-mail address may be somebody's: not of a reserved domain, and not a pattern such as %@gmail.com."""
    return bool(re.match(r"[^@]*[^\W_]", text)) and not _RESERVED.search(UNSPACED.sub("", text.lower()).rstrip("."))


CHECKS = {check.__name__: check for check in (is_card, is_phone, is_outside_address, is_mailbox)}
"""The checks that ``patterns.toml`` may name, besides the modules of python-stdnum."""
