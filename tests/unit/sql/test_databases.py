"""Databases are found in every layout, or built from their SQL whole or not at all."""

import os
import sqlite3
from pathlib import Path

import pytest

from course_utils.errors import DataError
from course_utils.sql import FOLDERS, find_database, list_databases, run_query

SCHEMA = "CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT);\n"
ROWS = "INSERT INTO pet VALUES (1, 'Zoë');\nINSERT INTO pet VALUES (2, 'Rex');\n"


def add_sql(dataset: Path, db_id: str = "pets", schema: str = SCHEMA, rows: str | None = ROWS) -> Path:
    folder = dataset / "databases" / db_id
    folder.mkdir(parents=True)
    (folder / "schema.sql").write_text(schema, "utf-8")
    if rows is not None:
        (folder / "rows.sql").write_text(rows, "utf-8")
    return folder


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("ending", [".sqlite", ".db"])
def test_a_ready_database_is_used_as_it_is(tmp_path: Path, folder: str, ending: str) -> None:
    path = tmp_path / folder / "pets" / f"pets{ending}"
    path.parent.mkdir(parents=True)
    sqlite3.connect(path).executescript(SCHEMA)
    assert list_databases(tmp_path) == {"pets": path.parent}
    assert find_database(tmp_path, "pets", tmp_path / "built") == path
    assert not (tmp_path / "built").exists()


def test_a_database_is_built_from_schema_and_rows(tmp_path: Path) -> None:
    source = add_sql(tmp_path)
    before = sorted(source.iterdir())
    database = find_database(tmp_path, "pets", tmp_path / "built")
    assert database == tmp_path / "built" / "pets" / "pets.sqlite"
    assert run_query(database, "SELECT name FROM pet ORDER BY id").rows == [("Zoë",), ("Rex",)]
    assert sorted(source.iterdir()) == before
    assert [path.name for path in database.parent.iterdir()] == ["pets.sqlite"]


def test_rows_are_optional_and_a_byte_order_mark_is_harmless(tmp_path: Path) -> None:
    add_sql(tmp_path, schema="\ufeff" + SCHEMA, rows=None)
    database = find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "SELECT COUNT(*) FROM pet").rows == [(0,)]


def test_a_built_database_is_reused_until_its_source_changes(tmp_path: Path) -> None:
    source = add_sql(tmp_path)
    for path in source.iterdir():
        os.utime(path, (1, 1))
    database = find_database(tmp_path, "pets", tmp_path / "built")
    first = database.stat().st_mtime_ns
    assert find_database(tmp_path, "pets", tmp_path / "built").stat().st_mtime_ns == first

    (source / "rows.sql").write_text("INSERT INTO pet VALUES (3, 'Ada');")
    os.utime(source / "rows.sql", (database.stat().st_mtime + 10,) * 2)
    database = find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "SELECT name FROM pet").rows == [("Ada",)]


@pytest.mark.parametrize(
    ("schema", "rows", "file"),
    [
        ("CREATE TABLE pet (", ROWS, "schema.sql"),
        (SCHEMA, "INSERT INTO nowhere VALUES (1);", "rows.sql"),
        (SCHEMA, ROWS + "INSERT INTO pet VALUES (1, 'again');", "rows.sql"),
        (SCHEMA, "ATTACH DATABASE 'stolen.sqlite' AS s;", "rows.sql"),
        (SCHEMA, "VACUUM INTO 'copy.sqlite';", "rows.sql"),
    ],
)
def test_a_script_that_fails_leaves_nothing(
    tmp_path: Path, schema: str, rows: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_sql(tmp_path / "dataset", schema=schema, rows=rows)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with pytest.raises(DataError) as caught:
        find_database(tmp_path / "dataset", "pets", tmp_path / "built")
    assert str(caught.value).startswith(f"{source / file}: does not execute (")
    assert [path for path in (tmp_path / "built").rglob("*") if path.is_file()] == []
    assert list(work.iterdir()) == []


def test_a_script_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    source = add_sql(tmp_path)
    (source / "rows.sql").write_bytes(b"INSERT INTO pet VALUES (1, 'Zo\xeb');")
    with pytest.raises(DataError, match=r"rows\.sql: does not execute"):
        find_database(tmp_path, "pets", tmp_path / "built")


def test_a_failed_rebuild_keeps_the_old_database(tmp_path: Path) -> None:
    source = add_sql(tmp_path)
    database = find_database(tmp_path, "pets", tmp_path / "built")
    (source / "rows.sql").write_text("broken")
    os.utime(source / "rows.sql", (database.stat().st_mtime + 10,) * 2)
    with pytest.raises(DataError):
        find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "SELECT COUNT(*) FROM pet").rows == [(2,)]


@pytest.mark.parametrize(
    "db_id", ["../pets", "..", ".", "", "a/b", "a\\b", "/etc", "pets/../../x", "x\0", "-rf", " pets"]
)
def test_a_db_id_cannot_leave_the_dataset(tmp_path: Path, db_id: str) -> None:
    add_sql(tmp_path)
    with pytest.raises(DataError, match="not a plain folder name"):
        find_database(tmp_path, db_id, tmp_path / "built")


@pytest.mark.parametrize("db_id", ["pets_1", "world cup", "año", "v1.2", "a-b"])
def test_a_plain_name_is_fine(tmp_path: Path, db_id: str) -> None:
    add_sql(tmp_path, db_id)
    assert find_database(tmp_path, db_id, tmp_path / "built").is_file()


def test_a_database_that_is_missing_says_where_it_belongs(tmp_path: Path) -> None:
    add_sql(tmp_path)
    (tmp_path / "databases" / "empty").mkdir()
    with pytest.raises(DataError, match=r"no database 'cars'; add .*databases.cars.cars\.sqlite"):
        find_database(tmp_path, "cars", tmp_path / "built")
    with pytest.raises(DataError, match=r"neither empty\.sqlite nor schema\.sql is there"):
        find_database(tmp_path, "empty", tmp_path / "built")


def test_a_dataset_without_databases_lists_none(tmp_path: Path) -> None:
    assert list_databases(tmp_path) == {}
