from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.data.formats import Record
from course_utils.data.validation.distribution import describe_splits, distinct_n
from course_utils.finding import Finding
from course_utils.sql import Schema
from course_utils.sql.schema import Column, TableSchema


def labelled(split: str, **counts: int) -> list[Record]:
    labels = [label for label, n in counts.items() for _ in range(n)]
    row = {"db_id": "d", "question": "Which?", "query": "SELECT name FROM shop"}
    return [
        Record(Path(f"{split}.jsonl"), i, {**row, "source": label}, split=split, number=i)
        for i, label in enumerate(labels, 1)
    ]


def imbalance(rows: list[Record]) -> list[Finding]:
    return [finding for finding in describe_splits(rows, {}) if finding.check == "label-balance"]


def test_a_dominant_class_and_a_rare_one_are_named_with_their_numbers() -> None:
    rare, dominant = imbalance(labelled("train", bug=950, praise=44, spam=4, scam=2))
    assert "2 of 4 classes have under 1 % of 1,000 rows: scam (2), spam (4)" in rare.reason
    assert "95% of 1,000 rows are bug" in dominant.reason
    assert {rare.severity, dominant.severity} == {"warning"}


def test_of_many_classes_the_share_that_is_rare_is_the_one_that_is_named() -> None:
    (rare,) = imbalance(labelled("train", **{f"shape {i}": 20 for i in range(99)}, last=2))
    assert "1 of 100 classes have under 0.2 % of 1,982 rows: last (2)" in rare.reason
    (rare,) = imbalance(labelled("train", bug=600, praise=600, **{f"rare {i}": 1 for i in range(10)}))
    assert rare.reason.endswith(", rare 2 (1) and 2 more"), "eight are named"


def test_a_rare_class_is_a_warning_for_training_and_a_note_for_measuring() -> None:
    rows = [row for split in ("train", "test") for row in labelled(split, bug=600, praise=600, spam=2)]
    assert [(f.split, f.severity) for f in imbalance(rows)] == [("train", "warning"), ("test", "note")]


def test_balanced_classes_even_shares_of_many_and_a_single_class_are_fine() -> None:
    unlabelled = [replace(row, fields=row.fields | {"source": None}) for row in labelled("train", bug=100)]
    for rows in (
        labelled("train", bug=80, praise=20),
        labelled("train", bug=99, praise=1) + unlabelled,  # half of the rows have no class
        labelled("train", **{f"shape {i}": 8 for i in range(150)}),
        labelled("train", bug=500),
    ):
        assert imbalance(rows) == []


def test_each_split_is_judged_by_itself_and_only_by_fields_that_it_has() -> None:
    rows = labelled("train", bug=50, praise=50) + labelled("test", bug=99, praise=1)
    found = imbalance(rows)
    assert [(f.check, f.split, f.number, f.place) for f in found] == [
        ("label-balance", "test", 0, "test rows of test.jsonl")
    ]


def test_distinct_n_is_the_share_counted_by_hand() -> None:
    assert distinct_n(["the cat saw the dog"], 1) == pytest.approx(4 / 5)
    assert distinct_n(["the cat saw the dog", "The cat sat"], 2) == pytest.approx(5 / 6)
    assert distinct_n(["one"], 2) == distinct_n([], 1) == 0


def test_notes_count_shapes_and_name_what_is_never_asked() -> None:
    columns = (Column("shop_id", "INTEGER", True), Column("name", "TEXT"), Column("opening year", "INTEGER"))
    visits = (Column("shop_id", "INTEGER", references="shop"), Column("day", "TEXT"))
    schema = Schema("d", (TableSchema("shop", columns), TableSchema("visit", visits)))
    queries = ("SELECT name FROM shop", *(f"SELECT Name FROM shop WHERE name = '{name}'" for name in "ab"))
    rows = [
        Record(Path("train.jsonl"), i, {"db_id": "d", "question": "Which?", "query": query}, split="train", number=i)
        for i, query in enumerate(queries, 1)
    ]
    variety, unasked = describe_splits(rows, {"d": schema, "never asked": schema})
    assert {(note.check, note.severity, note.number) for note in (variety, unasked)} == {("diversity", "note", 0)}
    assert "distinct-1 of the questions is 0.333" in variety.reason
    assert "2 query shapes in 3 rows" in variety.reason
    assert "67%" in variety.reason
    assert "3 of 5 tables and columns are in no query: d.shop.opening year, d.visit, d.visit.day" in unasked.reason
