"""Turn questions into SQL: the course's running example."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from course_utils.errors import DataError
from course_utils.prompts import Message, read_query, to_messages
from course_utils.tasks.task import Task


def text_to_sql(schemas: Mapping[str, str]) -> Task:
    """The task of writing a query for a question.

    Rows have ``id``, ``db_id``, ``question`` and ``query``.

    Args:
        schemas: Rendered schema by ``db_id``.
    """
    return Task("text_to_sql", partial(_to_messages, schemas=schemas), _to_target, read_query)


def _to_messages(row: Mapping[str, Any], schemas: Mapping[str, str]) -> list[Message]:
    if row["db_id"] not in schemas:
        raise DataError(f"schemas: no schema of {row['db_id']}; run notebooks/02_data.ipynb on this dataset again")
    return to_messages(schemas[row["db_id"]], row["question"])


def _to_target(row: Mapping[str, Any]) -> str:
    return str(row["query"])
