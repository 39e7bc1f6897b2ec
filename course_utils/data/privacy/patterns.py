"""Find personal data by patterns and check digits: fast, offline, no model.

For bulk checks and where Presidio is not installed. It sees what has a form (addresses, numbers, keys) and names that
the words around them give away; it does not know who is a person, as a named-entity model does.
"""

import re

from course_utils.data.privacy.context_patterns import CONTEXT_PATTERNS
from course_utils.data.privacy.kinds import PersonalData, without_overlaps
from course_utils.data.privacy.number_patterns import NUMBER_PATTERNS
from course_utils.data.privacy.phones import find_phones

# One look that almost every ordinary question fails, so that the detailed patterns run on few texts: signs, and words
# that announce somebody. Both are wider than the patterns.
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


def find_by_patterns(text: str) -> list[PersonalData]:
    """Personal data in a text, without overlaps, in the order of the text.

    Args:
        text: A question, a query or any other text; the time is linear in its length.
    """
    if not _may_hold_any(text):
        return []
    found = [piece for pattern in (*NUMBER_PATTERNS, *CONTEXT_PATTERNS) for piece in pattern.find(text)]
    return without_overlaps([*found, *find_phones(text)])


def _may_hold_any(text: str) -> bool:
    return bool(_SIGNS.search(text)) or not _TRIGGERS.isdisjoint(_WORD.findall(text.lower()))
