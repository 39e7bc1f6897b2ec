"""Databases are found in every layout, or built from their SQL whole or not at all."""

import gzip
import io
import itertools
import os
import sqlite3
import subprocess
import sys
import time
import unicodedata
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest

from course_utils.errors import DataError, QueryError
from course_utils.sql import find_database, is_one_file, list_databases, run_query
from course_utils.sql.databases import FOLDERS
from tests.bounded import bounded
from tests.sqlite_files import write_database

NormalForm = Literal["NFC", "NFD"]
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
    path = write_database(tmp_path / folder / "pets" / f"pets{ending}", SCHEMA)
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
    database = find_database(tmp_path, "pets", tmp_path / "built")
    first = database.stat().st_mtime_ns
    assert find_database(tmp_path, "pets", tmp_path / "built").stat().st_mtime_ns == first

    (source / "rows.sql").write_text("INSERT INTO pet VALUES (3, 'Ada');")
    os.utime(source / "rows.sql", (1, 1))  # an older file takes its place
    database = find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "SELECT name FROM pet").rows == [("Ada",)]
    (source / "rows.sql").unlink()
    find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "SELECT name FROM pet").rows == []
    add_sql(tmp_path / "other")
    find_database(tmp_path / "other", "pets", tmp_path / "built")
    assert run_query(database, "SELECT COUNT(*) FROM pet").rows == [(2,)]


@pytest.mark.parametrize(
    ("schema", "rows", "file"),
    [
        ("CREATE TABLE pet (", ROWS, "schema.sql"),
        ("CREATE TABLE `pet` (`id` int NOT NULL AUTO_INCREMENT) ENGINE=InnoDB;", ROWS, "schema.sql"),  # of MySQL
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
    assert str(caught.value).endswith("; fix the script (UTF-8, SQLite's SQL)")
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


def test_many_databases_are_looked_up_in_the_time_of_a_few(tmp_path: Path) -> None:
    """1,000 took 8 s when each look-up listed the folder."""
    folder = tmp_path / "databases"
    for number in range(1_000):
        (folder / f"empty_{number}").mkdir(parents=True)
    os.utime(folder, (1, 1))
    began = time.process_time()
    for number in range(1_000):
        with pytest.raises(DataError, match="neither"):
            find_database(tmp_path, f"empty_{number}", tmp_path / "built")
    assert time.process_time() - began < 2


def test_a_list_that_is_remembered_follows_the_folder(tmp_path: Path) -> None:
    pets = add_sql(tmp_path)
    os.utime(pets.parent, (1, 1))
    assert list(list_databases(tmp_path)) == ["pets"]
    add_sql(tmp_path, "cars")
    assert find_database(tmp_path, "cars", tmp_path / "built").is_file()
    pets.rename(tmp_path / "pets")
    with pytest.raises(DataError, match="no database 'pets'"):
        find_database(tmp_path, "pets", tmp_path / "built")


@pytest.mark.parametrize(("written", "asked"), [*itertools.product(("NFC", "NFD"), repeat=2)])
@pytest.mark.parametrize("is_ready", [True, False])
def test_a_name_is_found_in_either_normal_form(
    tmp_path: Path, written: NormalForm, asked: NormalForm, is_ready: bool
) -> None:
    """As some file systems write a name, its letters are other characters than in the rows."""
    name, db_id = (unicodedata.normalize(form, "Größe") for form in (written, asked))
    source = add_sql(tmp_path, name)
    if is_ready:
        (source / f"{name}.sqlite").write_bytes(filled())
    assert find_database(tmp_path, db_id, tmp_path / "built").parent.name == (name if is_ready else db_id)
    assert [*list_databases(tmp_path)] == ["Größe"]
    with pytest.raises(DataError, match="no database 'größe'"):
        find_database(tmp_path, "größe", tmp_path / "built")


def test_a_dataset_without_databases_lists_none(tmp_path: Path) -> None:
    assert list_databases(tmp_path) == {}


def filled() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.executescript("CREATE TABLE pet (name TEXT, more TEXT); CREATE INDEX i ON pet (name);")
    connection.executemany("INSERT INTO pet VALUES (?, ?)", [(f"{i:09}", "x" * 200) for i in range(3_000)])
    connection.commit()
    return connection.serialize()


def bomb(kind: str) -> bytes:
    """A few kB that unpack to 100 MB."""
    file = io.BytesIO()
    if kind == "gzip":
        return gzip.compress(bytes(100_000_000), 1)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("pets.sqlite", bytes(100_000_000))
    return file.getvalue()


NOT_SOUND = {
    "an empty file": (lambda: b"", "the database is empty; replace the file"),
    "text": (lambda: b"id,name\n1,Rex\n", "not a SQLite database; replace it, or unpack"),
    "half a header": (lambda: b"SQLite form", "not a SQLite database; replace it, or unpack"),
    "a header alone": (lambda: b"SQLite format 3\0", "not a SQLite database; replace it, or unpack"),
    "zip bomb": (lambda: bomb("zip"), "not a SQLite database; replace it, or unpack"),
    "gzip bomb": (lambda: bomb("gzip"), "not a SQLite database; replace it, or unpack"),
    "cut off": (lambda: filled()[:-5_000], "corrupt (database disk image is malformed)"),
    "cut in half": (lambda: filled()[: len(filled()) // 2], "corrupt (database disk image is malformed)"),
    "pages of garbage": (lambda: filled()[:4096] + b"\xa5" * (len(filled()) - 4096), "corrupt ("),
    "one page of garbage": (lambda: filled()[:40_960] + b"\xa5" * 4096 + filled()[45_056:], "corrupt ("),
    "a schema of garbage": (lambda: filled()[:100] + b"\xa5" * 3996 + filled()[4096:], "corrupt ("),
    "a schema that is no text": (lambda: filled().replace(b"TABLE pet (name", b"TABLE pet (n\xe4me"), "corrupt ("),
    "pages of zeros": (lambda: filled()[:100] + bytes(len(filled()) - 100), "corrupt ("),
    "a page size of zero": (lambda: filled()[:16] + bytes(2) + filled()[18:], "not a SQLite database; replace"),
}


@pytest.mark.parametrize(("make", "reason"), NOT_SOUND.values(), ids=list(NOT_SOUND))
def test_a_file_that_is_no_sound_database_is_named_and_never_unpacked(
    tmp_path: Path, make: Callable[[], bytes], reason: str
) -> None:
    path = tmp_path / "databases" / "pets" / "pets.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(make())
    for _ in range(2):  # the second time from memory
        with bounded(tmp_path), pytest.raises(DataError) as caught:
            find_database(tmp_path, "pets", tmp_path / "built")
        assert str(caught.value).startswith(f"{path}: {reason}")
        assert "\n" not in str(caught.value)
    path.write_bytes(filled())
    assert find_database(tmp_path, "pets", tmp_path / "built") == path


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "databases" / "pets" / "pets.sqlite"
    path.mkdir(parents=True)
    with bounded(tmp_path), pytest.raises(DataError, match=r"pets\.sqlite: not a file; put the SQLite file there"):
        find_database(tmp_path, "pets", tmp_path / "built")
    path.rmdir()
    os.mkfifo(path)
    with bounded(tmp_path), pytest.raises(DataError, match=r"pets\.sqlite: not a file; put the SQLite file there"):
        find_database(tmp_path, "pets", tmp_path / "built")
    path.unlink()
    path.symlink_to("gone")
    with bounded(tmp_path), pytest.raises(DataError, match=r"pets\.sqlite: a link to a file that is gone; restore"):
        find_database(tmp_path, "pets", tmp_path / "built")


def test_a_locked_database_is_named_until_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "databases" / "pets" / "pets.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(filled())
    lock = f"import sqlite3; sqlite3.connect({str(path)!r}).execute('BEGIN EXCLUSIVE'); input('.')"
    with subprocess.Popen([sys.executable, "-c", lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.read(1) == b"."
        with bounded(path.parent), pytest.raises(DataError, match="locked by another program; close it and try again"):
            find_database(tmp_path, "pets", tmp_path / "built")
    assert find_database(tmp_path, "pets", tmp_path / "built") == path


def test_a_database_in_utf16_is_sound(tmp_path: Path) -> None:
    add_sql(tmp_path, schema="PRAGMA encoding = 'UTF-16';\nCREATE TABLE añada (näme TEXT);", rows=None)
    database = find_database(tmp_path, "pets", tmp_path / "built")
    ready = tmp_path / "databases" / "copy" / "copy.sqlite"
    ready.parent.mkdir()
    ready.write_bytes(database.read_bytes())
    assert find_database(tmp_path, "copy", tmp_path / "built") == ready
    assert run_query(ready, "SELECT näme FROM añada").columns == ("näme",)


def test_what_only_its_maker_could_check_is_sound(tmp_path: Path) -> None:
    """Android's contacts are sorted by a collation of Android's own, and other programs index by their functions."""
    path = tmp_path / "databases" / "pets" / "pets.sqlite"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.create_collation("LOCALIZED", lambda left, right: (left > right) - (left < right))
        connection.create_function("pet_hash", 1, len, deterministic=True)
        connection.executescript(
            """CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT COLLATE LOCALIZED); CREATE INDEX a ON pet (name);
            CREATE TABLE toy (name TEXT); CREATE INDEX b ON toy (pet_hash(name)); INSERT INTO pet VALUES (1, 'Rex');"""
        )
    assert find_database(tmp_path, "pets", tmp_path / "built") == path
    assert run_query(path, "SELECT name FROM pet WHERE id = 1").rows == [("Rex",)]
    with pytest.raises(QueryError, match="no such collation sequence: LOCALIZED"):
        run_query(path, "SELECT id FROM pet ORDER BY name")


def test_a_sound_database_is_looked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "databases" / "pets" / "pets.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(filled())
    find_database(tmp_path, "pets", tmp_path / "built")
    began = time.perf_counter()
    for _ in range(200):
        find_database(tmp_path, "pets", tmp_path / "built")
    assert time.perf_counter() - began < 1


COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
HOSTILE = {
    "never ends": (
        f"CREATE TABLE a (b PRIMARY KEY);\n{COUNT}\nINSERT OR REPLACE INTO a SELECT i % 2 FROM n;",
        "longer than ",
        2,
    ),
    "never ends and writes nothing": (f"\n{COUNT}SELECT max(i) FROM n;", "longer than ", 2),
    "never ends in a view": (
        f"CREATE VIEW v AS {COUNT} SELECT i FROM n;\nCREATE TABLE a AS SELECT * FROM v;",
        "longer than ",
        2,
    ),
    "never ends in a trigger": (
        "CREATE TABLE a (b);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO a SELECT b FROM a; END;\n"
        "PRAGMA recursive_triggers = ON;\nINSERT INTO a VALUES (1);",
        "not authorized",
        3,
    ),
    "joins without end": (
        "CREATE TABLE a (b);\nINSERT INTO a VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9);\n"
        f"SELECT count(*) FROM {', '.join(f'a AS a{i}' for i in range(12))};",
        "longer than ",
        3,
    ),
    "fills the disk": (
        f"CREATE TABLE a (b);\n\n{COUNT}INSERT INTO a SELECT randomblob(1000000) FROM n;",
        "database or disk is full",
        3,
    ),
    "one giant value": ("CREATE TABLE a (b);\nINSERT INTO a VALUES (zeroblob(2000000000));", "too big", 2),
    "one giant format": ("CREATE TABLE a AS\nSELECT printf('%.*c', 900000000, 'x');", "longer", 0),
    "one slow match": (f"SELECT 'aaaa' LIKE '{'%a' * 10_000}b';", "LIKE or GLOB pattern too complex", 1),
    "attaches": ("CREATE TABLE a (b);\nATTACH 'stolen.sqlite' AS s;", "not authorized", 2),
    "attaches in other words": ("\n\nattach database 'file:stolen.sqlite' as s;", "not authorized", 3),
    "vacuums elsewhere": ("CREATE TABLE a (b);\nVACUUM INTO 'stolen.sqlite';", "denied: no ATTACH, VACUUM, such", 2),
    "moves temporary files": ("PRAGMA temp_store_directory = '/etc';", "not authorized", 1),
    "lifts the bound": ("PRAGMA max_page_count = 4294967294;", "not authorized", 1),
    "writes the schema": (
        "PRAGMA writable_schema = ON;",
        "not authorized: no ATTACH, VACUUM, such a PRAGMA or function",
        1,
    ),
    "loads code": ("\nSELECT load_extension('evil.so');", "not authorized", 2),
    "writes a file": ("SELECT writefile('stolen', 'x');", "no such function: writefile", 1),
    "never commits": ("BEGIN;\nCREATE TABLE a (b);", "a transaction is never committed", 0),
    "holds NUL": ("CREATE TABLE a (b);\n\0", "null character", 0),
    "is UTF-16": ("CREATE TABLE a (b);".encode("utf-16"), "can't decode byte 0xff", 0),
    "is binary": (bytes(range(256)), "can't decode byte", 0),
    "nests without end": (f"SELECT {'(' * 100_000}1", "", 1),
}


@pytest.mark.parametrize(("script", "reason", "line"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_script_ends_soon_and_reaches_nothing(
    tmp_path: Path, script: str | bytes, reason: str, line: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_sql(tmp_path / "dataset", rows=None)
    (source / "schema.sql").write_bytes(script if isinstance(script, bytes) else script.encode())
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    if "longer" in reason and "CREATE TABLE a (b);\nWITH" not in str(script):  # one with the real limit is enough
        monkeypatch.setattr("course_utils.sql.build.BASE_SECONDS", 0.5)
    with bounded(tmp_path), pytest.raises(DataError) as caught:
        find_database(tmp_path / "dataset", "pets", tmp_path / "built")
    message = str(caught.value)
    assert message.startswith(f"{source / 'schema.sql'}: does not execute (")
    assert reason in message
    assert not line or f"near line {line})" in message
    assert len(message) < 500


def test_virtual_tables_are_built_and_the_end_of_a_line_is_data(tmp_path: Path) -> None:
    schema = "CREATE VIRTUAL TABLE note USING fts5 (body);\r\nCREATE VIRTUAL TABLE place USING rtree (id, low, high);"
    folder = add_sql(tmp_path, schema=schema)
    rows = b"INSERT INTO note VALUES ('ink\r\npen\rcup\n');\r\nINSERT INTO place VALUES (1, 2, 3);"
    (folder / "rows.sql").write_bytes(rows)
    (folder / "schema.sql").write_bytes(b"PRAGMA page_size = 65536;\r\n" + (folder / "schema.sql").read_bytes())
    database = find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "PRAGMA page_size").rows == [(4096,)], "pages are what bounds a file"
    assert run_query(database, "SELECT body, low FROM note('pen'), place").rows == [("ink\r\npen\rcup\n", 2.0)]


def test_lines_may_end_as_on_old_macs(tmp_path: Path) -> None:
    folder = add_sql(tmp_path, schema="-- pets\n" + SCHEMA)
    for script in folder.glob("*.sql"):
        script.write_bytes(script.read_bytes().replace(b"\n", b"\r"))
    assert run_query(find_database(tmp_path, "pets", tmp_path / "built"), "SELECT COUNT(*) FROM pet").rows == [(2,)]


def test_what_a_script_says_of_speed_is_passed_over(tmp_path: Path) -> None:
    speed = "PRAGMA synchronous = OFF;\nPRAGMA Journal_Mode = WAL;\nPRAGMA cache_size = 999999999;\n"
    add_sql(tmp_path, schema=speed + SCHEMA)
    database = find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "SELECT COUNT(*) FROM pet").rows == [(2,)]
    assert [path.name for path in database.parent.iterdir()] == ["pets.sqlite"]
    assert is_one_file(database)


def test_a_dump_of_sqlite_itself_is_built(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA + ROWS + "CREATE INDEX i ON pet (name); CREATE VIEW v AS SELECT name FROM pet;")
    dump = "PRAGMA foreign_keys=OFF;\n" + "\n".join(connection.iterdump())
    add_sql(tmp_path, schema=dump, rows=None)
    database = find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "SELECT name FROM v ORDER BY 1").rows == [("Rex",), ("Zoë",)]


@pytest.mark.parametrize("db_id", ["my pets", "v1.2", "Größe", "Gro\u0308\u00dfe", "दुकान", "متجر", "商店"])
def test_a_name_in_any_script_is_plain(tmp_path: Path, db_id: str) -> None:
    add_sql(tmp_path, db_id)
    assert run_query(find_database(tmp_path, db_id, tmp_path / "built"), "SELECT COUNT(*) FROM pet").rows == [(2,)]


@pytest.mark.parametrize(
    "more", ["", "CREATE TABLE log (n); CREATE TRIGGER t AFTER INSERT ON pet BEGIN INSERT INTO log VALUES (1); END;"]
)
def test_a_large_honest_script_is_built(tmp_path: Path, more: str) -> None:
    rows = "".join(f"INSERT INTO pet VALUES ({i}, '{'x' * 90}');\n" for i in range(40_000))
    add_sql(tmp_path, schema=SCHEMA + more, rows=rows)
    database = find_database(tmp_path, "pets", tmp_path / "built")
    assert run_query(database, "SELECT COUNT(*) FROM pet").rows == [(40_000,)]


@pytest.mark.parametrize("db_id", ["C:pets", "C:\\pets", "pets.", "pets\n", "~", "$HOME", "pets;", 5, None, ["pets"]])
def test_a_db_id_that_some_system_takes_for_a_path_is_refused(tmp_path: Path, db_id: Any) -> None:
    add_sql(tmp_path)
    with pytest.raises(DataError, match="not a plain folder name"):
        find_database(tmp_path, db_id, tmp_path / "built")


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    add_sql(tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        find_database(tmp_path, "pets", tmp_path / "file")
