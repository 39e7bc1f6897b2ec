import sqlite3
from pathlib import Path

import pytest

from tools.dataset.judge import Judge, canonical, mirror
from tools.dataset.questions import Question

ROWS = [
    *((1, "Ann", "Rome", 5), (2, "Bo", "Rome", 9), (3, "Cy", "Oslo", 9), (4, "Di", "Oslo", 7), (5, "Ed", "Bern", None)),
]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    database = tmp_path / "people.sqlite"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE person (person_id integer primary key, name text, city text, goals integer)")
    connection.executemany("INSERT INTO person VALUES (?, ?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    made = Judge(database, mirror(database, tmp_path / "mirror"))
    made.start("train", 100)
    return made


@pytest.mark.parametrize(
    ("query", "is_good"),
    [
        ("SELECT name FROM person WHERE city = 'Rome'", True),
        ("SELECT name FROM person WHERE goals > 5 AND city = 'Oslo'", False),
        ("SELECT name FROM person WHERE goals > 7 AND city = 'Oslo'", True),
        ("SELECT name FROM person WHERE goals < 100 OR goals IS NULL", False),
        ("SELECT name FROM person ORDER BY goals DESC LIMIT 1", False),
        ("SELECT name FROM person ORDER BY goals DESC, name LIMIT 1", True),
        ("SELECT name FROM person WHERE goals > 5 ORDER BY goals", False),
        ("SELECT name FROM person WHERE goals > 5 ORDER BY goals, name", True),
        ("SELECT name FROM person WHERE city = 'Oslo' ORDER BY goals, name", False),
        ("SELECT name FROM person ORDER BY goals LIMIT 2", False),
        ("SELECT name FROM person LIMIT 5", False),
        ("SELECT city FROM person GROUP BY city HAVING COUNT(*) > 0", False),
        ("SELECT city FROM person GROUP BY city HAVING COUNT(*) > 1", True),
        ("SELECT city FROM person GROUP BY city ORDER BY COUNT(*) DESC LIMIT 1", False),
        ("SELECT city FROM person EXCEPT SELECT city FROM person WHERE goals > 8", True),
        ("SELECT city FROM person UNION SELECT city FROM person WHERE goals > 8", False),
        ("SELECT name, ROW_NUMBER() OVER (ORDER BY goals DESC) FROM person", False),
        ("SELECT name, ROW_NUMBER() OVER (ORDER BY goals DESC, name) FROM person", True),
        ("SELECT name FROM person WHERE goals = (SELECT MAX(goals) FROM person WHERE goals < 100)", False),
        ("SELECT name FROM person WHERE goals = (SELECT MAX(goals) FROM person WHERE city = 'Rome')", False),
        ("SELECT name FROM person WHERE goals = (SELECT MIN(goals) FROM person WHERE city = 'Oslo')", True),
        ("SELECT p.name FROM person AS p LEFT JOIN person AS q ON p.person_id = q.person_id", False),
        ("SELECT COUNT(*) FROM person WHERE goals > 50", False),
    ],
)
def test_every_part_must_matter_and_no_tie_may_decide(judge: Judge, query: str, is_good: bool) -> None:
    assert judge.accepts(Question("How?", query, "any")) is is_good


def test_a_query_stays_in_its_split_and_gets_two_wordings_in_training_only(judge: Judge) -> None:
    query = "SELECT name FROM person WHERE city = 'Rome'"
    assert [judge.accepts(Question(text, query, "any")) for text in ("A?", "a", "B?", "C?")] == [
        True,
        False,
        True,
        False,
    ]
    judge.start("test", 100)
    assert not judge.accepts(Question("D?", query, "any"))
    oslo = query.replace("Rome", "Oslo")
    assert [judge.accepts(Question(text, oslo, "any")) for text in ("E?", "F?")] == [True, False]


def test_the_test_asks_no_answer_twice(judge: Judge) -> None:
    judge.start("test", 100)
    assert judge.accepts(Question("A?", "SELECT COUNT(*) FROM person WHERE city = 'Rome'", "any"))
    assert not judge.accepts(Question("B?", "SELECT COUNT(*) FROM person WHERE city = 'Oslo'", "any"))


def test_written_queries_stay_in_their_split(judge: Judge) -> None:
    judge.reserved = {canonical("select Name from person  where City='Rome';"): "test"}
    assert not judge.accepts(Question("A?", "SELECT name FROM person WHERE city = 'Rome'", "any"))
    judge.reserved = {}
    assert judge.accepts(Question("A?", "SELECT name FROM person WHERE city = 'Oslo'", "any"))


def test_few_answers_may_be_empty(judge: Judge) -> None:
    judge.start("train", 100)
    asked = [
        judge.accepts(Question(f"{city}?", f"SELECT name FROM person WHERE city = 'Rome' AND goals < {n}", "any"))
        for n, city in enumerate(("a", "b", "c", "d"))
    ]
    assert asked == [True, True, False, False]
