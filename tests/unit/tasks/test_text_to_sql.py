import pytest

from course_utils.errors import DataError
from course_utils.prompts import to_messages
from course_utils.tasks import text_to_sql

SCHEMAS = {"shop": "table item: name text, price real"}
ROW = {"id": "q1", "db_id": "shop", "question": "Which items?", "query": "SELECT name FROM item"}


def test_it_asks_with_the_one_prompt() -> None:
    task = text_to_sql(SCHEMAS)
    assert task.to_messages(ROW) == to_messages(SCHEMAS["shop"], "Which items?")
    assert task.to_target(ROW) == ROW["query"]
    assert task.read_reply("```sql\nSELECT 1;\n```") == "SELECT 1"


def test_a_database_without_a_schema_is_named() -> None:
    with pytest.raises(DataError, match="no schema of zoo"):
        text_to_sql(SCHEMAS).to_messages({**ROW, "db_id": "zoo"})
