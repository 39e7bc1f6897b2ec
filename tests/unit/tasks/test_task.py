import pickle
import subprocess
import sys

import pytest

from course_utils.tasks import Task, text_to_sql, ticket_triage


@pytest.mark.parametrize(
    ("task", "row"),
    [
        (text_to_sql({"shop": "table item: name text"}), {"db_id": "shop", "question": "?", "query": "SELECT 1"}),
        (ticket_triage(), {"text": "hi", "label": "bug", "priority": "low"}),
    ],
)
def test_a_task_survives_pickling_and_reads_its_own_target(task: Task, row: dict[str, str]) -> None:
    copy: Task = pickle.loads(pickle.dumps(task))
    assert copy.to_messages(row) == task.to_messages(row)
    assert copy.read_reply(task.to_target(row)) == task.to_target(row)


def test_tasks_load_without_torch() -> None:
    code = "import sys, course_utils.tasks; print('torch' in sys.modules, 'sqlglot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
