import pickle
import subprocess
import sys

import pytest

from course_utils.errors import DataError
from course_utils.tasks import Task, TaskScores, ticket_triage
from course_utils.tasks.task import require_predictions


def test_scores_know_their_rows_and_headline() -> None:
    scores = TaskScores("guess", "accuracy", {"accuracy": 2 / 3, "valid": 1.0}, (True, False, True))
    assert (scores.n, scores.value) == (3, 2 / 3)


def test_a_task_survives_pickling() -> None:
    task: Task = pickle.loads(pickle.dumps(ticket_triage()))
    row = {"id": "1", "text": "hi", "label": "bug", "priority": "low"}
    assert task.to_messages(row) == ticket_triage().to_messages(row)
    assert task.score([{**row, "predicted": task.to_target(row)}]).value == 1.0


def test_rows_that_cannot_be_scored_are_all_listed() -> None:
    rows = [{"id": "a", "predicted": ""}, {"id": "b"}, {"id": "c", "predicted": None}]
    require_predictions("guess", rows[:1])
    with pytest.raises(DataError, match="b, c"):
        require_predictions("guess", rows)
    with pytest.raises(DataError, match="no rows"):
        require_predictions("guess", [])


def test_tasks_load_without_torch() -> None:
    code = "import sys, course_utils.tasks; print('torch' in sys.modules, 'sqlglot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
