import sqlite3
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from course_utils.errors import DataError
from course_utils.files import PROJECT, read_jsonl
from course_utils.sql import find_database, read_schema
from course_utils.sql.query_forms import parse
from tests.sqlite_files import write_database
from tools.dataset.mistakes import write_sql
from tools.dataset.mutations import MUTATIONS
from tools.dataset.preferences import make_preferences, reject

DATA = PROJECT / "data"
BY_REASON = {mutation.reason: mutation for mutation in MUTATIONS}
SHOP = """
CREATE TABLE maker (maker_id integer primary key, name text, city text);
CREATE TABLE item (item_id integer primary key, maker_id integer references maker (maker_id), name text, price integer);
INSERT INTO maker VALUES (1, 'Bic', 'Rome'), (2, 'Aco', 'Oslo'), (3, 'Cal', 'Bern');
INSERT INTO item VALUES (1, 2, 'pen', 5), (2, 2, 'ink', 9), (3, 1, 'pad', 7), (4, 1, 'pen', 3), (5, 2, 'cap', 40);
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_database(tmp_path / "shop.sqlite", SHOP)


JOINED = "SELECT item.name FROM item JOIN maker ON item.maker_id = maker.maker_id WHERE maker.city = 'Oslo'"


@pytest.mark.parametrize(
    ("reason", "query", "rejected"),
    [
        ("swapped-columns", "SELECT name, price FROM item", "SELECT price, name FROM item"),
        ("missing-condition", "SELECT name FROM item WHERE price > 5", "SELECT name FROM item"),
        ("wrong-comparison", "SELECT name FROM item WHERE price > 5", "SELECT name FROM item WHERE price < 5"),
        (
            "wrong-connective",
            "SELECT name FROM item WHERE price > 5 AND name = 'pad'",
            "SELECT name FROM item WHERE price > 5 OR name = 'pad'",
        ),
        (
            "missing-negation",
            "SELECT name FROM item WHERE name NOT IN ('pen', 'ink')",
            "SELECT name FROM item WHERE name IN ('pen', 'ink')",
        ),
        (
            "wrong-literal-case",
            "SELECT name FROM maker WHERE city = 'Rome'",
            "SELECT name FROM maker WHERE city = 'rome'",
        ),
        ("wrong-value", "SELECT name FROM item WHERE price > 5", "SELECT name FROM item WHERE price > 50"),
        ("wrong-aggregate", "SELECT MAX(price) FROM item", "SELECT MIN(price) FROM item"),
        ("missing-group", "SELECT name, COUNT(*) FROM item GROUP BY name", "SELECT name, COUNT(*) FROM item"),
        ("missing-distinct", "SELECT DISTINCT name FROM item", "SELECT name FROM item"),
        ("missing-distinct", "SELECT COUNT(DISTINCT name) FROM item", "SELECT COUNT(name) FROM item"),
        ("wrong-join-key", JOINED, JOINED.replace("item.maker_id", "item.item_id")),
        ("missing-join", JOINED, "SELECT item.name FROM item WHERE maker.city = 'Oslo'"),
        ("wrong-direction", "SELECT name FROM item ORDER BY price DESC", "SELECT name FROM item ORDER BY price"),
        ("missing-order", "SELECT name FROM item ORDER BY price", "SELECT name FROM item"),
        (
            "wrong-set-operation",
            "SELECT name FROM item UNION SELECT name FROM maker",
            "SELECT name FROM item INTERSECT SELECT name FROM maker",
        ),
        ("wrong-table", "SELECT COUNT(price) FROM item", "SELECT COUNT(price) FROM maker"),
    ],
)
def test_each_mistake_is_the_one_that_its_reason_says(shop: Path, reason: str, query: str, rejected: str) -> None:
    made = {reject(query, BY_REASON[reason], shop, read_schema(shop), Random(seed)) for seed in range(20)}
    assert rejected.replace("ORDER BY price", "ORDER BY price ASC") in made or rejected in made


@pytest.mark.parametrize(
    ("reason", "query"),
    [
        ("wrong-column", "SELECT name FROM item WHERE price > 5"),
        ("invented-column", "SELECT name FROM item WHERE price > 5"),
        ("wrong-limit", "SELECT name FROM item ORDER BY price LIMIT 2"),
        ("syntax-error", "SELECT name FROM item WHERE price > 5"),
    ],
)
def test_mistakes_that_chance_chooses_are_wrong_too(shop: Path, reason: str, query: str) -> None:
    connection = sqlite3.connect(shop)
    gold = connection.execute(query).fetchall()
    for seed in range(20):
        rejected = reject(query, BY_REASON[reason], shop, read_schema(shop), Random(seed))
        if rejected is None:
            continue
        if BY_REASON[reason].error:
            with pytest.raises(sqlite3.OperationalError, match=BY_REASON[reason].error):
                connection.execute(rejected)
        else:
            assert connection.execute(rejected).fetchall() != gold


@pytest.mark.parametrize(
    ("reason", "query"),
    [
        ("missing-distinct", "SELECT DISTINCT name FROM maker"),
        ("wrong-literal-case", "SELECT name FROM maker WHERE city = 'Paris'"),
        ("missing-condition", "SELECT name FROM item WHERE price > 0"),
        ("missing-join", "SELECT name FROM item"),
        ("wrong-direction", "SELECT name FROM item"),
    ],
)
def test_a_mistake_without_effect_makes_no_pair(shop: Path, reason: str, query: str) -> None:
    assert {reject(query, BY_REASON[reason], shop, read_schema(shop), Random(seed)) for seed in range(20)} == {None}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM t WHERE b NOT IN (1, 2)",
        "SELECT t.a FROM t WHERE t.b IS NOT NULL AND c != 3",
        "SELECT a FROM t WHERE NOT EXISTS(SELECT 1 FROM u WHERE u.a = t.a)",
    ],
)
def test_sql_is_written_as_people_write_it(query: str) -> None:
    assert write_sql(parse(query)) == query


def test_too_many_pairs_are_refused(shop: Path) -> None:
    row = {"id": "train-1", "db_id": "shop", "question": "Which?", "query": "SELECT name FROM item WHERE price > 5"}
    with pytest.raises(DataError, match="allow 1 preference pairs and not 5"):
        make_preferences([row], {"shop": shop}, 5)


def test_the_committed_pairs_are_balanced_come_from_training_and_are_wrong(tmp_path: Path) -> None:
    pairs, train = read_jsonl(DATA / "preferences.jsonl"), read_jsonl(DATA / "train.jsonl")
    known = {(row["db_id"], row["question"], row["query"]) for row in train}
    assert len(pairs) >= 600
    assert all((pair["db_id"], pair["question"], pair["chosen"]) in known for pair in pairs)
    assert len({pair["id"] for pair in pairs}) == len(pairs)
    counts = Counter(pair["reason"] for pair in pairs)
    assert set(counts) == set(BY_REASON)
    assert len(counts) >= 10
    assert max(counts.values()) <= 1.5 * min(counts.values())
    for pair in pairs[::5]:
        connection = sqlite3.connect(find_database(DATA, pair["db_id"], tmp_path))
        gold = connection.execute(pair["chosen"]).fetchall()
        if error := BY_REASON[pair["reason"]].error:
            with pytest.raises(sqlite3.OperationalError, match=error):
                connection.execute(pair["rejected"])
        else:
            assert connection.execute(pair["rejected"]).fetchall() != gold, pair
        connection.close()
