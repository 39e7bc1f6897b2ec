"""What counts as personal data, and what a found piece of it looks like."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from course_utils.data.finding import Severity

Kind = Literal[
    "email",
    "phone",
    "card",
    "iban",
    "ip",
    "mac",
    "ssn",
    "national_id",
    "url_credentials",
    "secret",
    "birth_date",
    "address",
    "name",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

IN_WORDS: dict[Kind, str] = {
    "email": "an e-mail address",
    "phone": "a phone number",
    "card": "a payment card number",
    "iban": "a bank account (IBAN)",
    "ip": "an IP address",
    "mac": "a hardware (MAC) address",
    "ssn": "a US social security number",
    "national_id": "a national identity number",
    "url_credentials": "a user and password in an address",
    "secret": "a key or password",
    "birth_date": "somebody's date of birth",
    "address": "a street address",
    "name": "a person's name",
}

# A checksum or a fixed form speaks for the strong kinds; the others only have the words around them.
STRONG: frozenset[Kind] = frozenset(KINDS) - {"birth_date", "address", "name"}
SEVERITY: dict[Kind, Severity] = {kind: "error" if kind in STRONG else "warning" for kind in KINDS} | {"name": "note"}


@dataclass(frozen=True)
class PersonalData:
    """A piece of personal data in a text: ``text == whole[start:end]``, score in 0–1, higher is surer."""

    kind: Kind
    start: int
    end: int
    text: str = field(repr=False)  # a report or a log must not become the next leak
    score: float

    @property
    def masked(self) -> str:
        """The first two characters and stars, enough to find the place, too little to use."""
        return self.text[:2] + "*" * min(max(len(self.text) - 2, 3), 10)


def without_overlaps(found: list[PersonalData]) -> list[PersonalData]:
    """Of pieces that share characters the surest, then the longest; in the order of the text."""
    taken = bytearray(max((piece.end for piece in found), default=0))
    kept = []
    for piece in sorted(found, key=lambda piece: (-piece.score, piece.start - piece.end, piece.start)):
        if not any(taken[piece.start : piece.end]):
            taken[piece.start : piece.end] = b"\1" * (piece.end - piece.start)
            kept.append(piece)
    return sorted(kept, key=lambda piece: piece.start)
