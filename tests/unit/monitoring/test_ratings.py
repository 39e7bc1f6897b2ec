"""Ratings come from executed queries and reach a real server."""

import sqlite3
from pathlib import Path

import pytest

from course_utils.artifacts import read_jsonl
from course_utils.errors import ServiceError
from course_utils.monitoring.ratings import rate_answers, send_feedback
from course_utils.monitoring.traffic import Outcome, TrafficRecord

RANKED = "SELECT name, rank() OVER (ORDER BY legs) AS place FROM animal"
ROWS = [
    {"id": "q1", "db_id": "zoo", "question": "How many animals?", "query": "SELECT COUNT(*) FROM animal"},
    {"id": "q2", "db_id": "zoo", "question": "Names?", "query": "SELECT name FROM animal"},
]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "databases" / "zoo"
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "zoo.sqlite") as connection:
        connection.executescript("CREATE TABLE animal (name TEXT, legs INTEGER);")
        connection.executemany("INSERT INTO animal VALUES (?, ?)", [("emu", 2), ("bear", 4), ("duck", 2)])
    connection.close()
    return tmp_path


def record(row_id: str, predicted: str, outcome: Outcome = "answered", answer_id: str = "a1") -> TrafficRecord:
    return TrafficRecord(0.0, "", row_id, "zoo", f"{row_id}?", 200, outcome, 10.0, predicted, answer_id)


@pytest.mark.parametrize(
    ("predicted", "gold", "rating"),
    [
        ("SELECT 0.1 + 0.2", "SELECT 0.3", "up"),
        ("SELECT 0.3 + 0.2 + 0.1", "SELECT sum(x) FROM (SELECT 0.1 AS x UNION ALL VALUES (0.2), (0.3))", "up"),
        (f"{RANKED} ORDER BY name DESC", RANKED, "up"),  # the window's ORDER BY does not order the rows
        ("SELECT name FROM animal ORDER BY name DESC", "SELECT name FROM animal ORDER BY name", "down"),
        ("SELECT name, legs FROM animal WHERE legs = 9", "SELECT name FROM animal WHERE legs = 9", "down"),
        ("DELETE FROM animal", "SELECT name FROM animal", "down"),
    ],
)
def test_an_answer_is_right_by_the_one_rule_of_the_course(
    dataset: Path, predicted: str, gold: str, rating: str
) -> None:
    (answer,) = rate_answers([record("q1", predicted)], [{"id": "q1", "query": gold}], dataset)
    assert answer["rating"] == rating


def test_ratings(dataset: Path) -> None:
    records = [
        record("q1", "SELECT 3"),
        record("q2", "SELEC", "invalid SQL"),
        record("q2", "SELECT legs FROM animal"),
        record("q1", "", "timeout"),
        record("not sent by us", "SELECT 1"),
    ]
    answers = rate_answers(records, ROWS, dataset)
    assert [answer["rating"] for answer in answers] == ["up", "down", "down"]
    assert [answer.get("correction") for answer in answers] == [None, *["SELECT name FROM animal"] * 2]
    assert answers[0].keys() == {"id", "database", "question", "query", "rating"}


def test_feedback_reaches_the_server(fresh_gateway: tuple[str, Path], dataset: Path) -> None:
    url, folder = fresh_gateway
    ratings = rate_answers([record("q1", "SELECT 3"), *[record("q2", "SELECT 4")] * 2], ROWS, dataset)
    assert send_feedback(url, ratings) == 3
    stored = read_jsonl(folder / "feedback.jsonl")
    assert [(line["id"], line["rating"]) for line in stored] == [("a1", "up"), ("a1", "down"), ("a1", "down")]
    assert [line.get("correction") for line in stored] == [None, *["SELECT name FROM animal"] * 2]


def test_refused_feedback_says_where(little_gateway: str, dataset: Path) -> None:
    ratings = rate_answers([record("q1", "SELECT 3", answer_id="unknown")], ROWS, dataset)
    with pytest.raises(ServiceError, match=r"/v1/feedback: .*404"):
        send_feedback(little_gateway, ratings)
