import random
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.formats import Record
from course_utils.data.validation.duplicates import find_repeats
from course_utils.finding import Finding

Q = "How many shops are there in the city of Lyon?"
NEAR = Q.replace("there", "their")
SQL = "SELECT COUNT(*) FROM shop WHERE city = 'Lyon'"


def record(
    number: int, question: str, query: str = SQL, split: str = "train", db_id: str = "shop", **more: Any
) -> Record:
    fields = {"db_id": db_id, "question": question, "query": query, **more}
    return Record(Path(f"{split}.jsonl"), number, fields, split=split, number=number)


def about_rows(*records: Record) -> list[Finding]:
    return [finding for finding in find_repeats(records) if finding.number]


def test_the_same_row_twice_is_an_error_at_the_second() -> None:
    (finding,) = find_repeats([record(1, Q), record(2, " how many shops are there in the city of LYON")])
    assert (finding.check, finding.severity, finding.number) == ("exact-duplicate", "error", 2)
    assert "train.jsonl:1" in finding.reason


def test_nearly_the_same_row_is_a_warning_that_shows_both() -> None:
    (finding,) = find_repeats([record(1, Q), record(2, NEAR)])
    assert (finding.check, finding.severity, finding.number) == ("near-duplicate", "warning", 2)
    assert "train.jsonl:1" in finding.reason
    assert "'how many shops are their in the city of lyon'" in finding.reason


def test_a_row_is_found_once_whatever_the_order_of_reading() -> None:
    rows = [record(1, Q), record(2, NEAR), record(3, NEAR), record(4, Q + " please")]
    for order in (rows, rows[::-1], random.Random(0).sample(rows, len(rows))):
        assert {(finding.number, finding.check) for finding in find_repeats(order)} == {
            (2, "near-duplicate"),
            (3, "exact-duplicate"),
            (4, "near-duplicate"),
        }


@pytest.mark.parametrize(
    "row",
    [
        record(2, Q.replace("Lyon", "Turin"), SQL.replace("Lyon", "Turin")),
        record(2, NEAR, db_id="bank"),
        record(2, NEAR, "SELECT name FROM shop"),
        record(1, Q.replace("Lyon", "Turin"), SQL.replace("Lyon", "Turin"), "test"),
        record(1, "Number of stores in Lyon", SQL, "test", "store"),
        record(1, Q, "SELECT 1", "test", "bank"),
        record(1, "?", "", "test"),
    ],
)
def test_other_values_databases_and_queries_repeat_nothing(row: Record) -> None:
    assert about_rows(record(1, Q), row) == []


@pytest.mark.parametrize(
    ("check", "row"),
    [
        ("leak-exact", record(1, Q.upper(), SQL, "test")),
        ("leak-exact", record(1, Q, "SELECT 1", "test")),
        ("leak-near", record(1, NEAR, SQL, "test")),
        ("leak-skeleton", record(1, "Lyon's number of stores", SQL.lower().replace("lyon", "Lyon"), "test")),
    ],
)
def test_each_leak_is_an_error_in_the_later_split(check: str, row: Record) -> None:
    (finding,) = about_rows(row, record(1, Q))
    assert (finding.check, finding.severity, finding.split, finding.number) == (check, "error", "test", 1)
    assert "train.jsonl:1" in finding.reason


def test_the_same_row_about_another_database_is_a_warning() -> None:
    (finding,) = about_rows(record(1, Q), record(1, Q, SQL, "test", "store"))
    assert (finding.check, finding.severity, finding.split) == ("leak-exact", "warning", "test")
    assert "about shop (train.jsonl:1)" in finding.reason


def test_validation_leaks_into_test_and_training_into_both() -> None:
    test, validation = record(1, Q, SQL, "test"), record(1, Q, SQL, "validation")
    found = about_rows(test, validation, record(1, Q))
    assert [(finding.split, "train" in finding.reason) for finding in found] == [("validation", True), ("test", True)]
    assert "validation" in about_rows(test, validation)[0].reason


def test_questions_without_answer_share_their_query() -> None:
    nothing = "SELECT 'unanswerable'"
    rows = [
        record(1, "What is the weather?", nothing, answerable=False),
        record(1, "Who is the king?", nothing, "test", answerable=False),
        record(2, "What is the weather?", nothing, "test", "bank", answerable=False),
    ]
    assert about_rows(*rows) == []


def test_shared_skeletons_are_counted_and_noted() -> None:
    rows = [
        record(1, Q),
        record(1, "Shops in Turin?", SQL.replace("Lyon", "Turin"), "test"),
        record(2, "Banks in Rome?", "SELECT COUNT(*) FROM bank WHERE town = 'Rome'", "test", "bank"),
        record(3, "Names?", "SELECT name FROM shop ORDER BY name", "test"),
    ]
    (note,) = find_repeats(rows)
    assert (note.check, note.severity, note.split, note.number) == ("leak-skeleton", "note", "test", 0)
    assert "2 of 3 rows (67%)" in note.reason
    assert "2 x SELECT COUNT ( * ) FROM _ WHERE _ = ?" in note.reason
