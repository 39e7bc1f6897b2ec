"""Find phone numbers: digits that look like one, and that the numbering plan of some country knows.

The plans are those of libphonenumber, through ``phonenumbers``. A bare run of digits is as well a count or an id, so it
needs a word such as "call" before it, whereas an international number (+49 ...) speaks for itself.
"""

import re
from collections.abc import Iterator

from course_utils.data.privacy.kinds import PersonalData

# Countries whose national way of writing is recognised; the international way is for all countries.
REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN")
_CANDIDATE = re.compile(r"(?<![\w.,+(/:=@$€£-])(?:(?:\+|00)\s?)?\(?\d(?:[\s()./-]{0,3}\d){6,16}(?![\w-]|[.,/:]\d|%)")
_WORDS = re.compile(
    r"\b(?:phone|phones|telephone|tel|mobile|cell|cellphone|handy|fax|call|calls|ring|dial|text|sms|whatsapp|signal|telefon|"
    r"reach (?:me|us|him|her|them)|number is|hotline)\b[^\d]{0,25}$",
    re.IGNORECASE,
)
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


def find_phones(text: str) -> Iterator[PersonalData]:
    """Every phone number with a valid country, area and length."""
    for match in _CANDIDATE.finditer(text):
        number = match[0]
        if number.count("(") != number.count(")") or _NO_PHONE.fullmatch(number):
            continue
        announced = bool(_WORDS.search(text, max(0, match.start() - 40), match.start()))
        international = number.startswith(("+", "00"))
        if (international or announced or _GROUPED.fullmatch(number)) and country_of(number):
            yield PersonalData("phone", *match.span(), number, 0.9 if international or announced else 0.75)


def country_of(number: str) -> str:
    """The country code of a valid number, such as ``DE``; empty if no numbering plan knows it."""
    import phonenumbers

    if number.startswith("00"):
        number = f"+{number[2:].strip()}"
    for region in (None,) if number.startswith("+") else REGIONS:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            return phonenumbers.region_code_for_number(parsed) or "001"
    return ""
