"""Find personal data by the patterns of ``patterns.toml`` and check digits: fast, offline, no model.

They see what has a form (addresses, numbers, keys) and names that the words around them give away; they do not know who
is a person, as a named-entity model does. "Patients born after 1980-01-01" is a condition, and "she was born on
1980-01-01" is a person.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from course_utils.data.privacy import validators
from course_utils.data.privacy.entities import Entity, without_overlaps

_IBAN = re.compile(r"(?i)\b(?=(?P<it>[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]){11,30}\b))")
_DIGIT = re.compile(r"\d")


class Pattern(NamedTuple):
    """One form of one type; the group ``it`` is the personal part, and must pass the check."""

    type: str
    regex: re.Pattern[str]
    keywords: tuple[str, ...]
    n_digits: int
    check: Callable[[str], bool]


def find_by_patterns(text: str) -> list[Entity]:
    """Personal data in a text, without overlaps, in the order of the text.

    Args:
        text: A question, a query or any other text; the time is linear in its length.
    """
    return without_overlaps(_find(text))


def _find(text: str) -> Iterator[Entity]:
    lowered = text.lower()
    n_digits = len(_DIGIT.findall(text))
    if n_digits > 6:
        yield from _find_ibans(text)
    for pattern in _patterns():
        if n_digits >= pattern.n_digits and (not pattern.keywords or any(map(lowered.__contains__, pattern.keywords))):
            for match in pattern.regex.finditer(text):
                if pattern.check(match["it"]):
                    yield Entity(pattern.type, *match.span("it"), match["it"])


def _find_ibans(text: str) -> Iterator[Entity]:
    """Words behind an account could belong to it ("DE89 ... 3000 in May"), so it ends where the check digits fit."""
    for match in _IBAN.finditer(text):
        ends = [word.end() for word in re.finditer(r"\w+", match["it"])]
        if end := next((end for end in reversed(ends) if validators.is_iban(match["it"][:end])), 0):
            yield Entity("iban", match.start(), match.start() + end, match["it"][:end])


@cache
def _patterns() -> tuple[Pattern, ...]:
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    fragments: dict[str, str] = {}
    for name, regex in table["fragments"].items():
        fragments[name] = _filled(regex, fragments)
    return tuple(
        Pattern(
            each["type"],
            re.compile(_filled(each["regex"], fragments)),
            tuple(each.get("keywords", ())),
            each.get("digits", 0),
            validators.check_named(each["check"]) if "check" in each else bool,
        )
        for each in table["pattern"]
    )


def _filled(regex: str, fragments: dict[str, str]) -> str:
    for name, fragment in fragments.items():
        regex = regex.replace(f"<{name}>", fragment)
    return regex.replace("\n", "")
