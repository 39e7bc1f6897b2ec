"""Inject known defects into a dataset: to learn diagnosing with, and to measure what the validation finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple

from course_utils.artifacts import Row
from course_utils.data import corrupt
from course_utils.errors import ConfigurationError
from course_utils.finding import Finding

Where = Literal["row", "split", "test"]
"""Where a defect goes: into a row itself, into a copy in the same split, or into a copy among the test rows."""


class Defect(NamedTuple):
    """A kind of defect: the check that is meant to find it, and how it is made."""

    check: str
    corrupt: corrupt.Corruption
    where: Where = "row"


DEFECTS: dict[str, Defect] = {
    "missing field": Defect("schema", corrupt.drop_field),
    "wrong type": Defect("schema", corrupt.change_type),
    "unknown database": Defect("schema", corrupt.rename_database),
    "wrong database": Defect("execution", corrupt.swap_database),
    "wrong column": Defect("execution", corrupt.misname_column),
    "broken SQL": Defect("syntax", corrupt.break_sql),
    "truncated SQL": Defect("syntax", corrupt.cut_sql),
    "empty result": Defect("empty-result", corrupt.miss_value),
    "constant result": Defect("constant-result", corrupt.answer_blindly),
    "enormous result": Defect("enormous-result", corrupt.forget_condition),
    "mojibake": Defect("encoding", corrupt.garble),
    "hidden character": Defect("encoding", corrupt.hide_character),
    "control character": Defect("encoding", corrupt.add_control),
    "confusable letter": Defect("encoding", corrupt.replace_letter),
    "template in question": Defect("template", corrupt.wrap_question),
    "template in answer": Defect("template", corrupt.wrap_answer),
    "personal data": Defect("personal-data", corrupt.add_personal_data),
    "profanity": Defect("profanity", corrupt.swear),
    "too long": Defect("length", corrupt.paste_document),
    "exact duplicate": Defect("exact-duplicate", corrupt.keep, "split"),
    "near duplicate": Defect("near-duplicate", corrupt.mistype, "split"),
    "contradiction": Defect("contradiction", corrupt.contradict, "split"),
    "exact leak": Defect("leak-exact", corrupt.keep, "test"),
    "near leak": Defect("leak-near", corrupt.mistype, "test"),
}
PREFACE = "Sure, here is the query:\n"
"""What answers begin with that were copied from a chat with an assistant."""


@dataclass(frozen=True)
class InjectedDefect:
    """One defect, and where it is now."""

    kind: str
    split: str
    number: int  # of the row in its split, from 1
    original: tuple[str, int] | None = None  # split and number of the row that this one is a copy of


@dataclass(frozen=True)
class Injection:
    """A dataset with known defects."""

    splits: dict[str, list[Row]] = field(repr=False)
    defects: list[InjectedDefect] = field(repr=False)  # in the order of the rows
    left_out: dict[str, int]
    """Defects of each kind that no row could take: there are too few rows, or none is fit for them."""

    def count_found(self, findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
        """By kind, how many defects are ``injected``, ``found`` and ``left out``.

        One is found if its own check has an error or a warning for its row.
        """
        alarms = {(f.check, f.split, f.number) for f in findings if f.severity != "note"}
        counts = {kind: {"injected": 0, "found": 0, "left out": n} for kind, n in self.left_out.items()}
        for defect in self.defects:
            counts[defect.kind]["injected"] += 1
            counts[defect.kind]["found"] += (DEFECTS[defect.kind].check, defect.split, defect.number) in alarms
        return counts


@dataclass(eq=False)
class _Entry:
    """A row on its way: which one it will be is known when all defects are injected."""

    row: Row
    kind: str = ""
    original: "_Entry | None" = None


def inject_defects(
    splits: Mapping[str, Sequence[Row]], kinds: Sequence[str] = tuple(DEFECTS), n_each: int = 10, seed: int = 0
) -> Injection:
    """Corrupt some rows and add corrupted copies of others; no row is used twice.

    Args:
        splits: Good rows with db_id, question and query by split, such as ``ValidationReport.splits``; not changed.
        kinds: Names from ``DEFECTS``.
        n_each: Defects of each kind. Fewer are injected where fewer rows can take one: a typo needs a long question
            in Latin letters, for example.
        seed: Chooses rows and places.

    Raises:
        ConfigurationError: A kind is unknown.
    """
    if unknown := [kind for kind in kinds if kind not in DEFECTS]:
        raise ConfigurationError(f"defect {', '.join(unknown)} is unknown; choose from {', '.join(DEFECTS)}")
    rng = Random(seed)
    entries = {split: [_Entry(row) for row in rows] for split, rows in splits.items()}
    contexts = corrupt.read_contexts(splits)
    pool = [(split, entry) for split, group in entries.items() for entry in group if _is_usable(entry.row)]
    rng.shuffle(pool)
    left_out = dict.fromkeys(kinds, 0)
    # Copies go in first and take the fewest rows, which are then left alone.
    for kind in sorted(kinds, key=lambda kind: DEFECTS[kind].where == "row"):
        for _ in range(n_each):
            left_out[kind] += not _inject_one(kind, pool, entries, contexts, rng)
    rows = {split: [entry.row for entry in group] for split, group in entries.items()}
    return Injection(rows, _locate(entries), left_out)


def _is_usable(row: Row) -> bool:
    return row.get("answerable") is not False and len(row["question"]) > 1


def _inject_one(
    kind: str,
    pool: list[tuple[str, _Entry]],
    entries: dict[str, list[_Entry]],
    contexts: Mapping[str, corrupt.Context],
    rng: Random,
) -> bool:
    """Take the first row of the pool that can be corrupted so; False if there is none."""
    defect = DEFECTS[kind]
    for place, (split, entry) in enumerate(pool):
        if defect.where == "test" and (split != "train" or "test" not in entries):
            continue
        row = defect.corrupt(entry.row, rng, contexts[split])
        if row is None or (row == entry.row and defect.where == "row"):
            continue
        del pool[place]
        if defect.where == "row":
            entry.row, entry.kind = row, kind
            return True
        target = entries[split if defect.where == "split" else "test"]
        first = target.index(entry) + 1 if defect.where == "split" else 0
        copied = row if row.get("id") is None else {**row, "id": f"{row['id']}-{rng.randrange(10**6)}"}
        target.insert(rng.randint(first, len(target)), _Entry(copied, kind, entry))
        return True
    return False


def _locate(entries: Mapping[str, list[_Entry]]) -> list[InjectedDefect]:
    places = {entry: (split, number) for split, group in entries.items() for number, entry in enumerate(group, 1)}
    return [
        InjectedDefect(entry.kind, *place, places[entry.original] if entry.original else None)
        for entry, place in places.items()
        if entry.kind
    ]


def inject_preface(rows: Sequence[Row], share: float, seed: int = 0) -> list[Row]:
    """Put one and the same preface before the queries of some rows, as if they came from one chat.

    ``inject_defects`` scatters its defects; this is one source that is wrong in one way, which a model learns.

    Args:
        rows: Good rows; not changed.
        share: Of the rows to corrupt, 0 to 1.
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
