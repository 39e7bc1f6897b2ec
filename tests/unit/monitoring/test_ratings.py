"""Ratings come from executed queries and reach a real server."""

import sqlite3
from pathlib import Path

import pytest

from course_utils.artifacts import read_jsonl
from course_utils.errors import ServiceError
from course_utils.monitoring.ratings import RatedAnswer, rate_answers, send_feedback
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
    assert answer.rating == rating


def test_ratings(dataset: Path) -> None:
    records = [
        record("q1", "SELECT 3"),
        record("q2", "SELEC", "invalid SQL"),
        record("q2", "SELECT legs FROM animal"),
        record("q1", "", "timeout"),
        record("not sent by us", "SELECT 1"),
    ]
    answers = rate_answers(records, ROWS, dataset)
    assert [answer.rating for answer in answers] == ["up", "down", "down"]
    assert answers[1].corrected == "SELECT name FROM animal"


def test_feedback_reaches_the_server(fresh_gateway: tuple[str, Path]) -> None:
    url, folder = fresh_gateway
    right, wrong = record("q1", "SELECT 3"), record("q2", "SELECT 4")
    answers = [
        RatedAnswer(right, "up", "SELECT COUNT(*)"),
        *[RatedAnswer(wrong, "down", "SELECT name FROM animal")] * 2,
    ]
    assert send_feedback(url, answers) == 3
    stored = read_jsonl(folder / "feedback.jsonl")
    assert [(line["id"], line["rating"]) for line in stored] == [("a1", "up"), ("a1", "down"), ("a1", "down")]
    assert [line["correction"] for line in stored] == [None, *["SELECT name FROM animal"] * 2]


def test_refused_feedback_says_where(little_gateway: str) -> None:
    answers = [RatedAnswer(record("q1", "SELECT 3", answer_id="unknown"), "up", "")]
    with pytest.raises(ServiceError, match=r"/v1/feedback: .*404"):
        send_feedback(little_gateway, answers)
