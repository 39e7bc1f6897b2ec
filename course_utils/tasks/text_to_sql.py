"""Turn questions into SQL: the course's running example, judged by what its queries return."""

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
    """The task of writing a query for a question.

    Rows have ``id``, ``db_id``, ``question`` and ``query``.

    Args:
        schemas: Rendered schema by ``db_id``.
        databases: SQLite file by ``db_id``; only the score needs them.
    """
    return Task(
        NAME, partial(_to_messages, schemas=schemas), _to_target, read_query, partial(_score, databases=databases or {})
    )


def _to_messages(row: Row, schemas: Mapping[str, str]) -> list[Message]:
    if row["db_id"] not in schemas:
        raise DataError(f"schemas: no schema of {row['db_id']}; run notebooks/02_data.ipynb on this dataset again")
    return to_messages(schemas[row["db_id"]], row["question"])


def _to_target(row: Row) -> str:
    return str(row["query"])


def _score(rows: Sequence[Row], databases: Mapping[str, Path]) -> TaskScores:
    """Shares of queries that execute, and that return what the gold query returns.

    Raises:
        DataError: There are no rows, or some lack a prediction, a database or a gold query that executes.
    """
    require_predictions(NAME, rows)
    missing = sorted({row["db_id"] for row in rows} - databases.keys())
    if missing:
        raise DataError(f"databases: no file of {', '.join(missing)}; give the task its databases to score with")
    verdicts, problems = [], []
    for row in rows:
        try:
            verdicts.append(_judge(databases[row["db_id"]], row["query"], row["predicted"]))
        except QueryError as error:
            problems.append(f'{row["id"]}: the gold "query" fails: {error}; correct it or leave the row out')
    if problems:
        raise DataError("\n".join(problems))
    correct = tuple(same for _, same in verdicts)
    metrics = {
        "execution_accuracy": sum(correct) / len(rows),
        "validity": sum(valid for valid, _ in verdicts) / len(rows),
    }
    return TaskScores(NAME, "execution_accuracy", metrics, correct)


def _judge(database: Path, query: str, predicted: str) -> tuple[bool, bool]:
    """Whether a prediction executes, and whether it answers as the gold query does."""
    try:
        return True, same_answer(database, query, predicted)
    except QueryError:
        run_query(database, query)  # One of the two fails; only the gold's failure is an error.
        return False, False
