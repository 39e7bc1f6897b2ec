"""A folder that we write is one that Spider's readers, and ours, read."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.formats import read_dataset, write_spider
from course_utils.errors import DataError, FormatError
from course_utils.sql import find_database, list_databases, run_query

SCHEMA = """
CREATE TABLE singer (singer_id INTEGER PRIMARY KEY, name TEXT, born DATE);
CREATE TABLE concert (concert_id INT PRIMARY KEY, singer INT REFERENCES singer, Stadium_Name VARCHAR(20), big BOOL);
INSERT INTO singer VALUES (1, 'Zoë', '1990-01-01');
"""


def splits_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    splits: dict[str, list[dict[str, Any]]] = {}
    for record in read_dataset(folder):
        assert not record.fault
        splits.setdefault(record.split, []).append(record.fields)
    return splits


def test_a_dataset_comes_back_from_spiders_layout(foreign_release: Path, tmp_path: Path) -> None:
    splits = splits_of(foreign_release)
    databases = list_databases(foreign_release)
    copy = write_spider(splits, databases, tmp_path / "copy")
    assert splits_of(copy) == splits
    assert sorted(list_databases(copy)) == sorted(databases)
    for db_id, source in databases.items():
        assert (copy / "database" / db_id / f"{db_id}.sqlite").read_bytes() == (source / f"{db_id}.sqlite").read_bytes()
    assert sorted(path.name for path in copy.iterdir()) == [
        "database",
        "dev.json",
        "tables.json",
        "test.json",
        "train_spider.json",
    ]


def test_tables_json_is_what_spider_released_for_the_same_databases(foreign: Path, tmp_path: Path) -> None:
    theirs = {entry["db_id"]: entry for entry in json.loads((foreign / "tables.json").read_text())}
    copy = write_spider(splits_of(foreign), list_databases(foreign), tmp_path / "copy")
    for entry in json.loads((copy / "tables.json").read_text()):
        expected = theirs.pop(entry["db_id"])
        for name in ("table_names_original", "column_names_original", "primary_keys", "foreign_keys"):
            assert entry[name] == expected[name], name
    assert not theirs


def test_a_schema_is_described_as_spider_does(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_dataset()
    (folder / "databases" / "music").mkdir()
    (folder / "databases" / "music" / "schema.sql").write_text(SCHEMA)
    copy = write_spider(splits_of(folder), list_databases(folder), tmp_path / "copy")
    entry = next(entry for entry in json.loads((copy / "tables.json").read_text()) if entry["db_id"] == "music")
    assert entry == {
        "db_id": "music",
        "table_names_original": ["singer", "concert"],
        "table_names": ["singer", "concert"],
        "column_names_original": [
            [-1, "*"],
            [0, "singer_id"],
            [0, "name"],
            [0, "born"],
            [1, "concert_id"],
            [1, "singer"],
            [1, "Stadium_Name"],
            [1, "big"],
        ],
        "column_names": [
            [-1, "*"],
            [0, "singer id"],
            [0, "name"],
            [0, "born"],
            [1, "concert id"],
            [1, "singer"],
            [1, "stadium name"],
            [1, "big"],
        ],
        "column_types": ["text", "number", "text", "time", "number", "number", "text", "boolean"],
        "primary_keys": [1, 4],
        "foreign_keys": [[5, 1]],
    }
    database = find_database(copy, "music", tmp_path / "built")
    assert run_query(database, "SELECT name FROM singer").rows == [("Zoë",)]
    assert not (tmp_path / "built").exists()


def test_birds_rows_are_written_as_they_were_read(tmp_path: Path) -> None:
    row = {"question_id": 7, "db_id": "x", "question": "How many?", "evidence": "many means rows", "SQL": "SELECT 1"}
    for name in ("train.json", "validation.json", "test.json"):
        (tmp_path / name).write_text(json.dumps([row]))
    splits = splits_of(tmp_path)
    assert splits_of(write_spider(splits, {}, tmp_path / "copy")) == splits


@pytest.mark.parametrize("db_id", ["../x", "/etc/x", "C:x", "a/b", "x\0", ""])
def test_nothing_is_written_outside(make_dataset: Callable[..., Path], tmp_path: Path, db_id: str) -> None:
    splits = splits_of(make_dataset())
    with pytest.raises(FormatError, match="not a plain folder name"):
        write_spider(splits, {db_id: tmp_path / "dataset" / "databases" / "shop"}, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_what_would_not_come_back_is_refused(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    splits = splits_of(make_dataset())
    with pytest.raises(FormatError, match=r"splits \['test', 'train'\] given"):
        write_spider({name: splits[name] for name in ("train", "test")}, {}, tmp_path / "copy")
    with pytest.raises(FormatError, match="no rows to write"):
        write_spider({**splits, "validation": []}, {}, tmp_path / "copy")
    with pytest.raises(FormatError, match="give rows as read_dataset does"):
        write_spider({**splits, "test": [{"SQL": "SELECT 1"}]}, {}, tmp_path / "copy")
    with pytest.raises(DataError, match="there is no such database"):
        write_spider(splits, {"shop": tmp_path / "gone.sqlite"}, tmp_path / "copy")
    (tmp_path / "broken.sqlite").write_text("no database")
    with pytest.raises(DataError, match="not a SQLite database; replace it"):
        write_spider(splits, {"shop": tmp_path / "broken.sqlite"}, tmp_path / "copy")


def test_the_fixture_is_a_real_database(foreign_release: Path) -> None:
    for db_id, folder in list_databases(foreign_release).items():
        tables = sqlite3.connect(folder / f"{db_id}.sqlite").execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        assert tables[0] > 0
