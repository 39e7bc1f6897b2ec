import json
import random
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from course_utils.artifacts import PROJECT, read_jsonl
from course_utils.data.formats.spider import normalise
from course_utils.data.generate.build import Sizes, build_dataset, main
from course_utils.data.hardness import hardness, parse
from course_utils.errors import DataError
from course_utils.sql import find_database, read_schema, run_query

DATA = PROJECT / "data"
SPLITS = ("train", "validation", "test")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    return {split: read_jsonl(DATA / f"{split}.jsonl") for split in SPLITS}


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory, rows: dict[str, list[Row]]) -> dict[str, Path]:
    built = tmp_path_factory.mktemp("databases")
    return {row["db_id"]: find_database(DATA, row["db_id"], built) for split in rows.values() for row in split}


def kept(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["difficulty"] in ("easy", "medium")]


def test_the_dataset_is_as_large_as_promised(rows: dict[str, list[Row]]) -> None:
    assert len(kept(rows["train"])) >= 1500
    assert len(kept(rows["validation"])) >= 100
    assert len(kept(rows["test"])) == len(rows["test"]) == 240
    trained = {row["db_id"] for row in rows["train"]}
    assert len(trained) == 8
    assert {row["db_id"] for row in rows["validation"]} <= trained
    assert Counter(row["db_id"] in trained for row in rows["test"]) == {True: 120, False: 120}
    assert len({row["db_id"] for row in rows["test"]} - trained) == 4


def test_nothing_repeats_and_no_query_is_in_two_splits(rows: dict[str, list[Row]]) -> None:
    everything = [row for split in SPLITS for row in rows[split]]
    assert len({row["id"] for row in everything}) == len(everything)
    assert len({(row["db_id"], normalise(row["question"])) for row in everything}) == len(everything)
    queries = {split: {(row["db_id"], row["query"]) for row in rows[split]} for split in SPLITS}
    assert not queries["train"] & queries["test"]
    assert not queries["train"] & queries["validation"]
    assert not queries["validation"] & queries["test"]


def test_every_difficulty_is_spiders(rows: dict[str, list[Row]]) -> None:
    assert all(row["difficulty"] == hardness(row["query"]) for split in SPLITS for row in rows[split])


def test_every_query_is_written_the_one_way(rows: dict[str, list[Row]]) -> None:
    for row in (row for split in SPLITS for row in rows[split]):
        query = row["query"]
        assert parse(query).sql("sqlite").replace("<>", "!=") == query
        assert not query.endswith(";")


def test_every_answer_has_content_and_does_not_depend_on_the_order_of_rows(
    rows: dict[str, list[Row]], databases: dict[str, Path], tmp_path: Path
) -> None:
    """A tie under LIMIT or ORDER BY would show once the tables are stored in another order."""
    shuffled = {db_id: shuffle(path, tmp_path / f"{db_id}.sqlite") for db_id, path in databases.items()}
    for row in (row for split in SPLITS for row in rows[split]):
        answer = run_query(databases[row["db_id"]], row["query"]).rows
        again = run_query(shuffled[row["db_id"]], row["query"]).rows
        assert any(cell is not None for line in answer for cell in line), row
        if "ORDER BY" not in row["query"]:
            answer, again = sorted(answer, key=repr), sorted(again, key=repr)
        assert flat(again) == pytest.approx(flat(answer)), row


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


def test_rows_are_short_enough_for_the_tiny_model(rows: dict[str, list[Row]], databases: dict[str, Path]) -> None:
    from course_utils.data.tokens.view import measure_lengths
    from course_utils.models import load_tokenizer

    tokenizer = load_tokenizer("data/tiny_base")
    schemas = {db_id: read_schema(path).render() for db_id, path in databases.items()}
    assert all(len(tokenizer(schema).input_ids) <= 140 for schema in schemas.values())
    some = {split: part[::4] for split, part in rows.items()}
    lengths = [n for part in measure_lengths(tokenizer, some, schemas, 512).lengths.values() for n in part]
    assert sum(length > 256 for length in lengths) < 0.03 * len(lengths)
    assert max(lengths) < 320


@pytest.fixture
def two_domains(tmp_path: Path) -> Path:
    for db_id in ("football", "zoo"):
        (tmp_path / "databases" / db_id).mkdir(parents=True)
        shutil.copy(DATA / "databases" / db_id / "domain.toml", tmp_path / "databases" / db_id)
    return tmp_path


SMALL = Sizes(train=(8, 2), validation=(2, 0), test=(4, 0), test_held_out=(6, 0))


def test_a_build_repeats_itself_and_holds_the_right_database_out(two_domains: Path) -> None:
    assert build_dataset(two_domains, sizes=SMALL) == {"train": 10, "validation": 2, "test": 10}
    first = {path.name: path.read_bytes() for path in two_domains.rglob("*.*l")}
    assert build_dataset(two_domains, sizes=SMALL) == {"train": 10, "validation": 2, "test": 10}
    assert {path.name: path.read_bytes() for path in two_domains.rglob("*.*l")} == first
    assert {row["db_id"] for row in read_jsonl(two_domains / "train.jsonl")} == {"football"}


def test_another_database_leaves_the_questions_of_the_first_alone(two_domains: Path) -> None:
    build_dataset(two_domains, sizes=SMALL)
    both = {row["id"]: row for row in read_jsonl(two_domains / "train.jsonl")}
    shutil.rmtree(two_domains / "databases" / "zoo")
    build_dataset(two_domains, sizes=SMALL)
    assert {row["id"]: row for row in read_jsonl(two_domains / "train.jsonl")} == both


def test_a_database_that_is_too_small_is_reported(two_domains: Path) -> None:
    (two_domains / "databases" / "football" / "domain.toml").write_text(
        '[tables.shop]\nrows = 4\n[tables.shop.columns]\nshop_id = { kind = "id" }\n'
        'name = { kind = "text", values = ["A", "B", "C", "D"], unique = true }\n'
        'city = { kind = "text", values = ["Lyon", "Turin"] }\n'
    )
    with pytest.raises(DataError, match=r"football/domain\.toml: too few different questions"):
        build_dataset(two_domains, sizes=SMALL)


@pytest.mark.slow
def test_the_files_in_the_repository_are_what_the_command_writes(tmp_path: Path) -> None:
    for path in DATA.glob("databases/*/domain.toml"):
        (tmp_path / "databases" / path.parent.name).mkdir(parents=True)
        shutil.copy(path, tmp_path / "databases" / path.parent.name)
    main([str(tmp_path)])
    for made in (*tmp_path.glob("*.jsonl"), *tmp_path.rglob("*.sql")):
        assert made.read_bytes() == (DATA / made.relative_to(tmp_path)).read_bytes(), made.name
    assert json.loads((tmp_path / "test.jsonl").read_text().splitlines()[0])["id"].startswith("test-")
