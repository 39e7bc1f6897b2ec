from collections import Counter

import pytest

from course_utils.data.finding import CHECKS, Finding
from course_utils.data.validation.leakage import find_leaks, shared_skeletons
from course_utils.data.validation.signature import Signature, row_signature

Q = "How many shops are there in the city of Lyon?"
SQL = "SELECT COUNT(*) FROM shop WHERE city = 'Lyon'"


def signature(split: str, question: str, query: str = SQL, db_id: str = "shop", **more: bool) -> Signature:
    return row_signature(
        {"db_id": db_id, "question": question, "query": query, **more}, split, 1, f"data/{split}.jsonl:1"
    )


def errors(*rows: Signature) -> list[Finding]:
    return [finding for finding in find_leaks(rows) if finding.severity == "error"]


@pytest.mark.parametrize(
    ("check", "row"),
    [
        ("leak-exact", signature("test", Q.upper())),
        ("leak-exact", signature("test", Q, "SELECT 1")),
        ("leak-near", signature("test", Q.replace("there", "their"))),
        ("leak-skeleton", signature("test", "Lyon's number of stores", SQL.lower().replace("lyon", "Lyon"))),
    ],
)
def test_each_leak_is_an_error_in_the_later_split(check: str, row: Signature) -> None:
    (finding,) = errors(row, signature("train", Q))
    assert (finding.check, finding.split, finding.number) == (check, "test", 1)
    assert "data/train.jsonl:1" in finding.reason
    assert finding.check in CHECKS


def test_the_same_row_about_another_database_is_a_warning() -> None:
    (finding,) = (f for f in find_leaks([signature("train", Q), signature("test", Q, db_id="store")]) if f.number)
    assert (finding.check, finding.severity, finding.split) == ("leak-exact", "warning", "test")
    assert "about shop (data/train.jsonl:1)" in finding.reason


@pytest.mark.parametrize(
    "row",
    [
        signature("train", Q),
        signature("test", Q.replace("Lyon", "Turin"), SQL.replace("Lyon", "Turin")),
        signature("test", "Number of stores in Lyon", db_id="store"),
        signature("test", Q, "SELECT 1", db_id="bank"),
    ],
)
def test_what_gives_nothing_away_is_no_leak(row: Signature) -> None:
    assert errors(signature("train", Q), row) == []


def test_validation_leaks_into_test_and_training_into_both() -> None:
    found = errors(signature("test", Q), signature("validation", Q), signature("train", Q))
    assert [(finding.split, "train" in finding.reason) for finding in found] == [("validation", True), ("test", True)]
    (finding,) = errors(signature("test", Q), signature("validation", Q))
    assert "validation" in finding.reason


def test_questions_without_answer_share_their_query() -> None:
    nothing = "SELECT 'unanswerable'"
    rows = [
        signature("train", "What is the weather?", nothing, answerable=False),
        signature("test", "Who is the king?", nothing, answerable=False),
        signature("test", "What is the weather?", nothing, db_id="bank", answerable=False),
    ]
    assert find_leaks(rows)[0].severity == "note"
    assert errors(*rows) == []


def test_shared_skeletons_are_counted_and_noted() -> None:
    rows = [
        signature("train", Q),
        signature("test", "Shops in Turin?", SQL.replace("Lyon", "Turin")),
        signature("test", "Banks in Rome?", "SELECT COUNT(*) FROM bank WHERE town = 'Rome'", db_id="bank"),
        signature("test", "Names?", "SELECT name FROM shop ORDER BY name"),
    ]
    skeletons = [row.skeleton for row in rows]
    assert shared_skeletons(Counter(skeletons[1:]), skeletons[:1]) == {"SELECT COUNT ( * ) FROM _ WHERE _ = ?": 2}
    (note,) = find_leaks(rows)
    assert (note.check, note.severity, note.split, note.number) == ("leak-skeleton", "note", "test", 0)
    assert "2 of 3 rows (67%)" in note.reason
    assert "2 x SELECT COUNT ( * ) FROM _ WHERE _ = ?" in note.reason


def test_empty_rows_leak_nothing() -> None:
    assert find_leaks([]) == []
    assert find_leaks([signature("train", "", ""), signature("test", "", "")]) == []
