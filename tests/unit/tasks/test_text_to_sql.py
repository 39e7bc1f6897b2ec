import pickle
import sqlite3
from pathlib import Path

import pytest

from course_utils.errors import DataError
from course_utils.evaluation import judge
from course_utils.prompts import to_messages
from course_utils.tasks import Task, text_to_sql

SCHEMAS = {"shop": "table item: name text, price real"}
ROW = {"id": "q1", "db_id": "shop", "question": "Which items?", "query": "SELECT name FROM item"}


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE item (name text, price real); INSERT INTO item VALUES ('pen', 1), ('ink', 2)"
    )
    connection.close()
    return text_to_sql(SCHEMAS, {"shop": path})


def test_it_asks_with_the_one_prompt(task: Task) -> None:
    assert task.to_messages(ROW) == to_messages(SCHEMAS["shop"], "Which items?")
    assert task.to_target(ROW) == ROW["query"]
    assert task.read_reply("```sql\nSELECT 1;\n```") == "SELECT 1"


def test_a_database_without_a_schema_is_named(task: Task) -> None:
    with pytest.raises(DataError, match="no schema of zoo"):
        task.to_messages({**ROW, "db_id": "zoo"})


PREDICTIONS = {
    "SELECT item.name FROM item": (True, True),
    "SELECT name FROM item ORDER BY price DESC": (True, True),
    "SELECT name FROM item LIMIT 1": (True, False),
    "SELECT name, price FROM item": (True, False),
    "SELECT nme FROM item": (False, False),
    "DROP TABLE item": (False, False),
    "": (False, False),
}


def test_execution_decides(task: Task) -> None:
    scores = task.score([{**ROW, "predicted": predicted} for predicted in PREDICTIONS])
    assert scores.correct == tuple(correct for _, correct in PREDICTIONS.values())
    assert scores.metrics == {"execution_accuracy": pytest.approx(2 / 7), "validity": pytest.approx(4 / 7)}
    assert (scores.headline, scores.n) == ("execution_accuracy", 7)


@pytest.mark.parametrize("predicted", PREDICTIONS)
def test_the_evaluation_judges_the_same(predicted: str, task: Task, tmp_path: Path) -> None:
    verdict = judge(tmp_path / "shop.sqlite", ROW["query"], predicted)
    scores = task.score([{**ROW, "predicted": predicted}])
    assert (scores.metrics["validity"], scores.correct[0]) == (verdict.valid, verdict.correct)


def test_a_target_scores_right(task: Task) -> None:
    copy: Task = pickle.loads(pickle.dumps(task))
    assert copy.score([{**ROW, "predicted": copy.read_reply(copy.to_target(ROW))}]).value == 1.0


def test_faults_of_the_dataset_are_errors_and_all_listed(task: Task) -> None:
    broken = {**ROW, "query": "SELECT oops FROM item", "predicted": "SELECT 1"}
    with pytest.raises(DataError) as caught:
        task.score([broken, {**ROW, "predicted": "nonsense"}, {**broken, "id": "q3", "predicted": "nonsense"}])
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["q1", "q3"]
    with pytest.raises(DataError, match="no file of zoo"):
        task.score([{**ROW, "db_id": "zoo", "predicted": ""}])
    with pytest.raises(DataError, match="no file of shop"):
        text_to_sql(SCHEMAS).score([{**ROW, "predicted": ""}])
