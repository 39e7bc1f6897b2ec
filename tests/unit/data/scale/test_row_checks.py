from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.scale import parallel
from course_utils.data.scale.row_checks import ROW_CHECKS, RowChecks, finding_of, row_findings, row_problems
from course_utils.data.validation.queries import count_largest
from course_utils.data.validation.validate import validate_rows

Row = dict[str, Any]
CHECKS = tuple(check for check in ROW_CHECKS if check != "profanity" or find_spec("profanex"))


def test_rows_by_themselves_have_the_findings_of_the_whole_validation(
    splits: dict[str, list[Row]], placed: list[Row], databases: dict[str, Path]
) -> None:
    using = RowChecks(databases, count_largest(databases), CHECKS)
    found = [finding_of(finding) for row in placed for finding in row_findings(row, using)]
    expected = validate_rows(splits, databases, checks=CHECKS).findings
    assert {finding.check for finding in expected} >= {"schema", "syntax", "empty-result", "enormous-result"}
    assert {finding.check for finding in expected} >= {"execution", "personal-data"}
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_a_sound_row_has_no_problem(databases: dict[str, Path]) -> None:
    row = {"db_id": "shop", "question": "How many shops?", "query": "SELECT COUNT(*) FROM shop"}
    assert row_problems(row, RowChecks(databases, count_largest(databases), CHECKS)) == []


def test_only_the_wanted_checks_speak(databases: dict[str, Path]) -> None:
    row = {"db_id": "shop", "question": "Mail to jane.roe@posteo.de", "query": "SELECT name FROM shop WHERE id < 0"}
    using = RowChecks(databases, {}, ("empty-result",))
    assert [problem.check for problem in row_problems(row, using)] == ["empty-result"]


def test_several_processes_find_the_same(
    placed: list[Row], databases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "MIN_ROWS", 100)
    check = partial(row_findings, using=RowChecks(databases, count_largest(databases), CHECKS))
    assert parallel.map_rows(placed, check, num_proc=2) == [check(row) for row in placed]
