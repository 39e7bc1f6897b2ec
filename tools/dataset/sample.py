"""Choose the rows on which the smoke profile's tiny model is trained and tested: ``samples/smoke.json``.

A model of a few million parameters can handle plain wordings that name the columns, and schemas of few tables. So the
sample holds easy and medium questions of the plain shapes about the small databases, each shape by its weight.
"""

from collections.abc import Mapping, Sequence
from random import Random

from course_utils.errors import DataError
from course_utils.files import Row
from tools.dataset.quotas import PLAIN, apportion
from tools.dataset.shapes import SHAPES

WEIGHTS = {f"grammar:{shape.name}": shape.weight for shape in SHAPES if shape.name in PLAIN}


def choose_sample(
    splits: Mapping[str, Sequence[Row]], roles: Mapping[str, str], sizes: Mapping[str, int], seed: int = 0
) -> dict[str, list[str]]:
    """The ids of the sample's rows by split.

    Args:
        splits: All rows.
        roles: The small databases and their roles.
        sizes: How many rows of each split; half of the test's are about databases that only the test has.
        seed: Chooses among equals.

    Raises:
        DataError: There are too few such rows.
    """
    found = {}
    for split, n in sizes.items():
        rows = [row for row in splits[split] if row["db_id"] in roles and row["source"] in WEIGHTS]
        rows = [row for row in rows if not row.get("empty")]
        parts = {"": rows}
        if split == "test":
            parts = {role: [row for row in rows if roles[row["db_id"]] == role] for role in ("train", "test")}
        chosen = [
            row["id"]
            for role, part in parts.items()
            for row in _stratified(part, n // len(parts), Random(f"{seed}/sample/{split}/{role}"), split)
        ]
        found[split] = sorted(chosen)
    return found


def _stratified(rows: Sequence[Row], n: int, rng: Random, split: str) -> list[Row]:
    """``n`` rows with each shape by its weight; where a shape has too few, others fill up."""
    if len(rows) < n:
        raise DataError(f"the sample needs {n} plain rows about small databases in {split}, there are {len(rows)}")
    rows = rng.sample(rows, len(rows))
    chosen: list[Row] = []
    for source, wanted in apportion(WEIGHTS, n, rng).items():
        chosen += [row for row in rows if row["source"] == source][:wanted]
    ids = {row["id"] for row in chosen}
    return [*chosen, *[row for row in rows if row["id"] not in ids][: n - len(chosen)]]
