"""Replace personal data in questions and queries by pseudonyms, and look afterwards whether any is left.

The same value gets the same pseudonym in question, query and database, so a query still finds its rows. What depends on
the letters of a name (``ORDER BY name``, ``LIKE 'A%'``) finds other rows, as it would for other people.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from course_utils.data.privacy.dates import days_of, shift_dates
from course_utils.data.privacy.detect import FIELDS, find_personal_data
from course_utils.data.privacy.keys import PseudonymKey
from course_utils.data.privacy.kinds import STRONG, Kind, PersonalData, without_overlaps
from course_utils.data.privacy.known_values import KnownValues
from course_utils.data.privacy.mapping import PseudonymMapping
from course_utils.errors import DataError

Row = dict[str, Any]
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
MAX_LISTED = 20


@dataclass(frozen=True)
class Anonymised:
    """Rows without personal data, and the table that must be kept away from them."""

    rows: list[Row]
    mapping: PseudonymMapping = field(repr=False)


def anonymise_rows(
    rows: Sequence[Mapping[str, Any]],
    *,
    key: PseudonymKey,
    names: Iterable[str] = (),
    dates: bool = False,
    mapping: PseudonymMapping | None = None,
) -> Anonymised:
    """Replace what the patterns find, the given names, and every value that the mapping knows.

    Args:
        rows: Rows with ``question`` and ``query``; other fields stay.
        key: The secret.
        names: People's names, such as those of a database's column.
        dates: Move every full date; only together with all date columns of the databases.
        mapping: What earlier calls returned, for the same pseudonyms in every split and database; it grows.
    """
    mapping = mapping or PseudonymMapping()
    mapping.add_originals([("name", name) for name in names])
    for row in rows:
        mapping.add_originals([(piece.kind, piece.text) for name in FIELDS for piece in _found(row, name)])
    known = KnownValues(mapping.originals)
    days = days_of(key) if dates else 0

    def changed(text: str, values: frozenset[str]) -> str:
        pieces = without_overlaps([*known.find(text, values), *_personal(text)])
        for piece in reversed(pieces):
            if not (dates and piece.kind == "birth_date"):
                new = mapping.replace(key, piece.kind, piece.text)
                text = text[: piece.start] + new + text[piece.end :]
        return shift_dates(text, days) if dates else text

    return Anonymised([_changed_row(row, changed) for row in rows], mapping)


def _personal(text: str) -> list[PersonalData]:
    return find_personal_data(text)


def _found(row: Mapping[str, Any], name: str) -> Iterable[PersonalData]:
    texts = [row[name]] if name == "question" else [_inside(found[0]) for found in _LITERAL.finditer(row[name])]
    return (piece for text in texts for piece in _personal(text))


def _changed_row(row: Mapping[str, Any], changed: Callable[[str, frozenset[str]], str]) -> Row:
    values = literals(row["query"])
    return {
        **row,
        "question": changed(row["question"], values),
        "query": map_literals(row["query"], lambda text: changed(text, values)),
    }


def map_literals(query: str, change: Callable[[str], str]) -> str:
    """The query with its quoted texts changed, and whole numbers where a number itself is personal."""
    parts, end = [], 0
    for found in _LITERAL.finditer(query):
        quote = found[0][0]
        inside = change(_inside(found[0])).replace(quote, quote * 2)
        parts += [_NUMBER.sub(lambda number: change(number[0]), query[end : found.start()]), quote + inside + quote]
        end = found.end()
    return "".join([*parts, _NUMBER.sub(lambda number: change(number[0]), query[end:])])


_NUMBER = re.compile(r"(?<![\w.])\d{7,}(?![\w.])")


def literals(query: str) -> frozenset[str]:
    """The quoted texts of a query in lower case, without the wildcards at their ends."""
    return frozenset(_inside(found[0]).strip("%_ ").lower() for found in _LITERAL.finditer(query))


def _inside(quoted: str) -> str:
    return quoted[1:-1].replace(quoted[0] * 2, quoted[0])


def recheck(rows: Sequence[Mapping[str, Any]], mapping: PseudonymMapping) -> None:
    """Look for every original value in all texts of all rows, in any case, and for personal data that is no pseudonym.

    A name of one word counts where it has a capital or is a text of the query: the pilot May is not the modal verb.

    Args:
        rows: Anonymised rows.
        mapping: What ``anonymise_rows`` returned.

    Raises:
        DataError: Some is left; lists the rows, with the values masked.
    """
    originals = {(kind, text) for kind, text in mapping.originals if mapping.originals[kind, text] != text}
    pseudonyms = {pseudonym.lower() for pseudonym in [*mapping.originals.values(), *mapping.values.values()]}
    left = []
    for number, row in enumerate(rows, start=1):
        texts = {name: value for name, value in row.items() if isinstance(value, str) and name != "db_id"}
        for name, text in texts.items():
            pieces = [*_remaining(text, literals(row["query"]), originals)]
            pieces += [p for p in _personal(text) if p.kind in STRONG and not _is_pseudonym(p, pseudonyms)]
            left += [f'row {number}: "{name}" still has {piece.kind} {piece.masked}' for piece in pieces]
    if left:
        more = [f"... and {len(left) - MAX_LISTED} more"] if len(left) > MAX_LISTED else []
        raise DataError("\n".join([f"{len(left)} pieces of personal data are left:", *left[:MAX_LISTED], *more]))


def _is_pseudonym(piece: PersonalData, pseudonyms: set[str]) -> bool:
    compact = re.sub(r"[^0-9a-z]", "", piece.text.lower())
    return piece.text.lower() in pseudonyms or compact in {re.sub(r"[^0-9a-z]", "", text) for text in pseudonyms}


def _remaining(text: str, values: frozenset[str], originals: set[tuple[Kind, str]]) -> Iterable[PersonalData]:
    """By plain search, not by the index that replaced the values."""
    text = text.replace("''", "'")  # as a query writes O'Neil
    lowered = text.lower()
    plain = re.sub(r"[^0-9a-z]", "", lowered)
    for kind, original in originals:
        wanted = original.lower()
        if wanted in lowered:
            for found in re.finditer(rf"(?<!\w){re.escape(wanted)}(?!\w)", lowered):
                one_word = kind == "name" and " " not in wanted
                if not one_word or text[found.start()].isupper() or wanted in values:
                    yield PersonalData(kind, *found.span(), original, 1.0)
        elif kind in STRONG and len(digits := re.sub(r"[^0-9a-z]", "", wanted)) >= 8 and digits in plain:
            yield PersonalData(kind, 0, len(text), original, 1.0)
