"""The course's own data, validated once: false alarms, what is prepared of it, and the defects that are found in it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.more_defects import every_defect
from benchmarks.validation_quality import false_alarms
from course_utils.artifacts import open_course
from course_utils.data.inject import inject_defects
from course_utils.data.prepare import prepare_dataset
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.validate import ValidationOptions, validate_dataset, validate_rows
from course_utils.files import PROJECT, read_jsonl
from course_utils.sql import find_database, list_databases, read_schema

DATA = PROJECT / "data"
N_EACH = 10


@pytest.fixture(scope="module")
def options() -> ValidationOptions:
    course = open_course("smoke")
    return ValidationOptions(course=replace(course, profile=replace(course.profile, name="every row", max_length=2048)))


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    built = tmp_path_factory.mktemp("built")
    return {name: find_database(DATA, name, built) for name in list_databases(DATA)}


@pytest.fixture(scope="module")
def clean(options: ValidationOptions, databases: Mapping[str, Path]) -> ValidationReport:
    build_in = next(iter(databases.values())).parents[1]
    return validate_dataset(DATA, build_in, options)


def test_clean_course_data_has_no_error_and_few_warnings(clean: ValidationReport) -> None:
    assert [row.reason for row in clean.rejected] == []
    alarms = {(finding.split, finding.number): str(finding) for finding in false_alarms(clean.findings)}
    assert len(alarms) <= 0.01 * len(clean.records), list(alarms.values())[:20]


def test_what_the_smoke_profile_promises_is_prepared_of_it(clean: ValidationReport, tmp_path: Path) -> None:
    prepared = prepare_dataset(open_course("smoke", artifacts=str(tmp_path)), tmp_path / "data", clean)
    assert prepared.results == {
        "n_train": 1500,
        "n_validation": len(prepared.validation),
        "n_test": 240,
        "n_test_unseen": 120,
    }
    assert len(prepared.validation) >= 100
    for split, rows in prepared.splits.items():
        assert read_jsonl(tmp_path / "data" / f"{split}.jsonl") == rows
        assert {row["difficulty"] for row in rows} == {"easy", "medium"}
    assert json.loads((tmp_path / "data" / "schemas.json").read_text()) == prepared.schemas
    for db_id, schema in prepared.schemas.items():
        assert read_schema(tmp_path / "data" / "databases" / db_id / f"{db_id}.sqlite").render() == schema


def test_injected_defects_are_found(
    clean: ValidationReport, options: ValidationOptions, databases: Mapping[str, Path]
) -> None:
    splits = {split: rows[::3] for split, rows in clean.splits.items()}  # the rest would cost time alone
    defects = every_defect(splits)
    injection = inject_defects(splits, defects, N_EACH)
    report = validate_rows(injection.splits, databases, options)
    counts = injection.count_found(report.findings)
    assert sum(count["injected"] for count in counts.values()) == len(defects) * N_EACH >= 200
    assert sum(count["found"] for count in counts.values()) >= 0.98 * len(defects) * N_EACH, counts
    alarms = {(finding.split, finding.number) for finding in false_alarms(report.findings, injection)}
    assert len(alarms) <= 0.01 * len(report.records)
