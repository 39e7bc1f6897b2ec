"""The reward alone, and GRPO on a few questions with the real trainer and the real tiny base."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from course_utils.errors import DataError, QueryError
from course_utils.files import PROJECT
from course_utils.models import load_tokenizer
from course_utils.profiles import get_profile
from course_utils.prompts import encode_prompt
from course_utils.sql import compare, run_query
from course_utils.sql.compare import QueryPair
from course_utils.tasks import text_to_sql
from course_utils.training import Reward, execution_reward, train_grpo
from tests.unit.training.test_policy import start

TINY_BASE = PROJECT / "data" / "tiny_base"
TASK = text_to_sql({"shop": "table item: item_id integer, name text, price real"})
GOLD = "SELECT name FROM item WHERE price > 1"
RIGHT = Reward(1, 1, 1, 1, 1, 1)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "databases" / "shop" / "shop.sqlite"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE item (item_id INTEGER, name TEXT, price REAL)")
        connection.executemany("INSERT INTO item VALUES (?, ?, ?)", [(n, f"item {n}", n / 2) for n in range(6)])
        connection.commit()
    return file


def test_each_step_towards_the_right_answer_earns_more(shop: Path) -> None:
    ladder = [
        "I would count the rows of item.",
        "SELECT a FROM b",
        "SELECT a FROM item",
        "SELECT nam FROM item WHERE price > 1",
        "SELECT name FROM item WHERE price > 2",
        "SELECT name FROM item WHERE price < 1.5",
        GOLD,
    ]
    totals = [execution_reward(shop, GOLD, query).total for query in ladder]
    assert totals[0] == 0
    assert totals[-1] == pytest.approx(1)
    assert all(before < after for before, after in pairwise(totals)), totals


@pytest.mark.parametrize(
    "query",
    [
        "select t.name from item as t where 1 < t.price",
        "WITH dear AS (SELECT * FROM item WHERE price > 1) SELECT name FROM dear",
    ],
)
def test_the_right_answer_earns_everything_however_it_is_written(shop: Path, query: str) -> None:
    assert execution_reward(shop, GOLD, query) == RIGHT


def test_no_rows_prove_nothing(shop: Path) -> None:
    empty = "SELECT name FROM item WHERE price > 99"
    idle, right = (execution_reward(shop, empty, query).total for query in ("SELECT 1 WHERE 0", empty))
    assert idle < 0.2 < right <= 0.5


def test_a_text_in_double_quotes_is_no_column(shop: Path) -> None:
    gold, *queries = (f"SELECT price FROM item WHERE name = {text}" for text in ('"item 1"', '"item 2"', "'item 2'"))
    one, other = (execution_reward(shop, gold, query) for query in queries)
    assert one == other == Reward(parses=1, tables=1, columns=1, runs=1, n_rows=1)


def test_a_part_more_never_makes_the_reward_less() -> None:
    random = Random(0)
    for _ in range(500):
        less = [random.random() for _ in RIGHT]
        more = [min(1.0, part + random.choice([0, random.random()])) for part in less]
        assert 0 <= Reward(*less).total <= Reward(*more).total <= RIGHT.total == pytest.approx(1)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "DROP TABLE item",
        "DELETE FROM item",
        "PRAGMA writable_schema = 1",
        "ATTACH 'other.sqlite' AS other",
        f"{GOLD}; DROP TABLE item",
        "SELECT load_extension('x')",
        "EXPLAIN SELECT name FROM item",
        "SELECT " + "(" * 400 + "1" + ")" * 400 + " FROM item",
        "SELECT name FROM item WHERE price > (SELECT length(zeroblob(900000000)))",
    ],
)
def test_hostile_queries_earn_nothing_and_change_nothing(shop: Path, query: str) -> None:
    before = shop.read_bytes()
    assert execution_reward(shop, GOLD, query) == Reward()
    assert shop.read_bytes() == before
    assert run_query(shop, GOLD).rows


def test_a_query_without_end_earns_nothing(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared in this process, where it can be given less time than the five seconds of a worker."""

    def compare_here(database: Path, gold: str, query: str) -> object:
        return next(compare._compare(database, [QueryPair(gold, query)]))

    monkeypatch.setattr("course_utils.sql.execute.limit_time", lambda _: None)  # or it might end this process
    monkeypatch.setattr(compare, "TIMEOUT_S", 0.3)
    monkeypatch.setattr("course_utils.training.reinforcement.compare_answers", compare_here)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n, item"
    assert execution_reward(shop, GOLD, endless) == Reward()


def test_a_gold_query_that_does_not_run_is_no_reason_to_blame_the_model(shop: Path) -> None:
    with pytest.raises(QueryError, match="no such table"):
        execution_reward(shop, "SELECT name FROM thing", GOLD)


def test_a_step_is_taken_and_its_rewards_are_recorded(shop: Path, tmp_path: Path) -> None:
    rows = [{"db_id": "shop", "question": f"Which items cost more than {n}?", "query": GOLD} for n in range(4)]
    long = {**rows[0], "question": "Which? " * 600}
    profile = replace(get_profile("smoke"), max_steps=1, max_new_tokens=12, batch_size=32)
    result = train_grpo(profile, TINY_BASE, start(tmp_path / "sft"), [*rows, long], TASK, tmp_path, tmp_path / "grpo")
    (record,) = result.history
    assert set(record) >= {"step", "reward", *Reward._fields}
    assert 0 <= record["reward"] <= 1
    assert (result.n_steps, result.n_too_long) == (1, 1)
    assert (tmp_path / "grpo" / "adapter_model.safetensors").is_file()
    with pytest.raises(DataError, match="0 of 1 prompts have 500 tokens at most, but 4 must"):
        train_grpo(profile, TINY_BASE, tmp_path / "sft", [long], TASK, tmp_path, tmp_path / "grpo")


def test_trl_asks_as_the_prompt_module_does(monkeypatch: pytest.MonkeyPatch, shop: Path, tmp_path: Path) -> None:
    from trl import GRPOTrainer

    asked: list[list[int]] = []

    def stop(self: GRPOTrainer, prompt_ids: list[list[int]], *_: object) -> None:
        asked.extend(prompt_ids)
        raise InterruptedError

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", stop)
    row = {"db_id": "shop", "question": "Which items cost more than 1?", "query": GOLD}
    profile = replace(get_profile("smoke"), max_steps=1, batch_size=32)
    with pytest.raises(InterruptedError):
        train_grpo(profile, TINY_BASE, start(tmp_path / "sft"), [row] * 4, TASK, tmp_path, tmp_path / "grpo")
    assert asked[0] == encode_prompt(load_tokenizer(TINY_BASE), TASK.to_messages(row))
