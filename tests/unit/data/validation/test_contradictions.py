from pathlib import Path

import pytest

from course_utils.data.validation import queries
from course_utils.data.validation.queries import find_contradictions
from tests.unit.data.validation.conftest import record

COUNT, MANY = "SELECT COUNT(*) FROM shop", "SELECT 40"
NAMES = "SELECT name FROM shop"
RISING, FALLING = f"{NAMES} ORDER BY id", f"{NAMES} ORDER BY id DESC"


def named(databases: dict[str, Path], *queries: str) -> list[int]:
    records = [record(number, "What is it?", query) for number, query in enumerate(queries, 1)]
    return sorted(finding.number for finding in find_contradictions(records, databases))


def test_two_answers_to_one_question_are_both_suspect(databases: dict[str, Path]) -> None:
    records = [record(1, "How many?", COUNT), record(2, "how MANY", NAMES, "test"), record(3, "Who?", NAMES)]
    found = find_contradictions(records, databases)
    assert [(finding.split, finding.number, finding.severity) for finding in found] == [
        ("train", 1, "error"),
        ("test", 2, "error"),
    ]
    assert ["test.jsonl:2 has" in found[0].reason, "train.jsonl:1 has" in found[1].reason] == [True, True]


def test_another_query_or_another_database_does_not_contradict(databases: dict[str, Path]) -> None:
    assert named(databases, COUNT, MANY, "SELECT 40.0") == []
    other = record(2, "How many?", "SELECT name FROM bank", db_id="bank")
    assert find_contradictions([record(1, "How many?", COUNT), other], databases) == []


def test_where_most_agree_only_the_others_are_named_with_the_place_of_one_that_is_trusted(
    databases: dict[str, Path],
) -> None:
    records = [record(number, "How many?", query) for number, query in enumerate((NAMES, COUNT, MANY), 1)]
    (finding,) = find_contradictions(records, databases)
    assert finding.number == 1
    assert "train.jsonl:2 has the same question" in finding.reason


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        (RISING, FALLING, True),
        (FALLING, NAMES, False),
        ("SELECT 100000000001", "SELECT 100000000002", True),
        ("SELECT 0.1 + 0.2", "SELECT 0.3", False),
        ("SELECT name FROM shop WHERE id < 0", "SELECT name, id FROM shop WHERE id < 0", True),
    ],
)
def test_the_answers_are_compared_as_the_evaluation_compares_them(
    databases: dict[str, Path], first: str, second: str, contradict: bool
) -> None:
    assert bool(named(databases, first, second)) == bool(named(databases, second, first)) == contradict


def test_many_answers_cost_few_runs_and_each_is_named(
    databases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    monkeypatch.setattr(queries, "same_answer", lambda *queries: bool(runs.append(queries)))
    assert named(databases, *(f"SELECT {i}" for i in range(50))) == list(range(1, 51))
    assert len(runs) <= 50 * 2 * queries.MAX_ANSWERS
