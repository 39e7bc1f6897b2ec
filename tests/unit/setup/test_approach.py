"""The decision, at its thresholds and in its order; first questions, answered by SQLite."""

import sqlite3
from pathlib import Path

import pytest

from course_utils.errors import ConfigurationError, DataError
from course_utils.setup import choose_approach, count_questions
from course_utils.sql import run_query


@pytest.mark.parametrize(
    ("n_examples", "choice", "word"),
    [
        (0, "few_shot", "too few"),
        (99, "few_shot", "too few"),
        (100, "lora", "overfitting"),
        (999, "lora", "overfitting"),
        (1_000, "lora", "does best"),
        (10_000, "lora", "does best"),
        (10_001, "lora_and_more", "DPO"),
    ],
)
def test_behaviour_is_decided_by_the_number_of_examples(n_examples: int, choice: str, word: str) -> None:
    approach = choose_approach("behaviour", n_examples)
    assert approach.choice == choice
    assert word in approach.reason


@pytest.mark.parametrize("n_examples", [0, 500, 50_000])
def test_facts_are_retrieved_however_many_examples_there_are(n_examples: int) -> None:
    assert choose_approach("knowledge", n_examples).choice == "retrieve"


@pytest.mark.parametrize("goal", ["behaviour", "knowledge"])
def test_a_prompt_that_is_enough_wins_and_measuring_comes_first(goal: str) -> None:
    assert choose_approach(goal, 5_000, prompting_is_enough=True).choice == "prompt"
    assert choose_approach(goal, 5_000, prompting_is_enough=True, can_measure=False).choice == "measure"


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'magic' is unknown"):
        choose_approach("magic", 5)
    with pytest.raises(ConfigurationError, match="n_examples is -1"):
        choose_approach("behaviour", -1)


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
    with pytest.raises(DataError, match="has no tables"):
        count_questions(tmp_path, tmp_path / "built")
