"""First questions, answered by SQLite."""

import sqlite3
from pathlib import Path

import pytest

from course_utils import tasks
from course_utils.errors import DataError, QueryError
from course_utils.sql import QueryResult, run_query
from course_utils.tasks import count_questions


def add_database(dataset: Path, db_id: str, script: str, folder: str = "database") -> None:
    path = dataset / folder / db_id / f"{db_id}.sqlite"
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def test_questions_are_about_the_first_table_of_each_database(tmp_path: Path) -> None:
    add_database(
        tmp_path, "zoo", "CREATE TABLE animal (id); INSERT INTO animal VALUES (1), (2), (3); CREATE TABLE b (c)"
    )
    add_database(tmp_path, "art", 'CREATE TABLE "order" (id)')
    art, zoo = count_questions(tmp_path, tmp_path / "built")
    assert (art.db_id, art.question, art.query, art.answer) == (
        "art",
        "How many rows are in order?",
        'SELECT COUNT(*) FROM "order"',
        0,
    )
    assert (zoo.db_id, zoo.answer) == ("zoo", 3)
    assert zoo.schema.splitlines()[0] == "table animal: id"
    for question in (art, zoo):
        assert run_query(question.database, question.query).rows == [(question.answer,)]


def test_databases_are_built_from_sql_and_no_more_than_asked_for(tmp_path: Path) -> None:
    for db_id in ("a", "b", "c"):
        folder = tmp_path / "databases" / db_id
        folder.mkdir(parents=True)
        (folder / "schema.sql").write_text("CREATE TABLE t (x);")
    questions = count_questions(tmp_path, tmp_path / "built", n_databases=2)
    assert [question.db_id for question in questions] == ["a", "b"]
    assert all(question.database.is_relative_to(tmp_path / "built") for question in questions)


def test_a_dataset_without_databases_or_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no databases; add databases or database/"):
        count_questions(tmp_path, tmp_path / "built")
    add_database(tmp_path, "empty", "CREATE TABLE t (x); DROP TABLE t;")
    add_database(tmp_path, "views", "CREATE VIEW one AS SELECT 1 AS n;")
    with pytest.raises(DataError, match=r"none of its databases \(2\) has a table"):
        count_questions(tmp_path, tmp_path / "built")


def test_databases_with_nothing_to_count_are_left_out(tmp_path: Path) -> None:
    add_database(tmp_path, "a_empty", "CREATE TABLE t (x); DROP TABLE t;")
    add_database(tmp_path, "b_views", "CREATE VIEW one AS SELECT 1 AS n;")
    add_database(tmp_path, "c_full", "CREATE TABLE t (x);")
    add_database(tmp_path, "d_full", "CREATE TABLE t (x);")
    (tmp_path / "database" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "database" / "b_broken").mkdir()
    (tmp_path / "database" / "b_broken" / "b_broken.sqlite").write_text("not a database")
    questions = count_questions(tmp_path, tmp_path / "built", n_databases=1)
    assert [question.db_id for question in questions] == ["c_full"]


@pytest.mark.parametrize(
    "name", ["城市", "ORDERS", "Order Details", "select", 'a "quoted" one', "it's", "2024", "x;y", "%"]
)
def test_any_name_of_a_table_can_be_counted(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    add_database(tmp_path, "db", f"CREATE TABLE {quoted} (x); INSERT INTO {quoted} VALUES (1), (2);")
    (question,) = count_questions(tmp_path, tmp_path / "built")
    assert (question.question, question.answer) == (f"How many rows are in {name}?", 2)


def test_a_table_that_cannot_be_counted_gives_way_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_database(tmp_path, "db", "CREATE TABLE vast (x); CREATE TABLE small (x); INSERT INTO small VALUES (1);")

    def run(database: Path, query: str) -> QueryResult:
        if "vast" in query:
            raise QueryError("stopped after 5 s")
        return run_query(database, query)

    monkeypatch.setattr(tasks, "run_query", run)
    (question,) = count_questions(tmp_path, tmp_path / "built")
    assert (question.query, question.answer) == ("SELECT COUNT(*) FROM small", 1)
