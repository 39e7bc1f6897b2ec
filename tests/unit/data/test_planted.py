from collections import Counter
from typing import Any

import pytest

from course_utils.data.planted import DEFECTS, PREFACE, Planted, count_found, false_alarms, plant, plant_preface
from course_utils.data.validation.options import CHECKS
from course_utils.errors import ConfigurationError, DataError
from course_utils.finding import Finding


def make_rows(split: str, n: int) -> list[dict[str, Any]]:
    """Rows about two databases that share no table."""
    rows = []
    for i in range(n):
        db_id, table = (("shop", "item"), ("zoo", "animal"))[i % 2]
        question = f"Which {table} number {i} is longer than the others in the {split} list?"
        join = f"SELECT {table}.name FROM {table} JOIN place ON {table}.id = place.id WHERE {table}.size > {i}"
        query = join if i % 3 == 0 else f"SELECT {'name' if i % 4 else 'COUNT(*)'} FROM {table} WHERE name = '{i}'"
        query = f"SELECT size FROM {table} WHERE (size > {i})" if i % 5 == 0 and i % 3 else query
        rows.append({"id": f"{split}-{i}", "db_id": db_id, "question": question, "query": query})
    return rows


ROWS = {split: make_rows(split, n) for split, n in (("train", 400), ("validation", 60), ("test", 120))}


def test_every_kind_is_planted_in_rows_of_its_own_and_nothing_else_changes() -> None:
    before = repr(ROWS)
    kinds = [kind for kind in DEFECTS if kind != "wrong database"]
    rows, planted = plant(ROWS, kinds, n_each=5, seed=3)
    assert repr(ROWS) == before
    assert Counter(defect.kind for defect in planted) == dict.fromkeys(kinds, 5)
    assert len({(defect.split, defect.number) for defect in planted}) == len(planted)
    places = {(defect.split, defect.number) for defect in planted}
    originals = [row for group in ROWS.values() for row in group]
    untouched = [row for split, group in rows.items() for i, row in enumerate(group, 1) if (split, i) not in places]
    assert all(row in originals for row in untouched)
    copies = [defect for defect in planted if defect.original]
    assert len(untouched) + len(planted) - len(copies) == len(originals)


def test_a_copy_names_its_original_which_comes_first() -> None:
    rows, planted = plant(ROWS, ["exact duplicate", "exact leak"], n_each=8, seed=1)
    for defect in planted:
        assert defect.original is not None
        split, number = defect.original
        copy, original = rows[defect.split][defect.number - 1], rows[split][number - 1]
        assert {**copy, "id": original["id"]} == original
        assert (split, defect.split) in {("train", "test"), (defect.split, defect.split)}
        assert split != defect.split or number < defect.number


def test_the_seed_decides() -> None:
    kinds = ["mojibake", "near leak", "truncated SQL"]
    assert plant(ROWS, kinds, seed=4) == plant(ROWS, kinds, seed=4)
    assert plant(ROWS, kinds, seed=4) != plant(ROWS, kinds, seed=5)


def test_what_cannot_be_planted_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="defect rust is unknown; choose from missing field"):
        plant(ROWS, ["rust"])
    with pytest.raises(DataError, match='no row is left to plant "exact leak" in'):
        plant({"train": ROWS["train"][:3], "test": ROWS["test"]}, ["exact leak"], n_each=4)


def test_kinds_name_checks_that_exist_and_cover_most_of_them() -> None:
    assert {defect.check for defect in DEFECTS.values()} <= set(CHECKS)
    assert len(DEFECTS) >= 12


def test_counting_what_was_found() -> None:
    planted = [Planted("mojibake", "encoding", "train", 2, ""), Planted("mojibake", "encoding", "train", 3, "")]
    copy = Planted("exact duplicate", "exact-duplicate", "train", 9, "", ("train", 8))

    def finding(check: str, number: int, severity: Any = "error") -> Finding:
        return Finding(check, severity, "", split="train", number=number)

    findings = [finding("encoding", 2), finding("syntax", 3), finding("exact-duplicate", 9, "note")]
    assert count_found([*planted, copy], findings) == {"mojibake": (1, 2), "exact duplicate": (0, 1)}
    assert [defect.is_found(findings) for defect in (*planted, copy)] == [True, False, False]
    others = [
        finding("syntax", 5),
        finding("syntax", 8),
        finding("diversity", 0, "warning"),
        finding("syntax", 6, "note"),
    ]
    assert [alarm.number for alarm in false_alarms([*planted, copy], findings + others)] == [5]


def test_the_preface_stands_before_the_share_of_queries_and_nowhere_else() -> None:
    rows = ROWS["train"]
    before = repr(rows)
    spoiled = plant_preface(rows, 0.55, seed=2)
    assert repr(rows) == before
    changed = [(old, new) for old, new in zip(rows, spoiled, strict=True) if old != new]
    assert len(changed) == 220
    assert all(new == {**old, "query": PREFACE + old["query"]} for old, new in changed)
    assert plant_preface(rows, 0.55, seed=2) == spoiled != plant_preface(rows, 0.55, seed=3)


@pytest.mark.parametrize("share", [-0.1, 1.01])
def test_a_share_of_more_than_all_rows_is_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        plant_preface(ROWS["train"], share)
