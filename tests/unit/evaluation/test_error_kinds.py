"""Every prediction gets one kind, and a page shows what differs without trusting what the model wrote."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.artifacts import Row
from course_utils.evaluation import score_predictions
from course_utils.evaluation.error_kinds import KINDS, error_kind, mark_changes, show_error
from course_utils.evaluation.execution import FAILURES

GOLD = "SELECT singer.name FROM singer JOIN song ON song.singer = singer.id WHERE song.year > 2000"
KIND_BY_PREDICTION = {
    GOLD: "right",
    "The singers of songs.": "invalid",
    "SELECT name FROM WHERE": "invalid",
    "SELECT singer.name FROM singer JOIN album ON album.singer = singer.id WHERE album.year > 2000": "table",
    "SELECT name FROM singer": "join",
    "SELECT singer.name FROM singer JOIN song ON song.id = singer.id WHERE song.year > 2000": "join",
    "SELECT song.year FROM singer JOIN song ON song.singer = singer.id WHERE song.year > 2000": "column",
    "SELECT singer.name FROM singer JOIN song ON song.singer = singer.id WHERE song.year < 2000": "condition",
    "SELECT singer.name FROM singer JOIN song ON song.singer = singer.id WHERE song.year > 1990": "value",
    f"{GOLD} AND singer.name = 'Ana'": "extra",
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "databases" / "music"
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "music.sqlite")) as connection:
        connection.executescript("""
            CREATE TABLE singer (id INTEGER, name TEXT); INSERT INTO singer VALUES (1, 'Ana'), (2, 'Ben'), (3, '<b>');
            CREATE TABLE song (id INTEGER, singer INTEGER, year INTEGER);
            INSERT INTO song VALUES (2, 1, 1995), (1, 2, 2005), (3, 3, 2010);
        """)
    return tmp_path


def rows(*predictions: str, gold: str = GOLD) -> list[Row]:
    return [
        {"id": str(number), "db_id": "music", "question": "Who <i>?", "query": gold, "predicted": predicted}
        for number, predicted in enumerate(predictions)
    ]


def test_each_mistake_has_its_kind(dataset: Path) -> None:
    scores = score_predictions(rows(*KIND_BY_PREDICTION), dataset)
    assert {str(outcome.row["predicted"]): error_kind(outcome) for outcome in scores.outcomes} == KIND_BY_PREDICTION
    slow = replace(scores.outcomes[1].verdict, failure=FAILURES["timeout"])
    assert error_kind(replace(scores.outcomes[1], verdict=slow)) == "timeout"
    assert {*KIND_BY_PREDICTION.values(), "timeout", "aggregate", "order"} == set(KINDS)


def test_swapped_columns_are_of_the_columns(dataset: Path) -> None:
    (outcome,) = score_predictions(
        rows("SELECT name, id FROM singer", gold="SELECT id, name FROM singer"), dataset
    ).outcomes
    assert error_kind(outcome) == "column"


def test_a_wrong_answer_is_shown_with_what_both_queries_return(dataset: Path) -> None:
    wrong, fails = score_predictions(rows("SELECT name FROM singer", "SELECT nam FROM singer"), dataset).outcomes
    page = show_error(wrong, dataset)
    assert "music: Who &lt;i&gt;?" in page
    assert "<del> JOIN song" in page
    assert "[(&#x27;Ben&#x27;,), (&#x27;&lt;b&gt;&#x27;,)]" in page
    assert "<b>" not in page
    assert "no such column: nam" in show_error(fails, dataset)


def test_changes_are_marked_word_by_word() -> None:
    marked = mark_changes("SELECT a FROM t WHERE b = 'New York'", "SELECT a FROM t WHERE b = '<York>'")
    assert marked == "SELECT a FROM t WHERE b = <del>&#x27;New York&#x27;</del><ins>&#x27;&lt;York&gt;&#x27;</ins>"
