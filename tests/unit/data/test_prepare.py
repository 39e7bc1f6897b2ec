import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.artifacts import Course
from course_utils.data import prepare
from course_utils.data.prepare import prepare_dataset, select_rows
from course_utils.data.validation.validate import validate_dataset
from course_utils.errors import DataError
from course_utils.files import Row
from course_utils.profiles import PROFILES

TinyCourse = Callable[[Path], Course]


@pytest.mark.parametrize("release", ["foreign", "foreign_release"])
def test_foreign_data_needs_no_change_of_code(
    release: str, request: pytest.FixtureRequest, tmp_path: Path, tiny_course: TinyCourse
) -> None:
    """Once from schema.sql, and once with the ready SQLite files that Spider ships."""
    folder: Path = request.getfixturevalue(release)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (tmp_path / "stage" / "databases" / "gone").mkdir(parents=True)
    (tmp_path / "stage" / "databases" / ".DS_Store").touch()  # as a window on the folder leaves it on macOS
    prepared = prepare_dataset(tiny_course(folder), tmp_path / "stage")
    assert {"seen": any(row["seen"] for row in prepared.test)} == {"seen": False}
    assert set(prepared.schemas) == {"bakery_1", "chess_club", "observatory_1"}
    assert not (tmp_path / "stage" / "databases" / "gone").exists()
    for db_id in prepared.schemas:
        connection = sqlite3.connect(tmp_path / "stage" / "databases" / db_id / f"{db_id}.sqlite")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_database_behind_a_relative_link_is_the_stages_own(
    foreign_release: Path, tmp_path: Path, tiny_course: TinyCourse
) -> None:
    (database,) = foreign_release.glob("database/bakery_1/*.sqlite")
    database.rename(foreign_release / "blob")
    database.symlink_to("../../blob")
    prepare_dataset(tiny_course(foreign_release), tmp_path / "stage")
    made = tmp_path / "stage" / "databases" / "bakery_1" / "bakery_1.sqlite"
    assert not made.is_symlink()
    assert made.read_bytes() == (foreign_release / "blob").read_bytes()


def test_bad_rows_stop_the_stage(make_dataset: Callable[..., Path], tmp_path: Path, tiny_course: TinyCourse) -> None:
    bad = {"db_id": "shop", "question": "Why?", "query": "SELECT why FROM shop"}
    course = tiny_course(make_dataset(test=[{**bad, "query": "SELECT name FROM shop"}, bad, "{"]))
    with pytest.raises(DataError, match="2 bad rows"):
        prepare_dataset(course, tmp_path / "stage")


def test_a_line_that_is_no_text_stops_the_stage(
    make_dataset: Callable[..., Path], tmp_path: Path, tiny_course: TinyCourse
) -> None:
    folder = make_dataset()
    (folder / "test.jsonl").write_bytes(b'{"db_id": "\xff"}\n')
    with pytest.raises(DataError, match=r"(?s)1 bad rows:.*not UTF-8"):
        prepare_dataset(tiny_course(folder), tmp_path / "stage")


def test_a_report_made_before_is_taken_and_only_what_must_not_be_trained_on_stops(
    make_dataset: Callable[..., Path], tmp_path: Path, tiny_course: TinyCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = {"db_id": "shop", "question": "Where is +49 30 901820?", "query": "SELECT name FROM shop"}
    course = tiny_course(make_dataset(test=[private]))
    report = validate_dataset(course.data, tmp_path / "stage" / "databases")
    assert [finding.check for finding in report.at_least("error")] == ["personal-data", "leak-skeleton"]
    monkeypatch.setattr(prepare, "validate_dataset", None)
    prepared = prepare_dataset(course, tmp_path / "stage", report)
    assert [row["question"] for row in prepared.test] == [private["question"]]


def test_a_profile_that_leaves_a_split_empty_says_so(
    make_dataset: Callable[..., Path], tmp_path: Path, tiny_course: TinyCourse
) -> None:
    query = "SELECT name FROM shop GROUP BY name ORDER BY COUNT(*) DESC LIMIT 1"
    course = tiny_course(make_dataset(test=[{"db_id": "shop", "question": "Which?", "query": query}]))
    with pytest.raises(
        DataError,
        match="no row is left for test of the 2 train, 1 validation, 1 test good rows; profile 'smoke'",
    ):
        prepare_dataset(course, tmp_path / "stage")


def course_with(**changes: int) -> Course:
    """A course on a dataset that names no sample of its own."""
    return Course(replace(PROFILES["smoke"], **changes), Path("no-such-dataset"), Path("nowhere"))  # type: ignore[arg-type]


def splits_of(n_train: int, n_seen: int, n_unseen: int, difficulty: str = "easy") -> dict[str, list[Row]]:
    def rows(split: str, n: int, db_id: str) -> list[Row]:
        return [{"id": f"{split}-{db_id}-{i}", "db_id": db_id, "difficulty": difficulty} for i in range(n)]

    test = rows("test", n_seen, "a") + rows("test", n_unseen, "b")
    return {"train": rows("train", n_train, "a"), "validation": rows("validation", 3, "a"), "test": test}


@pytest.mark.parametrize(
    ("n_seen", "n_unseen", "limit", "expected"),
    [(50, 50, 20, (10, 10)), (50, 4, 20, (16, 4)), (4, 50, 20, (4, 16)), (5, 5, 20, (5, 5)), (50, 0, 20, (20, 0))],
)
def test_a_smaller_test_keeps_both_halves(n_seen: int, n_unseen: int, limit: int, expected: tuple[int, int]) -> None:
    test = select_rows(splits_of(10, n_seen, n_unseen), course_with(max_test_rows=limit))["test"]
    assert (sum(row["seen"] for row in test), sum(not row["seen"] for row in test)) == expected


def test_the_sample_is_seeded_but_not_by_the_training_seed() -> None:
    splits = splits_of(100, 5, 5)
    chosen = select_rows(splits, course_with(max_train_rows=20))["train"]
    assert len(chosen) == 20
    assert chosen == select_rows(splits, course_with(max_train_rows=20, seed=7))["train"]


def test_difficulties_that_are_not_spiders_are_kept() -> None:
    assert len(select_rows(splits_of(10, 5, 5, "challenging"), course_with())["train"]) == 10
    assert select_rows(splits_of(10, 5, 5, "extra"), course_with())["train"] == []


def course_with_sample(folder: Path, text: str) -> Course:
    (folder / "samples").mkdir()
    (folder / "samples" / "smoke.json").write_text(text)
    return replace(course_with(), data=folder)


def test_the_datasets_own_sample_is_taken_in_the_datasets_order(tmp_path: Path) -> None:
    sample = {"train": ["train-a-2", "train-a-0"], "validation": ["validation-a-1"], "test": ["test-b-0"]}
    chosen = select_rows(splits_of(3, 2, 2, "extra"), course_with_sample(tmp_path, json.dumps(sample)))
    assert {split: [row["id"] for row in rows] for split, rows in chosen.items()} == {
        **sample,
        "train": ["train-a-0", "train-a-2"],
    }


def test_rows_that_the_sample_names_and_the_dataset_lacks_are_named(tmp_path: Path) -> None:
    course = course_with_sample(tmp_path, '{"train": ["x", "train-a-0"], "test": ["train-a-1"]}')
    with pytest.raises(DataError, match=r"'smoke' names rows that are missing or bad: train-a-1 of test, x of train;"):
        select_rows(splits_of(3, 2, 2), course)


def test_ids_that_begin_anew_in_each_split_become_unique(tmp_path: Path) -> None:
    made = splits_of(4, 2, 2).items()
    splits = {split: [{**row, "id": str(i)} for i, row in enumerate(rows)] for split, rows in made}
    sample = '{"train": ["0", "3"], "validation": ["1"], "test": ["3", "2"]}'
    chosen = select_rows(splits, course_with_sample(tmp_path, sample))
    ids = [row["id"] for rows in chosen.values() for row in rows]
    assert ids == ["train-0", "train-3", "validation-1", "test-2", "test-3"]


@pytest.mark.parametrize("text", ["{", "[]", '{"train": 3, "test": []}'])
def test_a_broken_sample_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"smoke\.json: not an object of lists of ids"):
        select_rows(splits_of(3, 2, 2), course_with_sample(tmp_path, text))
