import os
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import AnyUrl, Secret

from course_utils.deployment.gateway import sql_answers
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.deployment.gateway.sql_answers import served_databases


def serving(folder: Path) -> GatewaySettings:
    return GatewaySettings(model_url="http://127.0.0.1:1", databases=folder)


def execute(database: Path, sql: str) -> None:
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql)


def test_a_schema_is_read_again_only_when_its_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, n_reads = tmp_path / "music" / "music.sqlite", 0

    def read_and_count(path: Path) -> object:
        nonlocal n_reads
        n_reads += 1
        return read_schema(path)

    read_schema = sql_answers.read_schema
    monkeypatch.setattr(sql_answers, "read_schema", read_and_count)
    execute(database, "CREATE TABLE singer (name text)")
    shown = [sql_answers.find_served(serving(tmp_path), "music")[1] for _ in range(3)]
    assert (n_reads, set(shown)) == (1, {"table singer: name text"})
    execute(database, "ALTER TABLE singer ADD COLUMN age integer")
    os.utime(database, ns=(0, database.stat().st_mtime_ns + 1))
    assert sql_answers.find_served(serving(tmp_path), "music")[1] == "table singer: name text, age integer"


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_schema_that_another_program_changes_in_its_log_is_seen_at_once(tmp_path: Path, is_linked: bool) -> None:
    served = database = tmp_path / "music" / "music.sqlite"
    if is_linked:
        database = tmp_path / "elsewhere" / "music.sqlite"
        served.parent.mkdir()
        served.symlink_to(database)
    execute(database, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(database, isolation_level=None)) as program:
        program.execute("CREATE TABLE singer (name text)")
        assert sql_answers.find_served(serving(tmp_path), "music")[1] == "table singer: name text"
        program.execute("ALTER TABLE singer ADD COLUMN age integer")
        assert sql_answers.find_served(serving(tmp_path), "music")[1] == "table singer: name text, age integer"


def test_a_database_is_served_in_either_normal_form(tmp_path: Path) -> None:
    written = unicodedata.normalize("NFD", "Gebäude")
    execute(tmp_path / written / f"{written}.sqlite", "CREATE TABLE house (name text)")
    for asked in ("Gebäude", written):
        assert sql_answers.find_served(serving(tmp_path), asked)[1] == "table house: name text"
    assert list(served_databases(serving(tmp_path))) == ["Gebäude"]


def test_serves_every_file_that_the_course_reads_and_no_other(tmp_path: Path) -> None:
    for name in ("music/music.sqlite", "art/art.db", "art/notes.sqlite", "empty/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = {"art": tmp_path / "art/art.db", "music": tmp_path / "music/music.sqlite"}
    assert served_databases(serving(tmp_path)) == files


@pytest.mark.parametrize("name", ["concerts", "Konzerte für alle", "演奏会"])
def test_serves_a_database_on_a_server_under_its_name(tmp_path: Path, name: str) -> None:
    url = AnyUrl(f"postgresql://reader:open@host:5432/{name}?sslmode=require")
    joined = serving(tmp_path).model_copy(update={"postgres_url": Secret(url)})
    assert served_databases(joined) == {name: str(url)}
