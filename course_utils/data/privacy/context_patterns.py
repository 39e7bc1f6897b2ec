"""The weak kinds: dates of birth, street addresses and names, which only the words around them give away.

"Patients born after 1980-01-01" is a condition and "born on 1980-01-01" in "she was born on ..." is a person.
"""

import re

from course_utils.data.privacy.kinds import Kind
from course_utils.data.privacy.pattern import Pattern

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
DATE = (
    rf"(?:\d{{4}}-\d\d?-\d\d?|\d\d?[./-]\d\d?[./-](?:\d{{4}}|\d\d)"
    rf"|\d\d?(?:st|nd|rd|th)?\.?\s(?:of\s)?{_MONTH},?\s\d{{4}}|{_MONTH}\s\d\d?(?:st|nd|rd|th)?,?\s\d{{4}})"
)
# A capital and small letters of any alphabet; O'Neil, Jean-Luc, MacLeod.
NAME_WORD = r"(?:[^\W\d_a-z][’'][^\W\d_]+|[^\W\d_a-z][^\W\d_A-Z]+(?:[A-Z][a-z]+)?(?:-[^\W\d_a-z][^\W\d_A-Z]+)*)"
FULL_NAME = rf"{NAME_WORD}(?:\s(?:[A-Z]\.\s)?(?:van\s|von\s|de\s|der\s|la\s|da\s|al-|bin\s)*{NAME_WORD}){{1,2}}"
STREET = (
    r"Street|St\.?|Avenue|Ave\.?|Road|Rd\.?|Boulevard|Blvd\.?|Lane|Ln\.?|Drive|Court|Square|Terrace|Crescent|Close"
    r"|Place|Way"
)
_INTRODUCES = (
    r"my name is|my name's|this is|i am|i'm|name:|signed by|signed|regards,?|sincerely,?|yours,?|mein name ist"
    r"|je m'appelle|me llamo"
)
_ASKS_FOR = (
    r"contact|call|ask for|speak to|talk to|write to|reach|e-?mail|phone|invoice for|on behalf of|attention|attn:?"
)

_BIRTH_DATE = (
    r"\b(?:(?:my|his|her|their) (?:date of birth|birth ?date|birthday|dob)(?:\sis|\swas|:)?|dob\s?[:=]?"
    r"|date of birth\s?[:=]|(?:i|he|she) was born(?: on)?|i'm born(?: on)?|geb(?:oren)?\.?(?: am)?)"
    rf"\s?(?P<it>{DATE})\b"
)
_ENGLISH_ADDRESS = (
    rf"(?<![\w.-])(?P<it>\d{{1,5}}[a-zA-Z]?,? (?:{NAME_WORD} |[NSEW]\.? |\d{{1,3}}(?:st|nd|rd|th) ){{1,3}}"
    rf"(?:{STREET}))(?!\w)"
)
_GERMAN_ADDRESS = (
    r"\b(?P<it>[A-ZÄÖÜ][\wäöüß.-]*(?:straße|strasse|str\.|weg|platz|gasse|allee|damm|ufer|straat|laan)"
    r"\s\d{1,4}(?:\s?[a-z]\b)?)(?!\d)"
)
_FRENCH_ADDRESS = (
    r"(?<![\w.-])(?P<it>\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|quai|chemin) "
    rf"(?:d[eu] (?:la |l')?|des |d'|du )?{NAME_WORD}(?: {NAME_WORD})*)"
)
_SOUTHERN_ADDRESS = (
    rf"\b(?P<it>(?i:via|calle|rua|ulica|ul\.|piazza|plaza) (?:d[aei]l?l?[aeo]? )?{NAME_WORD}(?: {NAME_WORD})*"
    r",? \d{1,4})\b"
)
_TITLE = r"(?:M(?:r|s|rs|iss)\.?|Herrn?|Frau|M(?:onsieur|adame|me)|Dr\.?|Prof\.?)"

_TABLE: tuple[tuple[Kind, str], ...] = (
    ("birth_date", f"(?i:{_BIRTH_DATE})"),
    ("birth_date", rf"\b{FULL_NAME},? (?:was )?(?:born|b\.)(?: on)? (?P<it>(?i:{DATE}))\b"),
    ("address", _ENGLISH_ADDRESS),
    ("address", _GERMAN_ADDRESS),
    ("address", _FRENCH_ADDRESS),
    ("address", _SOUTHERN_ADDRESS),
    ("name", rf"\b(?i:{_INTRODUCES})\s(?P<it>{FULL_NAME})"),
    ("name", rf"\b(?i:my name is|my name's|mein name ist|je m'appelle|me llamo)\s(?P<it>{NAME_WORD})"),
    ("name", rf"\b(?i:{_ASKS_FOR})\s(?P<it>{FULL_NAME})"),
    ("name", rf"\b{_TITLE}\s(?:Dr\.?\s)?(?P<it>{NAME_WORD}(?:\s{NAME_WORD})?)"),
)
CONTEXT_PATTERNS: tuple[Pattern, ...] = tuple(
    Pattern(kind, 0.6 if kind == "name" else 0.7, re.compile(regex)) for kind, regex in _TABLE
)
