"""Tell real numbers from ones that only look so: check digits, numbering plans, reserved ranges.

Check digits are python-stdnum's; it lacks the issuers of cards.
"""

import ipaddress
import re

from stdnum import iban, luhn

# Visa, Mastercard, American Express, Diners, JCB, Discover and UnionPay, Maestro: first digits and lengths (ISO 7812)
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[0689]\d{12}|35\d{14}|6[0245]\d{14,17}"
    r"|(?:5018|5020|5038|6304)\d{8,15}"
)
# Countries whose national way of writing is recognised; the international way is for all countries.
PHONE_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN")
# Dates, ranges of years, numbers in groups of thousands.
_NO_PHONE = re.compile(
    r"\d{4}[-./]\d\d?[-./]\d\d?(?:\s.*)?|\d\d?[-./]\d\d?[-./]\d{4}(?:\s.*)?"
    r"|(?:1[89]|20)\d\d\s?[-/]\s?(?:1[89]|20)\d\d|\d{1,3}(?: \d{3}){2,}|\d{3}-\d\d-\d{4}"
)
# Domains that are kept for examples and tests (RFC 2606), behind @ or [at].
_RESERVED = re.compile(
    r"(?:[@.]|[\])}]\s?)(?:example(?:\.|\s?[\[({]\s?(?:dot|punkt)\s?[\])}]\s?)(?:com|net|org)"
    r"|example|test|invalid|localhost)$"
)


def compact(number: str) -> str:
    """Letters and digits only, in upper case."""
    return re.sub(r"[\W_]", "", number).upper()


def is_card(number: str) -> bool:
    """Whether it is a payment card number: issuer, length and check digit fit."""
    return bool(_CARD.fullmatch(compact(number))) and luhn.is_valid(compact(number))


def is_iban(number: str) -> bool:
    """Whether it is an IBAN: country, length, form and check digits fit (ISO 13616)."""
    return bool(iban.is_valid(compact(number), check_country=False))


def is_phone(number: str) -> bool:
    """Whether some numbering plan knows it, and it is no date, range of years or large number."""
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
    """An IP address that may be somebody's: not this machine's own, no mask, no broadcast."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    own = address.is_loopback or address.is_unspecified or address.is_multicast
    return bool(re.search(r"\d", text)) and len(text) > 5 and not own and not text.startswith(("0.", "255."))


def is_mailbox(text: str) -> bool:
    """An e-mail address that may be somebody's: no example's, and not ``LIKE '%@gmail.com'``."""
    return bool(re.match(r"[^@]*[^\W_]", text)) and not _RESERVED.search(text.lower())
