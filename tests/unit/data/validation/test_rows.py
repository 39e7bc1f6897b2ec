from pathlib import Path

import pytest

from course_utils.artifacts import Row
from course_utils.data.formats import Record
from course_utils.data.validation.rows import clean_query, complete_row, field_findings, find_duplicate_ids

DATABASES: dict[str, Path | str] = {"shop": Path("shop.sqlite")}
GOOD = {"db_id": "shop", "question": "How many?", "query": "SELECT COUNT(*) FROM shop"}


def record(number: int = 1, split: str = "train", **fields: object) -> Record:
    return Record(Path(f"{split}.jsonl"), number, {**GOOD, **fields}, split=split, number=number)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"id": 7},
        {"id": "a"},
        {"answerable": False, "empty": True},
        {"query_toks": ["SELECT"]},
        {"difficulty": None},
    ],
)
def test_a_good_row_has_no_finding(fields: Row) -> None:
    assert field_findings({**GOOD, **fields}, DATABASES) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"query": None}, '"query" is missing'),
        ({"question": " \n"}, '"question" is empty'),
        ({"question": ["How"]}, '"question" is not text'),
        ({"answerable": "false"}, "\"answerable\" is 'false', which is not true or false"),
        ({"empty": 1}, '"empty" is 1, which is not true or false'),
        ({"id": True}, '"id" is True, which is not text or a whole number'),
        ({"id": 1.5}, '"id" is 1.5, which is not text or a whole number'),
        ({"difficulty": 3}, '"difficulty" is 3, which is not text'),
        ({"db_id": "zoo"}, 'there is no database "zoo"'),
    ],
)
def test_a_bad_field_is_an_error_with_the_evidence(fields: Row, reason: str) -> None:
    findings = field_findings({**GOOD, **fields}, DATABASES)
    assert [(finding.check, finding.severity, finding.reason) for finding in findings] == [("schema", "error", reason)]


def test_every_bad_field_is_named() -> None:
    assert len(field_findings({"question": 5, "answerable": "no"}, {})) == 4


def test_duplicate_ids_are_found_within_a_split_only() -> None:
    records = [record(1, id=7), record(2, id="7"), record(1, "test", id=7), record(3), record(4, id="train-3")]
    assert [(f.split, f.number) for f in find_duplicate_ids(records)] == [("train", 2), ("train", 4)]


def test_a_row_is_completed_and_keeps_its_marks() -> None:
    row = complete_row(record(5, question="  How \n many? ", query=" SELECT COUNT(*) FROM shop ;\n", empty=False))
    assert row == {
        "id": "train-5",
        "db_id": "shop",
        "question": "How many?",
        "query": "SELECT COUNT(*) FROM shop",
        "difficulty": "easy",
        "source": "train.jsonl",
        "empty": False,
    }


def test_spaces_inside_a_query_are_data() -> None:
    assert clean_query("SELECT 'a  b' ; ; ") == "SELECT 'a  b'"
