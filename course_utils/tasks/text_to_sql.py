"""Turn questions into SQL: the course's running example, and the simplest questions that any database answers."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from course_utils.errors import DataError, QueryError
from course_utils.prompts import Message, read_query, to_messages
from course_utils.sql import FOLDERS, find_database, list_databases, quote, read_schema, run_query
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


@dataclass(frozen=True)
class CountQuestion:
    """A question about one database, its schema as the prompt shows it, and the right answer."""

    db_id: str
    database: Path
    schema: str
    question: str
    query: str
    answer: int


def count_questions(dataset: Path, build_in: Path, n_databases: int = 8) -> list[CountQuestion]:
    """Ask for the number of rows of the first table of each of the first databases.

    Needs only the databases, so it works on any dataset, before anything is prepared. A table that cannot be counted
    gives way to the next, and a folder without one, such as a broken database or none at all, to the next folder:
    these are examples, and to find faults is the work of ``course validate``.

    Args:
        dataset: A folder in Spider's layout.
        build_in: Where databases that come as SQL are built.
        n_databases: How many to ask about at most.

    Raises:
        DataError: The dataset has no databases, or none has a table that can be counted.
    """
    db_ids = sorted(list_databases(dataset))
    if not db_ids:
        raise DataError(f"{dataset}: no databases; add {' or '.join(FOLDERS[:2])}/<db_id>/<db_id>.sqlite, or fix DATA")
    asked = (_count_question(dataset, db_id, build_in) for db_id in db_ids)
    questions = list(islice((question for question in asked if question), n_databases))
    if not questions:
        reason = f"none of its databases ({len(db_ids)}) has a table that can be counted"
        raise DataError(f"{dataset}: {reason}; `course validate {dataset}` says what is wrong")
    return questions


def _count_question(dataset: Path, db_id: str, build_in: Path) -> CountQuestion | None:
    with suppress(DataError):
        database = find_database(dataset, db_id, build_in)
        schema = read_schema(database)
        for table in schema.tables:
            query = f"SELECT COUNT(*) FROM {quote(table.name)}"
            with suppress(QueryError):
                ((answer,),) = run_query(database, query).rows
                question = f"How many rows are in {table.name}?"
                return CountQuestion(db_id, database, schema.render(), question, query, int(str(answer)))
    return None
