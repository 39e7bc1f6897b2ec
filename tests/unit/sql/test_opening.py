"""Databases that a program left in the middle of its work are read and copied whole; nothing is left beside them."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from course_utils.errors import DataError
from course_utils.sql import copy_database, find_database, is_one_file, read_schema, run_query
from tests.sqlite_files import write_database

COUNT = "SELECT COUNT(*) FROM reading"


def crash(database: Path, then: str = "") -> Path:
    """A program writes ten rows to the file and five to its log, and ends without closing it."""
    database.parent.mkdir(parents=True, exist_ok=True)
    script = f"""
import os, sqlite3
c = sqlite3.connect({str(database)!r}, isolation_level=None)
c.executescript("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE reading (v int)")
c.executemany("INSERT INTO reading VALUES (?)", [(i,) for i in range(10)])
{then}
c.executemany("INSERT INTO reading VALUES (?)", [(i,) for i in range(10, 15)])
os._exit(0)"""
    subprocess.run([sys.executable, "-c", script], check=True)
    return database


@pytest.fixture(params=["", "c.execute('PRAGMA wal_checkpoint(TRUNCATE)')"], ids=["all in the log", "half in the log"])
def crashed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return crash(tmp_path / "databases" / "live" / "live.sqlite", request.param)


@pytest.fixture
def orphaned(crashed: Path) -> Path:
    """As when the database and its log were copied and the log's index was not."""
    crashed.with_name(f"{crashed.name}-shm").unlink()
    return crashed


def test_rows_in_the_log_are_read_and_nothing_is_left(orphaned: Path) -> None:
    before = {path.name: path.read_bytes() for path in orphaned.parent.iterdir()}
    assert find_database(orphaned.parent.parent.parent, "live", Path("unused")) == orphaned
    assert run_query(orphaned, COUNT).rows == [(15,)]
    assert read_schema(orphaned).render() == "table reading: v int"
    assert {path.name: path.read_bytes() for path in orphaned.parent.iterdir()} == before


def test_a_crash_leaves_rows_to_read_and_no_other_files_than_there_were(crashed: Path) -> None:
    before = {path.name for path in crashed.parent.iterdir()}
    assert run_query(crashed, COUNT).rows == [(15,)]
    assert read_schema(crashed).render() == "table reading: v int"
    assert {path.name for path in crashed.parent.iterdir()} == before


@pytest.mark.parametrize("has_index", [True, False])
def test_a_copy_has_the_rows_of_the_log_in_one_file(crashed: Path, has_index: bool, tmp_path: Path) -> None:
    if not has_index:
        crashed.with_name(f"{crashed.name}-shm").unlink()
    assert not is_one_file(crashed)
    copy = copy_database(crashed, tmp_path / "copies" / "copy.sqlite")
    assert [path.name for path in copy.parent.iterdir()] == ["copy.sqlite"]
    assert is_one_file(copy)
    assert run_query(copy, COUNT).rows == [(15,)]


def test_the_log_lies_beside_what_a_link_points_to(orphaned: Path, tmp_path: Path) -> None:
    link = tmp_path / "cache" / "databases" / "live" / "live.sqlite"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../../databases/live/live.sqlite")
    assert not is_one_file(link)
    assert find_database(tmp_path / "cache", "live", Path("unused")) == link
    assert read_schema(link).render() == "table reading: v int"
    assert run_query(link, COUNT).rows == [(15,)]
    assert run_query(copy_database(link, tmp_path / "copy.sqlite"), COUNT).rows == [(15,)]


def test_a_transaction_that_a_crash_cut_off_is_taken_back_in_a_copy(tmp_path: Path) -> None:
    database = tmp_path / "half.sqlite"
    script = f"""
import os, sqlite3
c = sqlite3.connect({str(database)!r}, isolation_level=None)
c.executescript("PRAGMA cache_size = 1; CREATE TABLE reading (v); INSERT INTO reading VALUES (1), (2); BEGIN")
c.execute("DELETE FROM reading")
c.executemany("INSERT INTO reading VALUES (?)", [("x" * 900,) for i in range(500)])
os._exit(0)"""
    subprocess.run([sys.executable, "-c", script], check=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "half.sqlite-journal" in before
    assert run_query(database, COUNT).rows == [(2,)]
    assert read_schema(database).render() == "table reading: v"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert not is_one_file(database)
    copy = copy_database(database, tmp_path / "copy" / "half.sqlite")
    assert run_query(copy, COUNT).rows == [(2,)]
    assert [path.name for path in copy.parent.iterdir()] == ["half.sqlite"]


def test_a_database_that_was_closed_gets_no_log_by_being_read(tmp_path: Path) -> None:
    path = write_database(tmp_path / "x.sqlite", "PRAGMA journal_mode = WAL; CREATE TABLE reading (v int)")
    assert run_query(path, COUNT).rows == [(0,)]
    assert [each.name for each in tmp_path.iterdir()] == ["x.sqlite"]
    (tmp_path / "x.sqlite-wal").touch()
    assert run_query(path, COUNT).rows == [(0,)]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.sqlite", "x.sqlite-wal"]


def test_a_database_in_use_is_read_and_copied_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE reading (v int)")
        for n_rows in (1, 2, 3):
            connection.execute("INSERT INTO reading VALUES (1)")
            assert run_query(path, COUNT).rows == [(n_rows,)]
        assert run_query(copy_database(path, tmp_path / "copy" / "x.sqlite"), COUNT).rows == [(3,)]


def test_a_file_that_takes_the_place_of_another_is_read(tmp_path: Path) -> None:
    for n_rows in (1, 2):
        new = tmp_path / "new.sqlite"
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE reading (v int)")
            connection.executemany("INSERT INTO reading VALUES (?)", [(1,)] * n_rows)
        new.replace(tmp_path / "x.sqlite")
        assert run_query(tmp_path / "x.sqlite", COUNT).rows == [(n_rows,)]


def test_a_database_that_another_program_locks_is_not_waited_for_without_end(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("CREATE TABLE reading (v int); BEGIN EXCLUSIVE")
        with pytest.raises(DataError, match=r"x\.sqlite: cannot be copied \(database is locked\)"):
            copy_database(path, tmp_path / "copy.sqlite")
    assert [*tmp_path.iterdir()] == [path]


def test_what_is_no_database_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(DataError, match=r"x\.sqlite: cannot be copied \(file is not a database\)"):
        copy_database(tmp_path / "x.sqlite", tmp_path / "copy" / "x.sqlite")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "x.sqlite"]
