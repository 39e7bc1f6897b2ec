import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.scale import parallel
from course_utils.data.validation.results import count_largest
from course_utils.data.validation.row_checks import ROW_CHECKS, RowChecks, check_rows, finding_of, row_findings
from course_utils.data.validation.validate import validate_rows

Row = dict[str, Any]


def test_rows_by_themselves_have_the_findings_of_the_whole_validation(
    splits: dict[str, list[Row]], placed: list[Row], databases: dict[str, Path]
) -> None:
    using = RowChecks(databases, count_largest(databases))
    found = [finding_of(finding) for finding in row_findings(placed, using)]
    expected = validate_rows(splits, databases, checks=ROW_CHECKS).findings
    assert {finding.check for finding in expected} >= {"schema", "syntax", "empty-result", "enormous-result"}
    assert {finding.check for finding in expected} >= {"execution", "personal-data"}
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_a_sound_row_has_no_problem_and_the_facts_of_its_query(databases: dict[str, Path]) -> None:
    row = {"db_id": "shop", "question": "How many shops?", "query": "SELECT id FROM shop LIMIT 5 ;"}
    (checked,) = check_rows([row], RowChecks(databases, count_largest(databases)))
    assert checked[:3] == ((), (), ())
    assert checked.facts is not None
    assert checked.facts.n_rows == 5


def test_only_the_wanted_checks_speak_and_no_query_runs_in_vain(databases: dict[str, Path]) -> None:
    row = {"db_id": "shop", "question": "Mail to jane.roe@posteo.de", "query": "SELECT name FROM shop WHERE id < 0"}
    (checked,) = check_rows([row], RowChecks(databases, {}, ("personal-data",)))
    assert [problem.check for problem in checked.texts] == ["personal-data"]
    assert checked.facts is None
    (checked,) = check_rows([row], RowChecks(databases, {}, ("empty-result",)))
    assert checked.texts == ()
    assert [problem.check for problem in checked.query] == ["empty-result"]


def test_values_of_the_rows_own_database_are_no_personal_data(tmp_path: Path) -> None:
    databases = {}
    for name, mail in (("a", "maria.keller81@gmail.com"), ("b", "other@gmail.com")):
        databases[name] = tmp_path / f"{name}.sqlite"
        with sqlite3.connect(databases[name]) as connection:
            connection.execute("CREATE TABLE person (mail TEXT)")
            connection.execute("INSERT INTO person VALUES (?)", (mail,))
        connection.close()
    rows = [{"db_id": name, "question": "Who is maria.keller81@gmail.com?", "query": "SELECT 1"} for name in databases]
    found = check_rows(rows, RowChecks(databases, {}, ["personal-data"]))
    assert [len(checked.texts) for checked in found] == [0, 1]


def test_a_database_that_is_not_to_be_had_costs_its_rows_the_reason() -> None:
    row = {"db_id": "zoo", "question": "How many?", "query": "SELECT 1"}
    (checked,) = check_rows([row], RowChecks({"zoo": "zoo.sqlite: is no database; build it again"}, {}))
    assert [(p.reason, p.fix) for p in checked.fields] == [("zoo.sqlite: is no database", "build it again")]


def test_several_processes_find_the_same(
    splits: dict[str, list[Row]], placed: list[Row], databases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "MIN_ROWS", 100)
    monkeypatch.setattr(parallel, "BATCH", 90)
    check = partial(check_rows, using=RowChecks(databases, count_largest(databases)))
    assert parallel.map_rows(placed, check, num_proc=2) == check(placed)
    assert validate_rows(splits, databases, num_proc=2).findings == validate_rows(splits, databases).findings
