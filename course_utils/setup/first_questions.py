"""Questions whose answer is known without a dataset's help: how many rows a table has."""

from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import DataError
from course_utils.sql import FOLDERS, find_database, list_databases, quote, read_schema, run_query


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

    Needs only the databases, so it works on any dataset, before anything is prepared.

    Args:
        dataset: A folder in Spider's layout.
        build_in: Where databases that come as SQL are built.
        n_databases: How many to ask about at most.

    Raises:
        DataError: The dataset has no databases, or one of them is broken.
    """
    db_ids = sorted(list_databases(dataset))[:n_databases]
    if not db_ids:
        raise DataError(f"{dataset}: no databases; add {' or '.join(FOLDERS[:2])}/<db_id>/<db_id>.sqlite, or fix DATA")
    return [_count_question(db_id, find_database(dataset, db_id, build_in)) for db_id in db_ids]


def _count_question(db_id: str, database: Path) -> CountQuestion:
    schema = read_schema(database)
    if not schema.tables:
        raise DataError(f"{database}: the database has no tables; fill it or remove it")
    table = schema.tables[0].name
    query = f"SELECT COUNT(*) FROM {quote(table)}"
    ((answer,),) = run_query(database, query).rows
    return CountQuestion(db_id, database, schema.render(), f"How many rows are in {table}?", query, int(str(answer)))
