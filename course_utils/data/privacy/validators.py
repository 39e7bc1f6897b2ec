"""Tell real numbers from ones that only look so: check digits, numbering plans, reserved ranges.

Check digits are python-stdnum's; it lacks the issuers of cards.
"""

import ipaddress
import re
from collections.abc import Callable
from importlib import import_module

from stdnum import iban, luhn

# Issuer ranges and lengths (ISO/IEC 7812), with the first digits of the network's own test numbers.
ISSUERS = {
    "Visa": (r"4\d{12}(?:\d{3}){0,2}", "400000"),
    "Mastercard": (r"(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}", "555555"),
    "American Express": (r"3[47]\d{13}", "378282"),
    "Diners": (r"3(?:0[0-5]|[689]\d)\d{11}", "305693"),
    "Discover": (r"(?:6011|65\d\d|64[4-9]\d)\d{12}", "601111"),
    "JCB": (r"35(?:2[89]|[3-8]\d)\d{12}", "353011"),
    "UnionPay": (r"62\d{14,17}", "620000"),
    "Maestro": (r"(?:5018|5020|5038|6304)\d{8,15}", "630495"),
}
# Countries whose national way of writing is recognised; the international way is for all countries.
PHONE_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN")
# Dates, ranges of years, numbers in groups of thousands.
_NO_PHONE = re.compile(
    r"\d{4}[-./]\d\d?[-./]\d\d?(?:\s.*)?|\d\d?[-./]\d\d?[-./]\d{4}(?:\s.*)?"
    r"|(?:1[89]|20)\d\d\s?[-/]\s?(?:1[89]|20)\d\d|\d{1,3}(?: \d{3}){2,}|\d{3}-\d\d-\d{4}"
)
# The ways of writing a national number that nothing else has: (415) 555-2671, 415.555.2671, 0171/1234567.
_GROUPED = re.compile(
    r"\(\d{3}\)\s?\d{3}[\s.-]\d{4}|\d{3}([\s.-])\d{3}\1\d{4}|1-\d{3}-\d{3}-\d{4}"
    r"|0\d{1,5}(?:[\s/-]\d{2,8})+|\(0\d{1,5}\)\s?\d[\d\s-]+"
)
_AT = re.compile(r"\s?[\[({]\s?at\s?[\])}]\s?")
_DOT = re.compile(r"\s?(?:[\[({]\s?(?:dot|punkt)\s?[\])}]|\.)\s?")
_RESERVED = re.compile(r"[@.](?:example\.(?:com|net|org)|example|test|invalid|localhost)$")  # RFC 2606


def compact(number: str) -> str:
    """Letters and digits only, in upper case."""
    return re.sub(r"[^0-9A-Za-z]", "", number).upper()


def check_named(name: str) -> Callable[[str], bool]:
    """A function of this module, or a module of python-stdnum that is loaded when the first number needs it.

    Args:
        name: Such as ``is_card`` or ``stdnum.de.idnr``.
    """
    if not name.startswith("stdnum."):
        check: Callable[[str], bool] = globals()[name]
        return check
    return lambda number: bool(import_module(name).is_valid(compact(number)))


def issuer_of(number: str) -> str:
    """The card network of a number whose length fits, such as ``Visa``; empty if there is none."""
    return next((name for name, (form, _) in ISSUERS.items() if re.fullmatch(form, compact(number))), "")


def is_card(number: str) -> bool:
    """Whether it is a payment card number: issuer, length and check digit fit."""
    return bool(issuer_of(number)) and luhn.is_valid(compact(number))


def is_iban(number: str) -> bool:
    """Whether it is an IBAN: country, length, form and check digits fit (ISO 13616)."""
    return bool(iban.is_valid(compact(number), check_country=False))


def is_phone(number: str) -> bool:
    """Whether some numbering plan knows it, and it is no date, range of years or large number."""
    return number.count("(") == number.count(")") and not _NO_PHONE.fullmatch(number) and bool(country_of(number))


def is_grouped_phone(number: str) -> bool:
    """A phone number that its grouping gives away; a bare run of digits is as well a count or an id."""
    return bool(_GROUPED.fullmatch(number)) and is_phone(number)


def country_of(number: str) -> str:
    """The country code of a valid phone number, such as ``DE``; empty if no numbering plan knows it."""
    import phonenumbers

    number = re.sub(r"^00\s*", "+", number)
    for region in (None,) if number.startswith("+") else PHONE_REGIONS:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            return phonenumbers.region_code_for_number(parsed) or "001"
    return ""


def is_outside_address(text: str) -> bool:
    """An IP address that may be somebody's: not this machine's own, no mask, no broadcast."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    own = address.is_loopback or address.is_unspecified or address.is_multicast
    return bool(re.search(r"\d", text)) and len(text) > 5 and not own and not text.startswith(("0.", "255."))


def is_mailbox(text: str) -> bool:
    """An e-mail address that may be somebody's, as it is or with ``[at]`` and ``[dot]``.

    Nobody's are the domains that are kept for examples and tests, and ``LIKE '%@gmail.com'``.
    """
    plain = _DOT.sub(".", _AT.sub("@", text.lower()))
    return bool(re.match(r"[^@]*[^\W_]", plain)) and not _RESERVED.search(plain)
