"""Datasets of other people's kinds are sound: they validate without an error, and the data stage prepares them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from course_utils.artifacts import open_course
from course_utils.data.prepare import prepare_dataset
from course_utils.data.validation.validate import ValidationOptions, validate_dataset
from course_utils.sql import run_query

from .run import DATASETS


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", DATASETS)
def test_a_sound_dataset_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    DATASETS[name](folder)
    before = contents(folder)
    report = validate_dataset(folder, tmp_path / "built", ValidationOptions())
    assert [str(finding) for finding in report.findings if finding.severity == "error"] == []

    prepared = prepare_dataset(open_course("smoke", str(folder), "", str(tmp_path / "artifacts")), tmp_path / "stage")
    assert all(prepared.splits.values())
    for row in (row for rows in prepared.splits.values() for row in rows):
        database = tmp_path / "stage" / "databases" / row["db_id"] / f"{row['db_id']}.sqlite"
        assert run_query(database, row["query"]).rows
    assert contents(folder) == before


def test_twelve_rows_are_twelve() -> None:
    from .twelve_rows import PAIRS

    assert len(PAIRS) == 12


def test_rows_lie_in_the_log_alone(tmp_path: Path) -> None:
    DATASETS["search_wal"](tmp_path)
    database = tmp_path / "databases" / "notes" / "notes.sqlite"
    with closing(sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
