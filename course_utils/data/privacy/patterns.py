"""Find personal data by patterns and check digits: fast, offline, no model.

It sees what has a form (addresses, numbers, keys) and names that the words around them give away; it does not know who
is a person, as a named-entity model does. "Patients born after 1980-01-01" is a condition, and "she was born on
1980-01-01" is a person.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from course_utils.data.privacy import numbers
from course_utils.data.privacy.entities import Entity, without_overlaps


class Pattern(NamedTuple):
    """One form of one type; the group ``it`` is the personal part, and must be `valid`."""

    type: str
    regex: str
    valid: Callable[[str], bool] = bool


_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
DATE = (
    rf"(?:\d{{4}}-\d\d?-\d\d?|\d\d?[./-]\d\d?[./-](?:\d{{4}}|\d\d)"
    rf"|\d\d?(?:st|nd|rd|th)?\.?\s(?:of\s)?{_MONTH},?\s\d{{4}}|{_MONTH}\s\d\d?(?:st|nd|rd|th)?,?\s\d{{4}})"
)
# A capital and small letters of any alphabet; O'Neil, Jean-Luc, MacLeod.
_NAME = r"(?:[^\W\d_a-z][’'][^\W\d_]+|[^\W\d_a-z][^\W\d_A-Z]+(?:[A-Z][a-z]+)?(?:-[^\W\d_a-z][^\W\d_A-Z]+)*)"
_FULL_NAME = rf"{_NAME}(?:\s(?:[A-Z]\.\s)?(?:van\s|von\s|de\s|der\s|la\s|da\s|al-|bin\s)*{_NAME}){{1,2}}"
STREET = (
    r"Street|St\.?|Avenue|Ave\.?|Road|Rd\.?|Boulevard|Blvd\.?|Lane|Ln\.?|Drive|Court|Square|Terrace|Crescent|Close"
    r"|Place|Way"
)
_MY_NAME = r"my name is|my name's|mein name ist|je m'appelle|me llamo"
_INTRODUCES = (
    rf"{_MY_NAME}|this is|i am|i'm|name:|signed by|signed|regards,?|sincerely,?|yours,?|contact|call|ask for|speak to"
    r"|talk to|write to|reach|e-?mail|phone|invoice for|on behalf of|attention|attn:?"
)
_TITLE = r"(?:M(?:r|s|rs|iss)\.?|Herrn?|Frau|M(?:onsieur|adame|me)|Dr\.?|Prof\.?)"
_PHONE_START, _PHONE_END = r"(?<![\w.,+(/:=@$€£-])", r"(?![\w-]|[.,/:]\d|%)"
_PHONE_DIGITS = r"\(?\d(?:[\s()./-]{0,3}\d){6,16}"
_PHONE_WORDS = (
    r"phones?|telephone|tel|mobile|cell|cellphone|handy|fax|calls?|ring|dial|text|sms|whatsapp|signal|telefon"
    r"|reach (?:me|us|him|her|them)|number is|hotline"
)

# Where two patterns find the same characters, the one above wins.
PATTERNS = (
    Pattern(
        "secret", r"(?P<it>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:[\s\S]*?-----END (?:[A-Z]+ )*PRIVATE KEY-----)?)"
    ),
    Pattern("secret", r"\b(?P<it>(?:AKIA|ASIA|AGPA|AIDA|AROA)[0-9A-Z]{16})\b"),  # AWS
    Pattern("secret", r"\b(?P<it>gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,})"),
    Pattern("secret", r"\b(?P<it>sk-[A-Za-z0-9_-]{20,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|xox[abeoprs]-[\w-]{10,})"),
    Pattern("secret", r"\b(?P<it>AIza[\w-]{35}|eyJ[\w-]{6,}\.eyJ[\w-]{6,}\.[\w-]{6,})"),  # Google, JWT
    Pattern("url_credentials", r"(?i)\b[a-z][a-z0-9+.-]{0,15}://(?P<it>[^\s/:@'\"]+:[^\s/@'\"]+)@[\w.-]+"),
    Pattern(
        "email",
        r"(?i)(?<![\w.+%/:-])(?P<it>[\w+%](?:[\w.+%'-]{0,62}[\w+%-])?"
        r"@(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?:xn--[a-z0-9-]+|[^\W\d_]{2,}))(?![\w@])",
        numbers.is_mailbox,
    ),
    Pattern(
        "email",  # tom.reed [at] posteo [dot] de
        r"(?i)(?<![\w.+-])(?P<it>[\w.+-]{1,64}\s?[\[({]\s?at\s?[\])}]\s?[\w-]+"
        r"(?:\s?(?:\.|[\[({]\s?(?:dot|punkt)\s?[\])}])\s?\w+)+)",
        numbers.is_mailbox,
    ),
    Pattern("card", r"(?<![\w.,-])(?P<it>\d(?:[ -]?\d){11,18})(?![\w-]|[.,]\d)", numbers.is_card),
    Pattern("mac", r"(?i)(?<![\w:-])(?P<it>[0-9a-f]{2}(?P<s>[:-])(?:[0-9a-f]{2}(?P=s)){4}[0-9a-f]{2})(?![\w:-])"),
    Pattern("mac", r"(?i)(?<![\w.])(?=[\d.]*[a-f])(?P<it>[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![\w.])"),
    Pattern("national_id", r"\b(?P<it>\d{8}-?[A-Z])\b", numbers.checked_by("es.dni")),
    Pattern("national_id", r"\b(?P<it>[XYZ]-?\d{7}-?[A-Z])\b", numbers.checked_by("es.nie")),
    Pattern("national_id", r"\b(?P<it>[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D])\b", numbers.is_nino),
    Pattern(
        "national_id", r"(?i)\b(?P<it>[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z])\b", numbers.checked_by("it.codicefiscale")
    ),
    Pattern(
        "national_id",
        r"(?<![\w.-])(?P<it>[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?\d\d ?\d{3} ?\d{3} ?\d\d)(?![\w.-]*\d)",
        numbers.checked_by("fr.nir"),
    ),
    Pattern("national_id", r"(?<![\w.-])(?P<it>(?:19|20)?\d{6}-\d{4})(?![\w-])", numbers.checked_by("se.personnummer")),
    Pattern("national_id", r"(?<![\w.-])(?P<it>\d\d \d{3} \d{3} \d{3})(?![\w-])", numbers.checked_by("de.idnr")),
    Pattern(
        "national_id",
        r"(?i)\b(?:steuer-?id(?:nr)?|steueridentifikationsnummer|idnr|tin|tax (?:id|number|identification number))\b"
        r"\W*(?:is|=|:)?\W*(?P<it>\d{11})\b",
        numbers.checked_by("de.idnr"),
    ),
    Pattern("national_id", r"(?i)\bpesel\b\W*(?:number|is|no\.?)?\W*(?P<it>\d{11})\b", numbers.checked_by("pl.pesel")),
    Pattern(
        "ip",
        r"(?i)(?<![\w.])(?<!version\s)(?<!release\s)(?<!section\s)(?<!chapter\s)(?<!build\s)"
        r"(?P<it>\d{1,3}(?:\.\d{1,3}){3})(?![\w-]|\.\d)",
        numbers.is_outside_address,
    ),
    Pattern("ip", r"(?i)(?<![\w:.])(?P<it>(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4})(?![\w:-])", numbers.is_outside_address),
    Pattern("ssn", r"(?<![\w.-])(?P<it>\d{3}(?P<s>[- ])\d\d(?P=s)\d{4})(?![\w-]|\.\d)", numbers.is_ssn),
    Pattern(
        "ssn",
        r"(?i)\b(?:ssn|social security(?: number| no\.?)?)\b\W*(?:is|was|=|:)?\W*(?P<it>\d{9})\b",
        numbers.is_ssn,
    ),
    Pattern("phone", rf"{_PHONE_START}(?P<it>(?:\+|00)\s?{_PHONE_DIGITS}){_PHONE_END}", numbers.is_phone),
    Pattern(
        "phone",
        rf"(?i)\b(?:{_PHONE_WORDS})\b\D{{0,25}}?{_PHONE_START}(?P<it>{_PHONE_DIGITS}){_PHONE_END}",
        numbers.is_phone,
    ),
    Pattern(
        "secret",  # my password is ...: letters and signs or digits together, as no word and no number has them
        r"(?i)\b(?:password|passwd|pwd|passphrase|secret|api[ _-]?key|access[ _-]?(?:key|token))\b(?:\s+is|\s*[:=])\s*"
        r"['\"]?(?![a-z]+[-_][a-z_-]+(?:[\s'\",;]|$))(?=[^\s'\",;]*[a-z])(?=[^\s'\",;]*[\d!#$%&*+?@^_-])"
        r"(?P<it>[^\s'\",;]{6,})",
    ),
    Pattern("phone", rf"{_PHONE_START}(?P<it>{_PHONE_DIGITS}){_PHONE_END}", numbers.is_grouped_phone),
    Pattern(
        "birth_date",
        r"(?i)\b(?:(?:my|his|her|their) (?:date of birth|birth ?date|birthday|dob)(?:\sis|\swas|:)?|dob\s?[:=]?"
        r"|date of birth\s?[:=]|(?:i|he|she) was born(?: on)?|i'm born(?: on)?|geb(?:oren)?\.?(?: am)?)"
        rf"\s?(?P<it>{DATE})\b",
    ),
    Pattern("birth_date", rf"\b{_FULL_NAME},? (?:was )?(?:born|b\.)(?: on)? (?P<it>(?i:{DATE}))\b"),
    Pattern(
        "address",  # 221B Baker Street
        rf"(?<![\w.-])(?P<it>\d{{1,5}}[a-zA-Z]?,? (?:{_NAME} |[NSEW]\.? |\d{{1,3}}(?:st|nd|rd|th) ){{1,3}}"
        rf"(?:{STREET}))(?!\w)",
    ),
    Pattern(
        "address",  # Hauptstraße 12
        r"\b(?P<it>[A-ZÄÖÜ][\wäöüß.-]*(?:straße|strasse|str\.|weg|platz|gasse|allee|damm|ufer|straat|laan)"
        r"\s\d{1,4}(?:\s?[a-z]\b)?)(?!\d)",
    ),
    Pattern(
        "address",  # 12 rue de la Paix
        r"(?<![\w.-])(?P<it>\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|quai|chemin) "
        rf"(?:d[eu] (?:la |l')?|des |d'|du )?{_NAME}(?: {_NAME})*)",
    ),
    Pattern(
        "address",  # via Garibaldi 7
        rf"\b(?P<it>(?i:via|calle|rua|ulica|ul\.|piazza|plaza) (?:d[aei]l?l?[aeo]? )?{_NAME}(?: {_NAME})*"
        r",? \d{1,4})\b",
    ),
    Pattern("name", rf"\b(?i:{_INTRODUCES})\s(?P<it>{_FULL_NAME})"),
    Pattern("name", rf"\b(?i:{_MY_NAME})\s(?P<it>{_NAME})"),
    Pattern("name", rf"\b{_TITLE}\s(?:Dr\.?\s)?(?P<it>{_NAME}(?:\s{_NAME})?)"),
)
_COMPILED = tuple((pattern, re.compile(pattern.regex)) for pattern in PATTERNS)
_IBAN = re.compile(r"(?i)\b(?=(?P<it>[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]){11,30}\b))")
# One look that almost every ordinary question fails, so that the patterns run on few texts: signs, and words that
# announce somebody. Both are wider than the patterns.
_SIGNS = re.compile(
    r"@|[\[({]\s?[Aa][Tt]\s?[\])}]|://|-----B|eyJ|AIza|\d(?:[\s()./-]{0,3}\d){6}|\d\.\d{1,3}\.\d"
    r"|[0-9A-Fa-f:]:[0-9A-Fa-f]{0,4}:|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.|A(?:KIA|SIA|GPA|IDA|ROA)[0-9A-Z]"
    r"|(?:[0-9A-Fa-f]{2}-){4}|gh[pousr]_|github_pat_|glpat-|hf_[A-Za-z0-9]{30}|sk-\w|[sr]k_(?:live|test)|xox[a-z]-"
    r"|[A-Za-z]{2}\d\d[ -]?[A-Za-z0-9]{4}|[A-Z]{2} ?\d\d ?\d\d ?\d\d|[XYZ]-?\d{7}|[A-Za-z]{6}\d\d[A-Za-z]"
    r"|\d[A-Za-z]?(?: bis| ter)?,? (?:rue|avenue|boulevard|place|quai|chemin)"
    r"|(?:straße|strasse|str\.|weg|platz|gasse|allee|damm|ufer|straat|laan) \d|[Nn]ame:"
)
_WORD = re.compile(r"[^\W\d_]+")
_TRIGGERS = frozenset(
    """password passwd pwd passphrase secret key apikey token ssn social dob born birth birthday birthdate geb geboren
    steuer steuerid steueridnr idnr steueridentifikationsnummer tin tax pesel my i this mein je me signed regards
    sincerely yours contact call ask speak talk write reach email mail phone invoice behalf attention attn mr ms mrs
    miss herr herrn frau m monsieur madame mme dr prof via calle rua ulica ul piazza plaza street st avenue ave road rd
    boulevard blvd lane ln drive court square terrace crescent close place way""".split()
)


def find_by_patterns(text: str) -> list[Entity]:
    """Personal data in a text, without overlaps, in the order of the text.

    Args:
        text: A question, a query or any other text; the time is linear in its length.
    """
    if not _SIGNS.search(text) and _TRIGGERS.isdisjoint(_WORD.findall(text.lower())):
        return []
    found = (
        Entity(pattern.type, *match.span("it"), match["it"])
        for pattern, regex in _COMPILED
        for match in regex.finditer(text)
        if pattern.valid(match["it"])
    )
    return without_overlaps([*_find_ibans(text), *found])


def _find_ibans(text: str) -> Iterator[Entity]:
    """Words behind an account could belong to it ("DE89 ... 3000 in May"), so it ends where the check digits fit."""
    for match in _IBAN.finditer(text):
        ends = [word.end() for word in re.finditer(r"\w+", match["it"])]
        fitting = (end for end in reversed(ends) if numbers.is_iban(match["it"][:end]))
        if end := next(fitting, 0):
            yield Entity("iban", match.start(), match.start() + end, match["it"][:end])
