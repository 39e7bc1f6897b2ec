"""Made instances: sound, the same each time, about the gold's edges, and with one answer to the gold."""

import sqlite3
import time
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
from sqlglot import parse_one

from course_utils.evaluation import instances
from course_utils.evaluation.boundaries import joined_columns, literals_by_column, near
from course_utils.evaluation.instances import find_instances
from tests.sqlite_files import write_database

SCHEMA = """
CREATE TABLE singer (
  singer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER CHECK (age > 0), UNIQUE (name, age));
CREATE TABLE concert (
  code TEXT PRIMARY KEY, singer_id INTEGER NOT NULL REFERENCES singer, held DATE, seats INTEGER, rate REAL,
  double_seats INTEGER AS (seats * 2));
CREATE TABLE ticket (concert_code TEXT, price REAL);
CREATE VIEW star AS SELECT name FROM singer WHERE age > 30;
CREATE TRIGGER grow AFTER INSERT ON singer BEGIN DELETE FROM concert; END;
-- Cléo in Latin-1: Spider has such names
INSERT INTO singer VALUES (1, 'Ana', 25), (2, 'Ben', 31), (3, CAST(x'436ce96f' AS TEXT), 52);
INSERT INTO concert VALUES ('a', 1, '2020-01-31', 100, 0.5), ('b', 1, '2021-03-01', 200, 0.25);
INSERT INTO concert VALUES ('c', 2, NULL, 100, 1.0);
INSERT INTO ticket VALUES ('a', 10.0), ('a', 12.5), ('c', 10.0);
"""
GOLDS = [
    "SELECT name FROM singer WHERE age > 30",
    "SELECT s.name, COUNT(*) FROM singer AS s JOIN concert AS c ON c.singer_id = s.singer_id GROUP BY s.singer_id",
    "SELECT code FROM concert WHERE STRFTIME('%Y', held) = '2020' ORDER BY seats DESC LIMIT 1",
    "SELECT AVG(price) FROM ticket JOIN concert ON ticket.concert_code = concert.code WHERE seats >= 100",
    "SELECT name FROM star",
]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("music") / "music.sqlite", SCHEMA)


@pytest.fixture(scope="module")
def suites(music: Path) -> dict[str, tuple[bytes, ...]]:
    return find_instances(music, GOLDS, 9)


def rows_of(image: bytes, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(image)
        return connection.execute(query).fetchall()


def test_keys_types_and_constraints_are_sound(suites: dict[str, tuple[bytes, ...]]) -> None:
    assert [len(images) for images in suites.values()] == [9] * len(GOLDS)
    for image in chain(*suites.values()):
        assert rows_of(image, "PRAGMA integrity_check") == [("ok",)]
        assert rows_of(image, "PRAGMA foreign_key_check") == []
        assert {type_ for (type_,) in rows_of(image, "SELECT typeof(seats) FROM concert")} <= {"integer", "null"}
        dates = [day for (day,) in rows_of(image, "SELECT held FROM concert WHERE held IS NOT NULL")]
        assert [day for day in dates if len(day) != 10] == []


def test_instances_hold_what_tells_wrong_from_right(suites: dict[str, tuple[bytes, ...]]) -> None:
    def anywhere(gold: int, query: str) -> bool:
        return any(rows_of(image, query) for image in suites[GOLDS[gold]])

    assert anywhere(0, "SELECT 1 FROM singer WHERE age = 30")
    assert anywhere(0, "SELECT 1 FROM singer WHERE age IS NULL")
    assert anywhere(0, "SELECT 1 FROM singer GROUP BY name HAVING COUNT(*) > 1")
    assert anywhere(1, "SELECT 1 FROM singer WHERE singer_id NOT IN (SELECT singer_id FROM concert)")
    assert anywhere(2, "SELECT 1 FROM concert WHERE held = '2020-12-31'")
    assert anywhere(2, "SELECT 1 FROM concert WHERE held = '2019-12-31'")
    assert anywhere(3, "SELECT 1 FROM ticket JOIN concert ON concert_code = code WHERE seats = 99")
    assert anywhere(4, "SELECT 1 FROM star")


def test_the_gold_has_one_answer_however_ties_are_broken(suites: dict[str, tuple[bytes, ...]]) -> None:
    for image in suites[GOLDS[2]]:
        best = "SELECT seats FROM concert WHERE STRFTIME('%Y', held) = '2020' ORDER BY seats DESC LIMIT 2"
        first, second = [*rows_of(image, best), (None,), (None,)][:2]
        assert first != second or first == (None,)


def test_a_gold_makes_the_same_instances_each_time_and_with_any_others(
    music: Path, suites: dict[str, tuple[bytes, ...]], tmp_path: Path
) -> None:
    cache = tmp_path / "instances.sqlite"
    assert find_instances(music, GOLDS[1:2], 9, cache) == {GOLDS[1]: suites[GOLDS[1]]}
    assert find_instances(music, GOLDS[:2], 9, cache) == {gold: suites[gold] for gold in GOLDS[:2]}
    with closing(sqlite3.connect(cache)) as store:
        store.execute("DELETE FROM suite WHERE number > 5")
        store.commit()
    assert find_instances(music, GOLDS[:1], 9, cache) == {GOLDS[0]: suites[GOLDS[0]][:5]}, "what it holds is kept"


def test_a_table_that_only_its_maker_can_read_costs_no_gold_but_its_own(tmp_path: Path) -> None:
    path = tmp_path / "music.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.create_collation("LOCALIZED", lambda left, right: (left > right) - (left < right))
        connection.create_function("name_hash", 1, len, deterministic=True)
        connection.executescript(
            SCHEMA + "CREATE TABLE fan (name TEXT PRIMARY KEY COLLATE LOCALIZED) WITHOUT ROWID;"
            "CREATE VIRTUAL TABLE text USING fts5(body, content = 'gone'); CREATE INDEX i ON concert (name_hash(code));"
            "CREATE VIRTUAL TABLE note USING fts5(body); INSERT INTO note VALUES ('ink'), ('pen');"
            "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = CAST(sql AS BLOB) WHERE name = 'ticket'"
        )
    golds = [*GOLDS, "SELECT body FROM note", "SELECT name FROM fan"]
    found = find_instances(path, golds, 2, tmp_path / "cache.sqlite")
    assert [len(images) for images in found.values()] == [2] * (len(GOLDS) + 1) + [0]


@pytest.mark.parametrize("more", [" IN (1)", " BETWEEN 1 AND 2", " -> 'x'", " AND age"])
def test_a_gold_too_deep_to_be_written_costs_no_other(music: Path, more: str) -> None:
    deep = f"SELECT name FROM singer WHERE age{more * 600}"
    found = find_instances(music, [GOLDS[0], deep, GOLDS[4]], 2)
    assert [len(found[gold]) for gold in (GOLDS[0], GOLDS[4])] == [2, 2]


@pytest.mark.parametrize("gold", ["SELECT", "SELECT nothing FROM singer", "SELECT random()", "SELECT '\ud800'"])
def test_a_gold_without_one_answer_gets_none(music: Path, gold: str) -> None:
    assert find_instances(music, [gold], 2) == {gold: ()}


@pytest.mark.parametrize(
    ("literal", "like", "expected"),
    [
        ("30", 25, [30, 31, 29]),
        ("30", 2.5, [30.0, 31.0, 29.0, 30.5, 29.5]),
        ("%Ben", "Ana", ["Ben", "bEN", "Ben x", "x Ben", "x Ben x"]),
        ("2020", "2018-05-06", ["2020-01-01", "2019-12-31", "2020-12-30", "2020-12-31", "2021-01-01"]),
        ("2020-02", "2018-05-06", ["2020-02-01", "2020-01-31", "2020-02-28", "2020-03-04"]),
        ("02", "2018-05-06 10:00", ["2018-02-01 10:00", "2018-01-31 10:00", "2018-02-28 10:00", "2018-03-05 10:00"]),
        ("2020-02-29", "2018-05-06", ["2020-02-29", "2020-03-01", "2020-02-28"]),
        ("%Y", "2018-05-06", []),
        ("20200101", "20180506", ["20200101", "20200101", "20200101 x", "x 20200101", "x 20200101 x"]),
        ("Ben", 25, []),
        ("1e999", 25, []),
        ("9223372036854775807", 25, []),
        ("-9223372036854775807", 25, []),
        ("30", b"x", []),
    ],
)
def test_neighbours_keep_the_type_of_a_column(literal: str, like: object, expected: list[object]) -> None:
    assert near(literal, like) == expected


def test_what_a_query_says_of_columns_is_read_by_name_alias_and_join() -> None:
    query = """SELECT a.x, SUM(b.y) AS total FROM left_side AS a JOIN right_side b ON a.id = b.left_id
        WHERE a.z BETWEEN -1 AND 5 AND 'k' = x GROUP BY a.x HAVING total > 300"""
    assert literals_by_column(parse_one(query)) == {"z": ["5", "-1"], "x": ["k"], "y": ["300"], "id": [], "left_id": []}
    assert joined_columns(parse_one(query)) == {
        "left_side.id": "right_side.left_id",
        "right_side.left_id": "left_side.id",
    }


def test_a_gold_that_fails_everywhere_is_not_tried_beyond_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def fail(*_: object) -> bytes:
        tried.append(time.sleep(0.05))
        raise sqlite3.IntegrityError

    monkeypatch.setattr(instances, "_build", fail)
    monkeypatch.setattr(instances, "limit_time", lambda _: None)
    monkeypatch.setattr(instances, "MAKE_S", 0.2)
    assert list(instances._make([], {}, "SELECT 1", 10)) == []
    assert 1 <= len(tried) <= 5


def test_columns_of_a_table_without_rows_are_told_apart(tmp_path: Path) -> None:
    """Else every column would hold the same value, and any of them would be a right answer."""
    path = tmp_path / "farm.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE animal (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, kind TEXT)")
    gold, n_apart = "SELECT name FROM animal", 0
    made = find_instances(path, [gold], 10)[gold]
    with closing(sqlite3.connect(":memory:")) as connection:
        for image in made:
            connection.deserialize(image)
            name, kind = (
                sorted(connection.execute(f"SELECT {each} FROM animal"), key=str) for each in ("name", "kind")
            )
            n_apart += name != kind
    assert n_apart > len(made) / 2 == 5
