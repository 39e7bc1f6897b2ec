import sqlite3
from pathlib import Path
from typing import Any

from course_utils.data.formats import Record
from course_utils.data.validation.single_rows import RowChecker
from course_utils.finding import Finding


def check(row: dict[str, Any], databases: dict[str, Any], *checks: str) -> list[Finding]:
    checker = RowChecker(databases, {}, checks) if checks else RowChecker(databases, {})
    return checker([Record(Path("train.jsonl"), 3, row, split="train", number=3)])


def test_a_good_row_has_no_finding(databases: dict[str, Path]) -> None:
    row = {"db_id": "shop", "question": "How many shops?", "query": "SELECT id FROM shop LIMIT 5 ;"}
    assert check(row, databases) == []


def test_only_the_wanted_checks_speak_and_of_their_row(databases: dict[str, Path]) -> None:
    row = {"db_id": "shop", "question": "Mail to jane.roe@posteo.de", "query": "SELECT name FROM shop WHERE id < 0"}
    assert [finding.check for finding in check(row, databases)] == ["personal-data", "empty-result"]
    (finding,) = check(row, databases, "personal-data")
    assert (finding.split, finding.number, finding.place) == ("train", 3, "train.jsonl:3")
    assert [finding.check for finding in check(row, databases, "empty-result")] == ["empty-result"]


def test_values_of_the_rows_own_database_are_no_personal_data(tmp_path: Path) -> None:
    databases = {}
    for name, mail in (("a", "maria.keller81@gmail.com"), ("b", "other@gmail.com")):
        databases[name] = tmp_path / f"{name}.sqlite"
        connection = sqlite3.connect(databases[name])
        connection.execute("CREATE TABLE person (mail TEXT)")
        connection.execute("INSERT INTO person VALUES (?)", (mail,))
        connection.commit()
        connection.close()
    rows = [{"db_id": name, "question": "Who is maria.keller81@gmail.com?", "query": "SELECT 1"} for name in databases]
    assert [len(check(row, databases, "personal-data")) for row in rows] == [0, 1]


def test_a_row_that_could_not_be_read_has_its_fault_and_nothing_else(databases: dict[str, Path]) -> None:
    record = Record(Path("a.jsonl"), 1, fault="not JSON; write JSON", split="train", number=1, check="schema")
    (finding,) = RowChecker(databases, {})([record])
    assert (finding.check, finding.reason, finding.fix) == ("schema", "not JSON", "write JSON")


def test_a_database_that_is_not_to_be_had_costs_its_rows_the_reason() -> None:
    row = {"db_id": "zoo", "question": "How many?", "query": "SELECT 1"}
    (finding,) = check(row, {"zoo": "zoo.sqlite: is no database; build it again"})
    assert (finding.reason, finding.fix) == ("zoo.sqlite: is no database", "build it again")
