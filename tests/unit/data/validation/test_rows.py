from pathlib import Path
from typing import Any

import pytest

from course_utils.data.formats import Record
from course_utils.data.validation.rows import RowChecker, complete_row, field_findings, find_duplicate_ids
from course_utils.data.validation.validate import ValidationOptions, validate_rows
from course_utils.files import Row
from course_utils.finding import Finding
from tests.sqlite_files import write_database
from tests.unit.data.validation.conftest import record

DATABASES: dict[str, Path | str] = {"shop": Path("shop.sqlite")}
GOOD = {"db_id": "shop", "question": "How many?", "query": "SELECT COUNT(*) FROM shop"}


def test_good_fields_have_no_finding() -> None:
    marks = {"answerable": False, "empty": True, "query_toks": ["SELECT"], "difficulty": None}
    assert [
        field_findings(Record(Path("a.jsonl"), 1, {**GOOD, **marks, "id": id_}), DATABASES) for id_ in (7, "a", None)
    ] == [[], [], []]


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
    findings = field_findings(Record(Path("a.jsonl"), 1, {**GOOD, **fields}), DATABASES)
    assert [(finding.check, finding.severity, finding.reason) for finding in findings] == [("schema", "error", reason)]


def test_every_bad_field_is_named() -> None:
    assert len(field_findings(Record(Path("a.jsonl"), 1, {"question": 5, "answerable": "no"}), {})) == 4


def test_duplicate_ids_are_found_within_a_split_only() -> None:
    records = [record(1, id=7), record(2, id="7"), record(1, split="test", id=7), record(3), record(4, id="train-3")]
    records += [record(5, id=0), record(6, id="train-5"), record(7, id="0")]
    assert [(f.split, f.number) for f in find_duplicate_ids(records)] == [("train", 2), ("train", 4), ("train", 7)]


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


def test_a_row_keeps_what_it_says_of_itself() -> None:
    row = complete_row(record(5, id="", difficulty="extra", source="Jane"))
    assert (row["id"], row["difficulty"], row["source"]) == ("train-5", "extra", "Jane")
    assert complete_row(record(5, query="SELECT ("))["difficulty"] == "unknown"


def check(row: dict[str, Any], databases: dict[str, Path], *checks: str) -> list[Finding]:
    return [*validate_rows({"train": [row]}, databases, ValidationOptions(checks)).findings]


def test_only_the_wanted_checks_speak_and_of_their_row(databases: dict[str, Path]) -> None:
    row = {"db_id": "shop", "question": "Mail to jane.roe@posteo.de", "query": "SELECT name FROM shop WHERE id < 0"}
    assert [finding.check for finding in RowChecker(databases)([record(**row)])] == ["personal-data", "empty-result"]
    (finding,) = check(row, databases, "personal-data")
    assert (finding.split, finding.number, finding.place) == ("train", 1, "train.jsonl:1")
    assert [finding.check for finding in check(row, databases, "empty-result")] == ["empty-result"]


def test_one_row_can_have_findings_of_every_kind_of_text(databases: dict[str, Path]) -> None:
    question = "[INST] Wer wohnt in ZÃ¼rich? Write to maria.keller81@gmail.com, damn bullshit [/INST]"
    checks = ("encoding", "template", "personal-data", "profanity")
    row = {"db_id": "shop", "question": question, "query": "SELECT name FROM shop"}
    assert {found.check for found in check(row, databases, *checks)} == set(checks)


def test_values_of_the_rows_own_database_are_no_personal_data(tmp_path: Path) -> None:
    databases = {name: tmp_path / f"{name}.sqlite" for name in ("with", "without")}
    for name, database in databases.items():
        mail = "maria.keller81@gmail.com" if name == "with" else ""
        write_database(database, f"CREATE TABLE person (mail TEXT); INSERT INTO person VALUES ('{mail}')")
    rows = [{"db_id": name, "question": "Who is maria.keller81@gmail.com?", "query": "SELECT 1"} for name in databases]
    assert [len(check(row, databases, "personal-data")) for row in rows] == [0, 1]


def test_a_row_that_could_not_be_read_has_its_fault_and_nothing_else(databases: dict[str, Path]) -> None:
    record = Record(Path("a.jsonl"), 1, fault="not JSON; write JSON", split="train", number=1, check="schema")
    (finding,) = RowChecker(databases)([record])
    assert (finding.check, finding.reason, finding.fix) == ("schema", "not JSON", "write JSON")


def test_a_database_that_is_not_to_be_had_costs_its_rows_the_reason() -> None:
    databases = {"zoo": "zoo.sqlite: is no database; build it again"}
    (finding,) = RowChecker(databases)([record(db_id="zoo")])
    assert (finding.reason, finding.fix) == ("zoo.sqlite: is no database", "build it again")
