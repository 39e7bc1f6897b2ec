import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from course_utils.errors import DataError
from course_utils.evaluation import Scores, accuracy_table, read_predictions, score_predictions
from course_utils.evaluation.scores import Outcome
from tests.sqlite_files import write_database

from .verdicts import verdict_of

SCHEMA = "CREATE TABLE item (id integer, name text);"
ROWS = "INSERT INTO item VALUES (1, 'pen'), (2, 'ink');"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset" / "databases" / "shop"
    folder.mkdir(parents=True)
    (folder / "schema.sql").write_text(SCHEMA)
    (folder / "rows.sql").write_text(ROWS)
    return tmp_path / "dataset"


def row(number: int, predicted: str, **fields: Any) -> dict[str, Any]:
    gold = "SELECT name FROM item"
    return {"id": f"q{number}", "db_id": "shop", "question": "?", "query": gold, "predicted": predicted, **fields}


def score_file(path: Path, dataset: Path) -> dict[str, Any]:
    return score_predictions(read_predictions(path), dataset).summary()


def write(path: Path, rows: list[dict[str, Any]], end: str = "\n") -> Path:
    path.write_bytes("".join(json.dumps(value) + end for value in rows).encode())
    return path


@pytest.fixture
def predictions() -> list[dict[str, Any]]:
    return [
        row(1, "SELECT name FROM item ORDER BY 1", difficulty="medium", seen=True),
        row(2, "SELECT name FROM items", difficulty="easy", seen=True),
        row(3, "", difficulty="easy", seen=False, stopped=False),
        row(4, "SELECT 1 WHERE 0", query="SELECT id FROM item WHERE id > 5", stopped=True),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_score_file_counts_everything(tmp_path: Path, dataset: Path, predictions: list[Any], end: str) -> None:
    before = sorted(dataset.rglob("*"))
    scores = score_file(write(tmp_path / "mine.jsonl", predictions, end), dataset)
    assert json.loads(json.dumps(scores)) == scores
    assert (scores["n"], scores["execution_accuracy"], scores["validity"]) == (4, 0.5, 0.5)
    assert scores["execution_accuracy_low"] == pytest.approx(0.1500, abs=1e-4)  # Wilson's ends for 2 of 4
    assert scores["execution_accuracy_high"] == pytest.approx(0.8500, abs=1e-4)
    assert (scores["n_empty_gold"], scores["n_empty_gold_correct"]) == (1, 1)
    assert (scores["stop_rate"], scores["empty_reply_rate"]) == (0.5, 0.25)
    assert scores["errors"] == {"no such table": 1, "syntax": 1}
    assert {name: group["execution_accuracy"] for name, group in scores["by_difficulty"].items()} == {
        "easy": 0.0,
        "medium": 1.0,
    }
    assert {name: group["n"] for name, group in scores["by_seen"].items()} == {
        "seen databases": 2,
        "unseen databases": 1,
    }
    assert sorted(dataset.rglob("*")) == before, "a dataset is never written to"


def test_the_least_that_a_row_needs(tmp_path: Path, dataset: Path) -> None:
    least = {"id": 7, "db_id": "shop", "query": "SELECT 1", "predicted": "SELECT 1;"}
    scores = score_file(write(tmp_path / "mine.jsonl", [least]), dataset)
    assert (scores["n"], scores["execution_accuracy"], scores["by_difficulty"]) == (1, 1.0, {})


def test_databases_are_found_where_the_data_stage_writes_them(tmp_path: Path, predictions: list[Any]) -> None:
    write_database(tmp_path / "artifacts" / "databases" / "shop" / "shop.sqlite", SCHEMA + ROWS)
    assert score_predictions(predictions, tmp_path / "artifacts").accuracy.n_true == 2


def test_a_missing_database_and_a_failing_gold_are_all_named(tmp_path: Path, dataset: Path) -> None:
    rows = [row(1, "SELECT 1", db_id="nowhere"), row(2, "SELECT 1", query="SELECT nam FROM item"), row(3, "x")]
    rows += [row(4, "SELECT 1", query="DROP TABLE item"), row(5, "SELECT 1", db_id="../shop")]
    path = write(tmp_path / "mine.jsonl", rows)
    with pytest.raises(DataError) as caught:
        score_file(path, dataset)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert any(line.startswith(f"{path}:1: ") and "no database 'nowhere'" in line for line in lines)
    assert any(line.startswith(f"{path}:2: ") and "no such column: nam" in line for line in lines)
    assert any(line.startswith(f"{path}:4: ") and "the gold" in line for line in lines)
    assert any(line.startswith(f"{path}:5: ") and "plain folder name" in line for line in lines)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing.*there is no such folder"):
        score_file(write(tmp_path / "mine.jsonl", [row(1, "SELECT 1")]), tmp_path / "nothing")


def test_no_rows_cannot_be_scored(dataset: Path) -> None:
    with pytest.raises(DataError, match="at least one row"):
        score_predictions([], dataset)


def test_groups_follow_spiders_difficulties_and_birds(dataset: Path) -> None:
    names = ["hard", "extra", "own", "easy", "medium", "challenging", "moderate", "simple"]
    rows = [row(number, "SELECT 1", difficulty=name) for number, name in enumerate(names)]
    assert [*score_predictions(rows, dataset).groups(["difficulty"])] == [
        "all rows",
        "easy",
        "medium",
        "hard",
        "extra",
        "simple",
        "moderate",
        "challenging",
        "own",
    ]


def test_fields_of_other_programs_do_no_harm(tmp_path: Path, dataset: Path) -> None:
    rows = [row(1, "SELECT 1", difficulty=2, seen="yes", stopped="eos"), row(2, "SELECT 1", difficulty=None, seen=None)]
    scores = score_file(write(tmp_path / "theirs.jsonl", rows), dataset)
    assert {name: group["n"] for name, group in scores["by_difficulty"].items()} == {"2": 1}
    assert scores["by_seen"] == {}
    assert "stop_rate" not in scores


def test_a_huge_reply_is_not_taken_apart_for_nothing() -> None:
    reply = {"id": "0", "query": "SELECT 1", "predicted": "x " * 200_000}
    scores = Scores("model", (Outcome(reply, verdict_of("syntax")),))
    tracemalloc.start()
    assert scores.summary()["errors"] == {"syntax": 1}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20  # 35 MiB to look for refusals, of which there are none


def known(name: str, failures: list[str]) -> Scores:
    outcomes = []
    for number, failure in enumerate(failures):
        row = {"id": str(number), "db_id": "shop", "question": f"question {number}", "query": "SELECT 1 < 2"}
        row |= {"predicted": "", "seen": number % 2 == 0, "difficulty": "easy" if number < 2 else "hard"}
        outcomes.append(Outcome(row, verdict_of(failure)))
    return Scores(name, tuple(outcomes))


BASE = known("base", ["syntax"] * 4)
TUNED = known("tuned", ["", "wrong rows", "wrong rows", "syntax"])


def test_the_most_frequent_failure_comes_first() -> None:
    assert [*known("x", ["syntax", "wrong rows", "wrong rows"]).failures()] == ["wrong rows", "syntax"]


def test_the_accuracy_table_has_a_row_for_each_group() -> None:
    table = accuracy_table(BASE, TUNED)
    assert table.columns == ("measure", "rows", "base", "tuned")
    assert table.rows[0] == ("validity, all rows", "4", "0.0% [0.0%, 49.0%]", "75.0% [30.1%, 95.4%]")
    assert [row[:2] for row in table.rows[1:]] == [
        ("accuracy, all rows", "4"),
        ("accuracy, seen databases", "2"),
        ("accuracy, unseen databases", "2"),
        ("accuracy, easy", "2"),
        ("accuracy, hard", "2"),
    ]
