"""Turn a question about a database into a query; an answer is right if it returns what the gold query returns."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from course_utils.errors import DataError, QueryError
from course_utils.prompts import Message, read_query, to_messages
from course_utils.sql import run_query
from course_utils.sql.compare import same_answer
from course_utils.tasks.task import Row, Task, TaskScores, require_predictions

NAME = "text_to_sql"


def text_to_sql(schemas: Mapping[str, str], databases: Mapping[str, Path] | None = None) -> Task:
    """The task of the course's running example.

    Rows have ``id``, ``db_id``, ``question`` and ``query``.

    Args:
        schemas: Rendered schema by ``db_id``, as the prompt shows it.
        databases: SQLite file by ``db_id``; only scoring needs them.
    """
    return Task(
        NAME, partial(_to_messages, schemas=schemas), _to_target, read_query, partial(_score, databases=databases or {})
    )


def _to_messages(row: Row, schemas: Mapping[str, str]) -> list[Message]:
    if row["db_id"] not in schemas:
        raise DataError(f"schemas: none of {row['db_id']!r}; run notebooks/02_data.ipynb on this dataset again")
    return to_messages(schemas[row["db_id"]], row["question"])


def _to_target(row: Row) -> str:
    return str(row["query"])


def _score(rows: Sequence[Row], databases: Mapping[str, Path]) -> TaskScores:
    """The share of rows whose query returns what the gold query returns: execution accuracy.

    Raises:
        DataError: There are no rows, some lack a prediction, a database, or a gold query that executes.
    """
    require_predictions(NAME, rows)
    missing = sorted({row["db_id"] for row in rows} - databases.keys())
    if missing:
        raise DataError(f"{NAME}: no database {', '.join(missing)}; give the task the SQLite file of each")
    correct = tuple(_is_right(row, databases[row["db_id"]]) for row in rows)
    return TaskScores(NAME, "execution_accuracy", {"execution_accuracy": sum(correct) / len(correct)}, correct)


def _is_right(row: Row, database: Path) -> bool:
    try:
        run_query(database, row["query"])
    except QueryError as error:
        raise DataError(f"{row.get('id')}: the gold query fails ({error}); correct it or leave the row out") from error
    try:
        return same_answer(database, row["query"], row["predicted"])
    except QueryError:  # the prediction's
        return False
