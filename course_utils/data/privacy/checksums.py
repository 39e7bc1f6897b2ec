"""Tell real numbers from look-alikes by their check digits: cards, bank accounts, national identities.

Each function takes the number with or without spaces and hyphens.
"""

import re

# ISO 13616 registry: characters of an IBAN by country.
IBAN_LENGTH = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FI FO GL NL SD FK",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU XK MN",
        "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE IE ME RS VA",
        "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST",
        "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HU LB NI PL SV",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU YE",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}
# Issuer ranges and lengths (ISO/IEC 7812): Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay,
# Maestro.
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|(?:6011|65\d\d|64[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|(?:5018|5020|5038|6304)\d{8,15}"
)


def compact(number: str) -> str:
    """Letters and digits only, in upper case."""
    return re.sub(r"[^0-9A-Za-z]", "", number).upper()


def luhn_digit(digits: str) -> str:
    """The check digit to put after `digits` (ISO/IEC 7812-1, annex B)."""
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def is_luhn(number: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others."""
    digits = compact(number)
    return len(digits) > 1 and digits.isdigit() and luhn_digit(digits[:-1]) == digits[-1]


def is_card(number: str) -> bool:
    """Whether it is a payment card number: issuer, length and check digit fit."""
    return bool(_CARD.fullmatch(compact(number))) and is_luhn(number)


def iban_check_digits(country: str, account: str) -> str:
    """The two check digits of an IBAN (ISO 7064, MOD 97-10)."""
    return f"{98 - _as_number(account + country + '00') % 97:02d}"


def is_iban(number: str) -> bool:
    """Whether it is an IBAN: country, length and check digits fit."""
    iban = compact(number)
    return len(iban) == IBAN_LENGTH.get(iban[:2]) and iban[2:4].isdigit() and _as_number(iban[4:] + iban[:4]) % 97 == 1


def _as_number(text: str) -> int:
    return int("".join(str(int(character, 36)) for character in text))


def is_ssn(number: str) -> bool:
    """Whether the US could have issued it: no area 000, 666 or 9xx, no group 00, no serial 0000, no known sample."""
    digits = compact(number)
    return (
        bool(re.fullmatch(r"(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}", digits))
        and digits not in {"123456789", "078051120", "219099999"}
        and len(set(digits)) > 1
    )


def is_german_tax_id(number: str) -> bool:
    """Steuer-Identifikationsnummer: 11 digits, no leading zero, one digit repeated, ISO 7064 MOD 11,10."""
    digits = compact(number)
    if not re.fullmatch(r"[1-9]\d{10}", digits) or len(set(digits[:10])) not in (8, 9):
        return False
    product = 10
    for digit in digits[:10]:
        product = (((int(digit) + product) % 10 or 10) * 2) % 11
    return (11 - product) % 10 == int(digits[10])


def is_spanish_id(number: str) -> bool:
    """DNI or NIE: eight digits (or X, Y, Z and seven) and the letter of the number modulo 23."""
    number = compact(number)
    if not re.fullmatch(r"[0-9XYZ]\d{7}[A-Z]", number):
        return False
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(str("0123456789XYZ".index(number[0]) % 10) + number[1:8]) % 23] == number[8]


def is_french_nir(number: str) -> bool:
    """Numéro de sécurité sociale: 13 digits and the key 97 - number mod 97."""
    number = compact(number)
    return bool(re.fullmatch(r"[12]\d\d(?:0[1-9]|1[0-2])\d{10}", number)) and 97 - int(number[:13]) % 97 == int(
        number[13:]
    )


def is_polish_pesel(number: str) -> bool:
    """PESEL: 11 digits, weights 1 3 7 9."""
    digits = compact(number)
    return (
        bool(re.fullmatch(r"\d\d(?:[02468][1-9]|[13579][0-2])(?:0[1-9]|[12]\d|3[01])\d{5}", digits))
        and sum(int(digit) * weight for digit, weight in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), strict=True))
        % 10
        == 0
    )


def is_swedish_id(number: str) -> bool:
    """Personnummer: a date, three digits and a Luhn digit."""
    digits = compact(number)[-10:]
    return bool(re.fullmatch(r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}", digits)) and is_luhn(digits)


def is_british_nino(number: str) -> bool:
    """National Insurance number: two letters of the issued prefixes, six digits, A to D."""
    return bool(re.fullmatch(r"(?!BG|GB|NK|KN|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", compact(number)))


def is_italian_code(number: str) -> bool:
    """Codice fiscale: the sixteenth letter checks the others."""
    code = compact(number)
    if not re.fullmatch(r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", code):
        return False
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    values = [int(character) if character.isdigit() else ord(character) - 65 for character in code[:15]]
    return chr(65 + (sum(odd[value] for value in values[::2]) + sum(values[1::2])) % 26) == code[15]
