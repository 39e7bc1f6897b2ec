"""What counts as personal data, and what a found piece of it looks like."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from course_utils.finding import Severity

ENTITY_TYPES: dict[str, tuple[str, Severity]] = {
    "secret": ("a key or password", "error"),
    "url_credentials": ("a user and password in an address", "error"),
    "email": ("an e-mail address", "error"),
    "iban": ("a bank account (IBAN)", "error"),
    "card": ("a payment card number", "error"),
    "mac": ("a hardware (MAC) address", "error"),
    "ip": ("an IP address", "error"),
    "national_id": ("a national identity number", "error"),
    "ssn": ("a US social security number", "error"),
    "phone": ("a phone number", "error"),
    "birth_date": ("somebody's date of birth", "warning"),
    "address": ("a street address", "warning"),
    "name": ("a person's name", "note"),
}
"""Each type in words, and how bad it is: a checksum or a form speaks for an error, the words around for the others."""
STRONG = frozenset(name for name, (_, severity) in ENTITY_TYPES.items() if severity == "error")


@dataclass(frozen=True)
class Entity:
    """A piece of personal data in a text: ``text == whole[start:end]``."""

    type: str  # one of ENTITY_TYPES
    start: int
    end: int
    text: str = field(repr=False)  # a report or a log must not become the next leak

    @property
    def masked(self) -> str:
        """The first two characters and stars, enough to find the place, too little to use."""
        return self.text[:2] + "*" * min(max(len(self.text) - 2, 3), 10)


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
