import json
import random
import re
import shutil
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from course_utils.errors import DataError
from course_utils.files import DIFFICULTIES, PROJECT, SPLITS, Row, read_jsonl
from course_utils.sql import find_database, read_schema, run_queries
from course_utils.sql.query_forms import hardness, parse
from course_utils.tasks import normalise
from tools.dataset.build import Sizes, build_dataset, main
from tools.dataset.domains import read_domains
from tools.dataset.leaks import find_leaks
from tools.dataset.quotas import PLAIN

DATA = PROJECT / "data"


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    return {split: read_jsonl(DATA / f"{split}.jsonl") for split in SPLITS}


@pytest.fixture(scope="module")
def grammar(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    return {split: [row for row in part if "written" not in row["source"]] for split, part in rows.items()}


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    built = tmp_path_factory.mktemp("databases")
    return {path.name: find_database(DATA, path.name, built) for path in (DATA / "databases").iterdir()}


@pytest.fixture(scope="module")
def roles() -> dict[str, str]:
    return {domain.db_id: domain.role for domain in read_domains(DATA / "databases")}


def test_the_dataset_is_as_large_as_promised(grammar: dict[str, list[Row]], roles: dict[str, str]) -> None:
    assert sum(map(len, grammar.values())) >= 4000
    assert len(grammar["train"]) >= 3400
    assert len({row["source"] for part in grammar.values() for row in part}) >= 60
    asked = {split: {roles[row["db_id"]] for row in part} for split, part in grammar.items()}
    assert asked == {"train": {"train"}, "validation": {"train", "validation"}, "test": {"train", "test"}}
    assert len({row["db_id"] for row in grammar["train"]}) == 10
    assert sum(roles[row["db_id"]] == "test" for row in grammar["test"]) == len(grammar["test"]) / 2


def test_some_questions_of_each_split_were_written_one_by_one(rows: dict[str, list[Row]]) -> None:
    written = {split: [row for row in part if "written" in row["source"]] for split, part in rows.items()}
    assert len(written["train"]) >= 300
    assert len(written["validation"]) >= 200
    assert len(written["test"]) >= 200
    assert not {row["db_id"] for row in written["train"]} & {row["db_id"] for row in written["test"]}
    for row in (row for part in written.values() for row in part):
        assert (row.get("answerable") is False) == (row["query"] == "SELECT 'unanswerable'")


def test_difficulties_shapes_and_databases_are_balanced(grammar: dict[str, list[Row]]) -> None:
    for part in grammar.values():
        shares = {name: sum(row["difficulty"] == name for row in part) / len(part) for name in DIFFICULTIES}
        assert 0.25 <= shares["easy"] <= 0.32
        assert 0.30 <= shares["medium"] <= 0.36
        assert 0.17 <= shares["hard"] <= 0.23
        assert 0.14 <= shares["extra"] <= 0.21
    shapes = Counter(row["source"] for row in grammar["train"])
    assert max(shapes.values()) < 0.03 * len(grammar["train"])
    sizes = Counter(row["db_id"] for row in grammar["train"])
    assert max(sizes.values()) < 2 * min(sizes.values())


def test_nothing_repeats_and_no_query_is_in_two_splits(rows: dict[str, list[Row]]) -> None:
    everything = [row for split in SPLITS for row in rows[split]]
    assert len({row["id"] for row in everything}) == len(everything)
    assert len({(row["db_id"], normalise(row["question"])) for row in everything}) == len(everything)
    queries = {
        split: {(row["db_id"], row["query"].lower()) for row in rows[split] if row.get("answerable", True)}
        for split in SPLITS
    }
    assert not queries["train"] & queries["test"]
    assert not queries["train"] & queries["validation"]
    assert not queries["validation"] & queries["test"]


def test_every_difficulty_is_spiders(rows: dict[str, list[Row]]) -> None:
    assert all(row["difficulty"] == hardness(row["query"]) for split in SPLITS for row in rows[split][::3])


def test_every_query_is_written_the_one_way(grammar: dict[str, list[Row]]) -> None:
    for row in (row for split in SPLITS for row in grammar[split][::5]):
        canonical = parse(row["query"]).sql("sqlite").replace("<>", "!=")
        canonical = re.sub(r"NOT (\S+) IS NULL", r"\1 IS NOT NULL", canonical)
        assert re.sub(r"NOT ([\w.]+) IN ", r"\1 NOT IN ", canonical) == row["query"]


def test_answers_have_content_unless_marked_and_do_not_depend_on_the_order_of_rows(
    grammar: dict[str, list[Row]], databases: dict[str, Path], tmp_path: Path
) -> None:
    """A tie under LIMIT, ORDER BY or ROW_NUMBER would show once the tables are stored in another order."""
    shuffled = {db_id: shuffle(path, tmp_path / f"{db_id}.sqlite") for db_id, path in databases.items()}
    some = [row for split in SPLITS for row in grammar[split][::4]]
    for row, answer, again in zip(some, answers(databases, some), answers(shuffled, some), strict=True):
        assert any(cell is not None for line in answer for cell in line) is not row.get("empty", False), row
        if parse(row["query"]).args.get("order") is None:
            answer, again = sorted(answer, key=repr), sorted(again, key=repr)
        assert flat(again) == pytest.approx(flat(answer)), row


def test_few_answers_are_empty_and_every_empty_one_is_marked(
    rows: dict[str, list[Row]], databases: dict[str, Path]
) -> None:
    for part in rows.values():
        assert sum(row.get("empty", False) for row in part) <= 0.03 * len(part)
    some = [row for part in rows.values() for row in part[::7]]
    for row, answer in zip(some, answers(databases, some), strict=True):
        assert (not answer) is row.get("empty", False), row


def answers(databases: dict[str, Path], rows: list[Row]) -> list[list[tuple[Any, ...]]]:
    """What the rows' queries give; those about one database are run together."""
    found = {
        db_id: iter([*run_queries(path, [row["query"] for row in rows if row["db_id"] == db_id])])
        for db_id, path in databases.items()
    }
    return [next(found[row["db_id"]]).rows for row in rows]


def flat(answer: list[tuple[Any, ...]]) -> list[Any]:
    return [cell for line in answer for cell in line]


def shuffle(database: Path, target: Path) -> Path:
    source, copy = sqlite3.connect(database), sqlite3.connect(target)
    tables = source.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    for name, sql in tables:
        copy.execute(sql.replace(" PRIMARY KEY", ""))  # else SQLite would store the rows by their key
        found = source.execute(f"SELECT * FROM {name}").fetchall()
        random.Random(5).shuffle(found)
        copy.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(found[0]))})", found)
    copy.commit()
    source.close()
    copy.close()
    return target


def sampled(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    named = json.loads((DATA / "samples" / "smoke.json").read_text())
    return {split: [row for row in part if row["id"] in set(named[split])] for split, part in rows.items()}


def test_the_sample_holds_plain_rows_about_small_databases(
    rows: dict[str, list[Row]], databases: dict[str, Path], roles: dict[str, str]
) -> None:
    sample = sampled(rows)
    assert {split: len(part) for split, part in sample.items()} == {"train": 1500, "validation": 112, "test": 240}
    assert Counter(roles[row["db_id"]] for row in sample["test"]) == {"train": 120, "test": 120}
    n_tables = {db_id: len(read_schema(path).tables) for db_id, path in databases.items()}
    for row in (row for part in sample.values() for row in part):
        assert row["difficulty"] in ("easy", "medium")
        assert row["source"].removeprefix("grammar:") in PLAIN
        assert n_tables[row["db_id"]] <= 4
        assert "empty" not in row
    joins = sum(row["source"].startswith("grammar:join") for row in sample["train"])
    assert 0.05 < joins / len(sample["train"]) < 0.09


def test_the_sample_is_short_enough_for_the_tiny_model(rows: dict[str, list[Row]], databases: dict[str, Path]) -> None:
    from course_utils.models import load_tokenizer
    from course_utils.prompts import count_tokens

    tokenizer = load_tokenizer("data/tiny_base")
    some = {split: part[::4] for split, part in sampled(rows).items()}
    asked = {row["db_id"] for part in some.values() for row in part}
    schemas = {db_id: read_schema(databases[db_id]).render() for db_id in asked}
    assert max(n for rows in some.values() for n in count_tokens(tokenizer, rows, schemas)) < 384


SMALL = Sizes(small=(40, 4, 8), test_only=8, preferences=12, sample=(10, 1, 4))
NUMBERS = {"train": 40, "validation": 4, "test": 16, "preferences": 12}


@pytest.fixture(scope="module")
def first_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    for db_id in ("football", "zoo"):
        (folder / "databases" / db_id).mkdir(parents=True)
        shutil.copy(DATA / "databases" / db_id / "domain.toml", folder / "databases" / db_id)
    assert build_dataset(folder, sizes=SMALL) == NUMBERS
    return folder


@pytest.fixture
def two_domains(first_build: Path, tmp_path: Path) -> Path:
    """A copy of a dataset of two databases that is built."""
    return shutil.copytree(first_build, tmp_path / "two")


def test_a_build_repeats_itself_and_holds_the_right_database_out(two_domains: Path) -> None:
    files = [*two_domains.rglob("*.jsonl"), *two_domains.rglob("*.sql"), *two_domains.glob("samples/*")]
    first = {path: path.read_bytes() for path in files}
    assert build_dataset(two_domains, sizes=SMALL) == NUMBERS
    assert {path: path.read_bytes() for path in files} == first
    assert {row["db_id"] for row in read_jsonl(two_domains / "train.jsonl")} == {"football"}


def test_another_database_leaves_the_questions_of_the_first_alone(two_domains: Path) -> None:
    both = {row["id"]: row for row in read_jsonl(two_domains / "train.jsonl")}
    shutil.copytree(DATA / "databases" / "music", two_domains / "databases" / "music")
    build_dataset(two_domains, sizes=SMALL)
    assert {row["id"]: row for row in read_jsonl(two_domains / "train.jsonl")} == both


def test_a_written_query_is_not_asked_in_training(two_domains: Path) -> None:
    stolen = next(row for row in read_jsonl(two_domains / "train.jsonl") if row["difficulty"] == "easy")
    written = {"split": "validation", "db_id": "football", "question": "just tell me", "query": stolen["query"]}
    (two_domains / "written").mkdir()
    (two_domains / "written" / "football.jsonl").write_text(json.dumps(written))
    build_dataset(two_domains, sizes=SMALL)
    assert stolen["query"] not in {row["query"] for row in read_jsonl(two_domains / "train.jsonl")}
    assert "written-validation-football-001" in {row["id"] for row in read_jsonl(two_domains / "validation.jsonl")}


def test_a_row_written_for_training_leaves_all_others_as_they_were(two_domains: Path) -> None:
    before = {split: read_jsonl(two_domains / f"{split}.jsonl") for split in ("train", "validation", "test")}
    row = {"split": "train", "db_id": "football", "question": "clubs?", "query": "SELECT COUNT(*) + 0 FROM team"}
    (two_domains / "written").mkdir()
    (two_domains / "written" / "football.jsonl").write_text(json.dumps(row))
    assert build_dataset(two_domains, sizes=SMALL)["train"] == len(before["train"]) + 1
    after = {split: read_jsonl(two_domains / f"{split}.jsonl") for split in before}
    assert after["train"].pop()["question"] == "clubs?"
    assert after == before


def test_a_database_that_is_too_small_is_reported(two_domains: Path) -> None:
    (two_domains / "databases" / "football" / "domain.toml").write_text(
        '[tables.shop]\nrows = 4\n[tables.shop.columns]\nshop_id = { kind = "id" }\n'
        'name = { kind = "text", values = ["A", "B", "C", "D"], unique = true }\n'
        'city = { kind = "text", values = ["Lyon", "Turin"] }\n'
    )
    with pytest.raises(DataError, match=r"football/domain\.toml: too few different questions"):
        build_dataset(two_domains, sizes=replace(SMALL, small=(100, 4, 8)))


@pytest.mark.parametrize(
    ("change", "leak"),
    [
        ({"query": "select A from  t"}, "the query is also in train (1)"),
        ({"question": "Which ones"}, "the question is also in train (1)"),
        ({"id": "1"}, "the id is also in train"),
    ],
)
def test_a_leak_is_named(change: Row, leak: str) -> None:
    row = {"id": "1", "db_id": "d", "question": "which ones?", "query": "SELECT a FROM t"}
    other = {"id": "2", "db_id": "d", "question": "Others?", "query": "SELECT b FROM t", **change}
    assert find_leaks({"train": [row], "test": [other]}) == [f"{other['id']}: {leak}"]
    assert find_leaks({"train": [row], "test": [{**other, "id": "2", "db_id": "e"}]}) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_files_in_the_repository_are_what_the_command_writes(tmp_path: Path) -> None:
    shutil.copytree(DATA / "written", tmp_path / "written")
    for path in DATA.glob("databases/*/domain.toml"):
        (tmp_path / "databases" / path.parent.name).mkdir(parents=True)
        shutil.copy(path, tmp_path / "databases" / path.parent.name)
    main([str(tmp_path)])
    for made in (*tmp_path.glob("*.jsonl"), *tmp_path.rglob("*.sql"), *tmp_path.glob("samples/*")):
        assert made.read_bytes() == (DATA / made.relative_to(tmp_path)).read_bytes(), made.name
