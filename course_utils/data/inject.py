"""Inject known defects into a dataset, to practise diagnosis and to measure what validation finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from course_utils.data.corrupt import DEFECTS, Defect
from course_utils.errors import ConfigurationError
from course_utils.files import Row
from course_utils.finding import Finding


class InjectedDefect(NamedTuple):
    """One defect: its kind, the check that should find it, and its split and row number, from 1."""

    kind: str
    check: str
    split: str
    number: int


@dataclass(frozen=True)
class Injection:
    """A dataset with known defects."""

    splits: dict[str, list[Row]] = field(repr=False)
    defects: list[InjectedDefect] = field(repr=False)  # in the order of the rows
    kinds: tuple[str, ...]  # all requested kinds
    left_out: dict[str, str]
    """For each kind with fewer defects than requested, how many are missing and why."""

    def count_found(self, findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
        """For each kind, the defects ``injected``, and those ``found`` by an error or a warning of their own check."""
        alarms = {(f.check, f.split, f.number) for f in findings if f.severity != "note"}
        counts = {kind: {"injected": 0, "found": 0} for kind in self.kinds}
        for kind, *place in self.defects:
            counts[kind]["injected"] += 1
            counts[kind]["found"] += tuple(place) in alarms
        return counts


def inject_defects(
    splits: Mapping[str, Sequence[Row]],
    defects: Mapping[str, Defect] | Sequence[str] = tuple(DEFECTS),
    n_each: int = 10,
    seed: int = 0,
) -> Injection:
    """Corrupt some rows and add corrupted copies of others; no row is used twice, and the given rows stay unchanged.

    ``defects`` holds names from ``DEFECTS``, or is a mapping from names to other defects. Each is injected ``n_each``
    times; ``left_out`` says where too few rows allow it.

    Raises:
        ConfigurationError: A name is not in ``DEFECTS``.
    """
    if unknown := [kind for kind in defects if kind not in DEFECTS and not isinstance(defects, Mapping)]:
        raise ConfigurationError(f"defect {', '.join(unknown)} is unknown; choose from {', '.join(DEFECTS)}")
    table = defects if isinstance(defects, Mapping) else {kind: DEFECTS[kind] for kind in defects}
    rng = Random(seed)
    corrupted = {split: list(rows) for split, rows in splits.items()}
    pool = [(split, row) for split, rows in splits.items() for row in rows if len(row["question"]) > 1]
    pool = [(split, row) for split, row in pool if row.get("answerable") is not False]
    rng.shuffle(pool)
    left_out = {}
    kinds: dict[int, str] = {}  # kind of each row with a defect, by id(row): row numbers are known only at the end
    # Copies go first, because the fewest rows allow them; a copied row gets no other defect.
    for kind in sorted(table, key=lambda kind: table[kind].where == "row"):
        rows = [row for row in (_inject_one(table[kind], pool, corrupted, rng) for _ in range(n_each)) if row]
        kinds |= dict.fromkeys(map(id, rows), kind)
        if len(rows) < n_each:
            left_out[kind] = f"{n_each - len(rows)} of {n_each}: none of the {len(pool)} rows left can take it"
    places = [(kinds.get(id(row), ""), split, n) for split in corrupted for n, row in enumerate(corrupted[split], 1)]
    injected = [InjectedDefect(kind, table[kind].check, split, number) for kind, split, number in places if kind]
    return Injection(corrupted, injected, tuple(table), left_out)


def _inject_one(defect: Defect, pool: list[tuple[str, Row]], splits: dict[str, list[Row]], rng: Random) -> Row | None:
    """Corrupt the first row of the pool that allows it, put the result into ``splits`` and return it, or None."""
    for place, (split, original) in enumerate(pool):
        if defect.where == "test" and (split != "train" or "test" not in splits):
            continue
        made = defect.corrupt(original, rng)
        if made is None or (made == original and defect.where == "row"):
            continue
        del pool[place]
        row, rows = dict(made), splits["test" if defect.where == "test" else split]
        at = next((at for at, each in enumerate(rows) if each is original), -1)
        if defect.where == "row":
            rows[at] = row
            return row
        if row.get("id") is not None:
            row["id"] = f"{row['id']}-{rng.randrange(10**6)}"
        # The copy goes after its original, because validation reports the later of two equal rows.
        rows.insert(rng.randint(at + 1, len(rows)), row)
        return row
    return None
