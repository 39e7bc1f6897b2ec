import random

from course_utils.data.finding import CHECKS
from course_utils.data.validation.duplicates import find_duplicates
from course_utils.data.validation.signature import Signature, row_signature

Q = "How many shops are there in the city of Lyon?"
SQL = "SELECT COUNT(*) FROM shop WHERE city = 'Lyon'"


def signature(number: int, question: str, query: str = SQL, split: str = "train", db_id: str = "shop") -> Signature:
    row = {"db_id": db_id, "question": question, "query": query}
    return row_signature(row, split, number, f"data/{split}.jsonl:{number}")


def test_the_same_row_twice_is_an_error_at_the_second() -> None:
    (finding,) = find_duplicates([signature(1, Q), signature(2, " how many shops are there in the city of LYON")])
    assert (finding.check, finding.severity, finding.number) == ("exact-duplicate", "error", 2)
    assert "data/train.jsonl:1" in finding.reason
    assert finding.check in CHECKS


def test_nearly_the_same_row_is_a_warning_that_shows_both() -> None:
    (finding,) = find_duplicates([signature(1, Q), signature(2, Q.replace("there", "their"))])
    assert (finding.check, finding.severity, finding.number) == ("near-duplicate", "warning", 2)
    assert "data/train.jsonl:1" in finding.reason
    assert "'how many shops are their in the city of lyon'" in finding.reason


def test_a_row_is_found_once() -> None:
    near = Q.replace("there", "their")
    findings = find_duplicates([signature(1, Q), signature(2, near), signature(3, near), signature(4, Q + " please")])
    assert [(finding.number, finding.check) for finding in findings] == [
        (3, "exact-duplicate"),
        (2, "near-duplicate"),
        (4, "near-duplicate"),
    ]


def test_other_values_databases_splits_and_queries_are_no_duplicates() -> None:
    rows = [
        signature(1, Q),
        signature(2, Q.replace("Lyon", "Turin"), SQL.replace("Lyon", "Turin")),
        signature(3, Q, db_id="bank"),
        signature(4, Q, split="test"),
        signature(5, Q, "SELECT 1"),
    ]
    assert find_duplicates(rows) == []


def test_the_order_of_reading_does_not_matter() -> None:
    rows = [signature(number, Q if number % 3 else Q + "!" * number + f" {number % 5}") for number in range(1, 60)]
    expected = find_duplicates(rows)
    assert len(expected) > 40
    assert find_duplicates(random.Random(0).sample(rows, len(rows))) == expected
