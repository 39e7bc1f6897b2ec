"""Inject known defects into a dataset: to learn diagnosing with, and to measure what the validation finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from course_utils.artifacts import Row
from course_utils.data.corrupt import DEFECTS, Defect
from course_utils.errors import ConfigurationError
from course_utils.finding import Finding


class InjectedDefect(NamedTuple):
    """One defect: its kind, the check that is meant to find it, and the row that it is in now, from 1."""

    kind: str
    check: str
    split: str
    number: int


@dataclass(frozen=True)
class Injection:
    """A dataset with known defects."""

    splits: dict[str, list[Row]] = field(repr=False)
    defects: list[InjectedDefect] = field(repr=False)  # in the order of the rows
    kinds: tuple[str, ...]  # all that were asked for
    left_out: dict[str, str]
    """Kinds of which fewer were injected than were asked for, and how many and why."""

    def count_found(self, findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
        """By kind, how many defects are ``injected``, and ``found`` by an error or a warning of their own check."""
        alarms = {(f.check, f.split, f.number) for f in findings if f.severity != "note"}
        counts = {kind: {"injected": 0, "found": 0} for kind in self.kinds}
        for kind, *place in self.defects:
            counts[kind]["injected"] += 1
            counts[kind]["found"] += tuple(place) in alarms
        return counts


@dataclass(eq=False)
class _Entry:
    """A row on its way: which number it will have is known when all defects are injected."""

    row: Row
    kind: str = ""


def inject_defects(
    splits: Mapping[str, Sequence[Row]],
    defects: Mapping[str, Defect] | Sequence[str] = tuple(DEFECTS),
    n_each: int = 10,
    seed: int = 0,
) -> Injection:
    """Corrupt some good rows and add corrupted copies of others; no row is used twice, and none is changed in place.

    The defects are names from ``DEFECTS``, or one's own by name; ``n_each`` of a kind, fewer where fewer rows can take
    one.

    Raises:
        ConfigurationError: A kind is unknown.
    """
    if unknown := [kind for kind in defects if kind not in DEFECTS and not isinstance(defects, Mapping)]:
        raise ConfigurationError(f"defect {', '.join(unknown)} is unknown; choose from {', '.join(DEFECTS)}")
    table = defects if isinstance(defects, Mapping) else {kind: DEFECTS[kind] for kind in defects}
    rng = Random(seed)
    entries = {split: [_Entry(row) for row in rows] for split, rows in splits.items()}
    pool = [
        (split, entry)
        for split, group in entries.items()
        for entry in group
        if entry.row.get("answerable") is not False and len(entry.row["question"]) > 1
    ]
    rng.shuffle(pool)
    left_out = {}
    # Copies go in first and take the fewest rows, which are then left alone.
    for kind in sorted(table, key=lambda kind: table[kind].where == "row"):
        n_injected = sum(_inject_one(kind, table[kind], pool, entries, rng) for _ in range(n_each))
        if n_injected < n_each:
            left_out[kind] = f"{n_each - n_injected} of {n_each}: none of the {len(pool)} rows left can take it"
    injected = [
        InjectedDefect(entry.kind, table[entry.kind].check, split, number)
        for split, group in entries.items()
        for number, entry in enumerate(group, 1)
        if entry.kind
    ]
    corrupted = {split: [entry.row for entry in group] for split, group in entries.items()}
    return Injection(corrupted, injected, tuple(table), left_out)


def _inject_one(
    kind: str, defect: Defect, pool: list[tuple[str, _Entry]], entries: dict[str, list[_Entry]], rng: Random
) -> bool:
    """Take the first row of the pool that can be corrupted so; False if there is none."""
    for place, (split, entry) in enumerate(pool):
        if defect.where == "test" and (split != "train" or "test" not in entries):
            continue
        row = defect.corrupt(entry.row, rng)
        if row is None or (row == entry.row and defect.where == "row"):
            continue
        del pool[place]
        if defect.where == "row":
            entry.row, entry.kind = row, kind
            return True
        target = entries[split if defect.where == "split" else "test"]
        # Not before its original: of two equal rows the validation names the second.
        first = target.index(entry) + 1 if defect.where == "split" else 0
        copied = row if row.get("id") is None else {**row, "id": f"{row['id']}-{rng.randrange(10**6)}"}
        target.insert(rng.randint(first, len(target)), _Entry(copied, kind))
        return True
    return False
