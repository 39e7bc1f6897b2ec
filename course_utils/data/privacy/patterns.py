"""Find personal data by the patterns of ``patterns.toml`` and check digits: fast, offline, no model.

They see what has a form (addresses, numbers, keys) and names that the words around them give away; they do not know who
is a person, as a named-entity model does. "Patients born after 1980-01-01" is a condition, and "she was born on
1980-01-01" is a person.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from course_utils.data.privacy import validators

_IBAN = re.compile(r"(?i)\b(?=(?P<it>[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]){11,30}\b))")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Entity:
    """A piece of personal data in a text: ``text == whole[start:end]``."""

    type: str  # one of patterns.toml's
    start: int
    end: int
    text: str = field(repr=False)  # a report or a log must not become the next leak

    @property
    def masked(self) -> str:
        """The first two characters and stars, enough to find the place, too little to use."""
        return self.text[:2] + "*" * min(max(len(self.text) - 2, 3), 10)


class Pattern(NamedTuple):
    """One form of one type; the group ``it`` is the personal part, and must pass the check."""

    type: str
    regex: re.Pattern[str]
    keywords: Sequence[str] = ()
    digits: int = 0
    check: str = ""

    def passes(self, number: str) -> bool:
        """Whether the check says so; a module of python-stdnum is loaded when the first number needs it."""
        if self.check.startswith("stdnum."):
            return bool(import_module(self.check).is_valid(validators.compact(number)))
        return not self.check or bool(getattr(validators, self.check)(number))


def find_by_patterns(text: str) -> list[Entity]:
    """Personal data in a text, without overlaps, in the order of the text.

    Args:
        text: A question, a query or any other text; the time is linear in its length.
    """
    return without_overlaps(_find(text))


def without_overlaps(found: Iterable[Entity]) -> list[Entity]:
    """Of entities that share characters the one that comes first in `found`; in the order of the text."""
    taken: set[int] = set()
    kept = []
    for entity in found:
        places = range(entity.start, entity.end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(entity)
    return sorted(kept, key=lambda entity: entity.start)


def _find(text: str) -> Iterator[Entity]:
    lowered = text.lower()
    n_digits = len(_DIGIT.findall(text))
    if n_digits > 6:
        yield from _find_ibans(text)
    for pattern in _patterns():
        if n_digits >= pattern.digits and (not pattern.keywords or any(map(lowered.__contains__, pattern.keywords))):
            for match in pattern.regex.finditer(text):
                if pattern.passes(match["it"]):
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
    patterns = []
    for each in table["pattern"]:
        regex = each.pop("regex")
        for name, fragment in reversed(table["fragments"].items()):  # a fragment may hold those above it
            regex = regex.replace(f"<{name}>", fragment)
        patterns.append(Pattern(regex=re.compile(regex.replace("\n", "")), **each))
    return tuple(patterns)
