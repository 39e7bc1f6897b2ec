import json
from pathlib import Path
from typing import Any

import pytest

from course_utils.errors import DataError
from tests.sqlite_files import write_database
from tools.dataset.written import UNANSWERABLE, read_written

GOOD = {"split": "test", "db_id": "shop", "question": "how many  pens?", "query": "SELECT COUNT(*) FROM item;"}
ROLES = {"shop": "test", "farm": "train", "mill": "written"}


@pytest.fixture
def databases(tmp_path: Path) -> dict[str, Path]:
    script = "CREATE TABLE item (name text); INSERT INTO item VALUES ('pen'), ('ink')"
    return {db_id: write_database(tmp_path / f"{db_id}.sqlite", script) for db_id in ROLES}


def write(folder: Path, db_id: str, *rows: dict[str, Any] | str) -> Path:
    path = folder / "written" / f"{db_id}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path.parent


def test_rows_get_what_the_writers_leave_out(tmp_path: Path, databases: dict[str, Path]) -> None:
    silent = {**GOOD, "question": "who?", "query": "SELECT name FROM item WHERE name = 'x'", "note": "none"}
    open_question = {**GOOD, "question": "what does it cost?", "query": UNANSWERABLE, "answerable": False}
    rows = read_written(write(tmp_path, "shop", GOOD, silent, "", open_question), databases, ROLES)
    assert rows["validation"] == []
    assert rows["test"] == [
        {
            "id": "written-test-shop-001",
            "db_id": "shop",
            "question": "how many pens?",
            "query": "SELECT COUNT(*) FROM item",
            "difficulty": "easy",
            "source": "written",
        },
        {
            "id": "written-test-shop-002",
            "db_id": "shop",
            "question": "who?",
            "query": "SELECT name FROM item WHERE name = 'x'",
            "difficulty": "easy",
            "source": "written",
            "empty": True,
        },
        {
            "id": "written-test-shop-003",
            "db_id": "shop",
            "question": "what does it cost?",
            "query": UNANSWERABLE,
            "difficulty": "easy",
            "source": "written",
            "answerable": False,
        },
    ]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ({**GOOD, "query": "SELECT price FROM item"}, "no such column: price"),
        ({**GOOD, "query": ""}, '"query" is missing'),
        ({**GOOD, "question": 3}, '"question" is missing or not text'),
        ({**GOOD, "db_id": "farm"}, "\"db_id\" is 'farm'"),
        ({**GOOD, "split": "validation"}, "questions about shop belong to test"),
        ({**GOOD, "hint": "x"}, "unknown hint"),
        ({**GOOD, "query": UNANSWERABLE}, "go together"),
        ({**GOOD, "answerable": False}, "go together"),
        ({**GOOD, "round": 1}, '"round" is 1; rows of the first round have none'),
        ({**GOOD, "round": 2.0}, '"round" is 2.0'),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, databases: dict[str, Path], row: Any, fault: str) -> None:
    with pytest.raises(DataError, match=r"shop\.jsonl:1: ") as error:
        read_written(write(tmp_path, "shop", row), databases, ROLES)
    assert fault in str(error.value)


def test_every_bad_row_is_listed_and_a_question_is_asked_once(tmp_path: Path, databases: dict[str, Path]) -> None:
    again = {**GOOD, "question": "How many pens"}
    with pytest.raises(DataError, match="2 bad rows") as error:
        read_written(write(tmp_path, "shop", GOOD, again, "{"), databases, ROLES)
    assert "shop.jsonl:2: the question is also at" in str(error.value)
    assert "shop.jsonl:3: not JSON" in str(error.value)


def test_no_folder_means_no_rows(tmp_path: Path, databases: dict[str, Path]) -> None:
    assert read_written(tmp_path / "written", databases, ROLES) == {"train": [], "validation": [], "test": []}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_training_database_is_asked_about_in_training_and_validation(
    tmp_path: Path, databases: dict[str, Path], split: str
) -> None:
    row = {**GOOD, "split": split, "db_id": "farm"}
    assert len(read_written(write(tmp_path, "farm", row), databases, ROLES)[split]) == 1


def test_a_database_of_written_questions_is_asked_about_in_training_alone(
    tmp_path: Path, databases: dict[str, Path]
) -> None:
    row = {**GOOD, "split": "train", "db_id": "mill"}
    assert len(read_written(write(tmp_path, "mill", row), databases, ROLES)["train"]) == 1
    with pytest.raises(DataError, match=r"questions about mill belong to train$"):
        read_written(write(tmp_path, "mill", {**row, "split": "validation"}), databases, ROLES)


def test_a_row_of_a_later_round_says_so_in_its_source(tmp_path: Path, databases: dict[str, Path]) -> None:
    (row,) = read_written(write(tmp_path, "shop", {**GOOD, "round": 2}), databases, ROLES)["test"]
    assert row["source"] == "written:2"
