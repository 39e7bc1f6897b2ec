import pickle
import sqlite3
from pathlib import Path

import pytest

from course_utils import prompts
from course_utils.errors import DataError
from course_utils.tasks import Task, text_to_sql

ROW = {"id": "1", "db_id": "shop", "question": "How many items?", "query": "SELECT COUNT(*) FROM item"}
SCHEMAS = {"shop": "table item: item_id integer"}


@pytest.fixture
def task(tmp_path: Path) -> Task:
    with sqlite3.connect(tmp_path / "shop.sqlite") as connection:
        connection.executescript("CREATE TABLE item (item_id INTEGER); INSERT INTO item VALUES (1), (2);")
    return text_to_sql(SCHEMAS, {"shop": tmp_path / "shop.sqlite"})


def test_the_prompt_is_the_one_prompt(task: Task) -> None:
    assert task.to_messages(ROW) == prompts.to_messages(SCHEMAS["shop"], ROW["question"])
    assert task.read_reply(f"```sql\n{ROW['query']};\n```") == task.to_target(ROW)


@pytest.mark.parametrize(
    ("predicted", "is_right"),
    [("SELECT MAX(item_id) FROM item", True), ("SELECT 3", False), ("SELECT nothing FROM item", False), ("", False)],
)
def test_an_answer_is_right_if_it_returns_the_same(task: Task, predicted: str, is_right: bool) -> None:
    assert task.score([{**ROW, "predicted": predicted}]).correct == (is_right,)


def test_it_survives_pickling(task: Task) -> None:
    again: Task = pickle.loads(pickle.dumps(task))
    assert again.score([{**ROW, "predicted": ROW["query"]}]).value == 1.0


def test_what_is_missing_or_broken_is_said(task: Task) -> None:
    with pytest.raises(DataError, match="none of 'zoo'"):
        task.to_messages({**ROW, "db_id": "zoo"})
    with pytest.raises(DataError, match="no database shop"):
        text_to_sql(SCHEMAS).score([{**ROW, "predicted": ""}])
    with pytest.raises(DataError, match="1: the gold query fails"):
        task.score([{**ROW, "query": "SELECT x", "predicted": "SELECT 1"}])
