"""Plant defects in a dataset and remember them, to learn diagnosing with, and to measure what the checks find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from course_utils.data import spoil
from course_utils.data.spoil import Row, Spoil, Surroundings
from course_utils.errors import ConfigurationError, DataError
from course_utils.finding import Finding

Where = Literal["row", "split", "test"]
"""Where a defect goes: into a row itself, into a copy in the same split, or into a copy among the test rows."""


class Defect(NamedTuple):
    """A kind of defect: how it is made, and the check that is meant to find it."""

    check: str
    make: Spoil
    where: Where = "row"


DEFECTS: dict[str, Defect] = {
    "missing field": Defect("schema", spoil.drop_field),
    "wrong type": Defect("schema", spoil.change_type),
    "unknown database": Defect("schema", spoil.rename_database),
    "wrong database": Defect("execution", spoil.swap_database),
    "wrong column": Defect("execution", spoil.misname_column),
    "broken SQL": Defect("syntax", spoil.break_sql),
    "truncated SQL": Defect("syntax", spoil.cut_sql),
    "empty result": Defect("empty-result", spoil.miss_value),
    "constant result": Defect("constant-result", spoil.answer_blindly),
    "enormous result": Defect("enormous-result", spoil.forget_condition),
    "mojibake": Defect("encoding", spoil.garble),
    "hidden character": Defect("encoding", spoil.hide_character),
    "control character": Defect("encoding", spoil.add_control),
    "look-alike letter": Defect("encoding", spoil.replace_letter),
    "template in question": Defect("template", spoil.wrap_question),
    "template in answer": Defect("template", spoil.wrap_answer),
    "personal data": Defect("personal-data", spoil.add_personal_data),
    "profanity": Defect("profanity", spoil.swear),
    "too long": Defect("length", spoil.paste_document),
    "exact duplicate": Defect("exact-duplicate", spoil.keep, "split"),
    "near duplicate": Defect("near-duplicate", spoil.mistype, "split"),
    "contradiction": Defect("contradiction", spoil.contradict, "split"),
    "exact leak": Defect("leak-exact", spoil.keep, "test"),
    "near leak": Defect("leak-near", spoil.mistype, "test"),
}


PREFACE = "Sure, here is the query:\n"
"""What answers begin with that were copied from a chat with an assistant."""


@dataclass(frozen=True)
class Planted:
    """One planted defect, and where it is now."""

    kind: str
    check: str
    """The check that is meant to find it."""
    split: str
    number: int
    """Row number in its split, from 1."""
    what: str
    original: tuple[str, int] | None = None
    """Split and number of the row that this one is a copy of."""

    def is_found(self, findings: Sequence[Finding]) -> bool:
        """Whether its own check has an error or a warning for the row."""
        return any(
            (finding.check, finding.split, finding.number) == (self.check, self.split, self.number)
            and finding.severity != "note"
            for finding in findings
        )


@dataclass(eq=False)
class _Entry:
    """A row on its way: which one it will be is known when all are planted."""

    row: Row
    kind: str = ""
    original: "_Entry | None" = None


def plant(
    rows_by_split: Mapping[str, Sequence[Row]], kinds: Sequence[str] = tuple(DEFECTS), n_each: int = 10, seed: int = 0
) -> tuple[dict[str, list[Row]], list[Planted]]:
    """Spoil some rows and add spoiled copies of others; no row is used twice.

    Args:
        rows_by_split: Good rows with db_id, question and query, such as ``ValidationReport.splits``; not changed.
        kinds: Names from ``DEFECTS``.
        n_each: Defects of each kind.
        seed: Chooses rows and places.

    Returns:
        The rows, and what was planted, in the order of the rows.

    Raises:
        ConfigurationError: A kind is unknown.
        DataError: There are too few rows that can be spoiled in one of the ways.
    """
    if unknown := [kind for kind in kinds if kind not in DEFECTS]:
        raise ConfigurationError(f"defect {', '.join(unknown)} is unknown; choose from {', '.join(DEFECTS)}")
    random = Random(seed)
    entries = {split: [_Entry(row) for row in rows] for split, rows in rows_by_split.items()}
    around = spoil.look_around(rows_by_split)
    pool = [(split, entry) for split, group in entries.items() for entry in group if _is_usable(entry.row)]
    random.shuffle(pool)
    # Copies go in first and spoil the fewest rows, which are then left alone.
    for kind in sorted(kinds, key=lambda kind: DEFECTS[kind].where == "row"):
        for _ in range(n_each):
            _plant_one(kind, pool, entries, around, random)
    return {split: [entry.row for entry in group] for split, group in entries.items()}, _planted(entries)


def plant_preface(rows: Sequence[Row], share: float, seed: int = 0) -> list[Row]:
    """Put one and the same preface before the queries of some rows, as if they came from one chat.

    ``plant`` scatters its defects; this is one source that is wrong in one way, which a model learns.

    Args:
        rows: Good rows; not changed.
        share: Of the rows to spoil, 0 to 1.
        seed: Chooses the rows.

    Returns:
        All rows in their order, those chosen with ``PREFACE`` before the query.

    Raises:
        ConfigurationError: The share is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ConfigurationError(f"share is {share}; give a part of the rows, from 0 to 1")
    chosen = set(Random(seed).sample(range(len(rows)), round(share * len(rows))))
    return [{**row, "query": PREFACE + row["query"]} if i in chosen else row for i, row in enumerate(rows)]


def _is_usable(row: Row) -> bool:
    return row.get("answerable") is not False and len(row["question"]) > 1


def _plant_one(
    kind: str,
    pool: list[tuple[str, _Entry]],
    entries: dict[str, list[_Entry]],
    around: Mapping[str, Surroundings],
    random: Random,
) -> None:
    """Take the first row of the pool that can be spoiled so."""
    defect = DEFECTS[kind]
    for place, (split, entry) in enumerate(pool):
        if defect.where == "test" and (split != "train" or "test" not in entries):
            continue
        row = defect.make(entry.row, random, around[split])
        if row is None or (row == entry.row and defect.where == "row"):
            continue
        del pool[place]
        if defect.where == "row":
            entry.row, entry.kind = row, kind
            return
        target = entries[split if defect.where == "split" else "test"]
        first = target.index(entry) + 1 if defect.where == "split" else 0
        copied = row if row.get("id") is None else {**row, "id": f"{row['id']}-{random.randrange(10**6)}"}
        target.insert(random.randint(first, len(target)), _Entry(copied, kind, entry))
        return
    raise DataError(f'no row is left to plant "{kind}" in; plant fewer, or in more rows')


def _planted(entries: Mapping[str, list[_Entry]]) -> list[Planted]:
    places = {entry: (split, number) for split, group in entries.items() for number, entry in enumerate(group, 1)}
    return [
        Planted(
            entry.kind,
            DEFECTS[entry.kind].check,
            split,
            number,
            _first_line(DEFECTS[entry.kind].make),
            places[entry.original] if entry.original else None,
        )
        for entry, (split, number) in places.items()
        if entry.kind
    ]


def _first_line(make: Spoil) -> str:
    return (make.__doc__ or "").partition("\n")[0]


def count_found(planted: Sequence[Planted], findings: Sequence[Finding]) -> dict[str, tuple[int, int]]:
    """How many defects of each kind the checks found, and how many there are."""
    alarms = {(f.check, f.split, f.number) for f in findings if f.severity != "note"}
    counts: dict[str, tuple[int, int]] = {}
    for defect in planted:
        n_found, n = counts.get(defect.kind, (0, 0))
        counts[defect.kind] = n_found + ((defect.check, defect.split, defect.number) in alarms), n + 1
    return counts


def false_alarms(planted: Sequence[Planted], findings: Sequence[Finding]) -> list[Finding]:
    """Errors and warnings about rows that no defect was planted in and no planted row is a copy of."""
    places = {(defect.split, defect.number) for defect in planted} | {defect.original for defect in planted}
    return [f for f in findings if f.severity != "note" and f.number and (f.split, f.number) not in places]
