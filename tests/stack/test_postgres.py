"""Queries on a real PostgreSQL server in its own folder: those that read are answered, and no byte changes."""

import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from course_utils.deployment import start_gateway
from course_utils.errors import DataError, QueryError
from course_utils.files import PROJECT
from course_utils.processes import LOOPBACK, choose_port
from course_utils.sql import QueryLimits, QueryResult
from course_utils.sql.postgres import read_postgres_schema, run_postgres_query
from tests.http_servers import serve
from tests.stack.test_model_failures import Script
from tests.waiting import comes_true

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
pytestmark = pytest.mark.skipif(
    not INSTALLED or (AS_ROOT and not shutil.which("runuser")), reason="Debian's postgresql is not installed"
)
TABLES = """
CREATE TABLE city (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE singer (id serial PRIMARY KEY, name text, city_id integer REFERENCES city, born date, fee numeric(8, 2),
                     tags text[], facts jsonb, photo bytea);
CREATE VIEW living AS SELECT name FROM singer;
CREATE TABLE "Order" (id integer);
INSERT INTO city VALUES (1, 'Berlin');
INSERT INTO singer VALUES (1, 'Ana', 1, '1990-05-17', 12.50, '{a,b}', '{"k": [1]}', '\\x0aff'),
                          (2, 'Zoë', NULL, NULL, NULL, NULL, NULL, NULL);
"""


@pytest.fixture(scope="module")
def owner() -> Iterator[str]:
    """The superuser's URL of a new server. Started by root, it runs as the user postgres, because it refuses root."""
    bin_, port = INSTALLED[-1].parent, choose_port(LOOPBACK)
    as_user = ["runuser", "-u", "postgres", "--"] if AS_ROOT else []
    with tempfile.TemporaryDirectory(prefix="course-postgres-") as name:
        folder = Path(name)
        (folder / "password").write_text("sesame", "utf-8")
        for path in (folder, folder / "password") if AS_ROOT else ():
            shutil.chown(path, "postgres")
        init = ["--no-sync", "--auth=scram-sha-256", "--username=owner", f"--pwfile={folder / 'password'}"]
        run(*as_user, bin_ / "initdb", *init, "-D", folder / "data", cwd=folder)
        control = [*as_user, bin_ / "pg_ctl", "-D", folder / "data", "-s", "-w", "-l", folder / "log"]
        run(*control, "-o", f"-p {port} -h {LOOPBACK} -k {folder} -c fsync=off", "start", cwd=folder)
        try:
            url = f"postgresql://owner:sesame@{LOOPBACK}:{port}"
            with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE music")
            with psycopg.connect(f"{url}/music") as connection:
                connection.execute(TABLES.encode())
                if list(Path("/usr/share/postgresql").glob("*/extension/dblink.control")):
                    connection.execute("CREATE EXTENSION dblink")
            script = PROJECT / "deploy" / "postgres_reader.sql"
            run(bin_ / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-v", "password='open'", "-f", script, f"{url}/music")
            yield f"{url}/music"
        finally:
            run(*control, "-m", "immediate", "stop", cwd=folder)


def run(*command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def reader(owner: str) -> str:
    return owner.replace("owner:sesame", "course_reader:open")


def ask(url: str, query: str, timeout_s: float = 5, max_rows: int = 100, max_bytes: int = 1_000_000) -> QueryResult:
    return run_postgres_query(url, query, QueryLimits(timeout_s, max_rows, max_bytes))


def everything(owner: str) -> list[tuple[object, ...]]:
    """All rows, tables, roles, settings, large objects and sequences."""
    what = """
        SELECT 'singer', singer::text FROM singer UNION ALL SELECT 'city', city::text FROM city
        UNION ALL SELECT 'class', relname || coalesce(relacl::text, '') FROM pg_class WHERE relkind IN ('r', 'v', 'S')
        UNION ALL SELECT 'role', rolname FROM pg_roles UNION ALL SELECT 'object', oid::text FROM pg_largeobject_metadata
        UNION ALL SELECT 'next', last_value::text FROM singer_id_seq UNION ALL SELECT 'proc', proname FROM pg_proc
        UNION ALL SELECT 'set', name || setting FROM pg_settings WHERE source = 'configuration file' ORDER BY 1, 2"""
    with psycopg.connect(owner) as connection:
        return connection.execute(what.encode()).fetchall()


def test_values_are_those_that_sqlite_has_too(reader: str) -> None:
    result = ask(reader, "SELECT name, born, fee, tags, facts, photo, true AS t FROM singer ORDER BY id -- all")
    assert result.columns == ("name", "born", "fee", "tags", "facts", "photo", "t")
    assert result.rows == [
        ("Ana", "1990-05-17", 12.5, "{a,b}", '{"k": [1]}', b"\x0a\xff", True),
        ("Zoë", None, None, None, None, None, True),
    ]
    assert not result.truncated


def test_a_number_too_large_for_a_float_is_infinity_as_in_sqlite(reader: str) -> None:
    assert ask(reader, "SELECT 1e400, -1e400, 1e300").rows == [(math.inf, -math.inf, 1e300)]


def test_rows_are_limited(reader: str) -> None:
    result = ask(reader, "SELECT * FROM generate_series(1, 1000000)", max_rows=10)
    assert (len(result.rows), result.truncated) == (10, True)
    with pytest.raises(QueryError, match="more than") as raised:
        ask(reader, "SELECT repeat('x', 1000) FROM generate_series(1, 100)", max_bytes=50_000)
    assert raised.value.kind == "too large"
    with pytest.raises(QueryError, match=r"temp_file_limit|timeout"):
        ask(reader, "SELECT repeat('x', 300000000)")


def test_more_columns_than_are_read_are_an_error_and_no_part_of_them(owner: str, reader: str) -> None:
    """A table has 1,600 columns at most."""
    columns = ", ".join(f"c{number} integer" for number in range(1_000))
    tables = [f"wide_{number}" for number in range(10)]
    with psycopg.connect(owner, autocommit=True) as connection:
        for table in tables:
            connection.execute(f"CREATE TABLE {table} ({columns}); GRANT SELECT ON {table} TO course_reader".encode())
        try:
            with pytest.raises(DataError, match="more than 10,000 columns; grant it fewer tables"):
                read_postgres_schema(reader)
        finally:
            connection.execute(f"DROP TABLE {', '.join(tables)}".encode())
    assert len(read_postgres_schema(reader).tables) == 3


def test_an_empty_result_has_columns(reader: str) -> None:
    result = ask(reader, "SELECT name FROM singer WHERE false;")
    assert (result.columns, result.rows) == (("name",), [])


def test_the_prompt_shows_tables_and_views_that_the_role_may_read(reader: str) -> None:
    assert read_postgres_schema(reader).render().splitlines() == [
        'table "Order": id integer',
        "table city: id integer, name text",
        "table singer: id integer, name text, city_id integer -> city, born date, fee numeric, "
        "tags array, facts jsonb, photo bytea",
        "view living: name text",
    ]


REFUSED = [
    "DROP TABLE singer",
    "INSERT INTO singer (name) VALUES ('x')",
    "UPDATE singer SET name = 'x'",
    "DELETE FROM singer",
    "TRUNCATE singer",
    "CREATE TABLE stolen AS SELECT * FROM singer",
    "SELECT * INTO stolen FROM singer",
    "WITH gone AS (DELETE FROM singer RETURNING *) SELECT * FROM gone",
    "SELECT 1; DROP TABLE singer",
    "COMMIT; DROP TABLE singer",
    "COMMIT",
    "COPY singer TO '/tmp/stolen'",
    "COPY (SELECT 1) TO PROGRAM 'touch /tmp/stolen'",
    "COPY singer FROM PROGRAM 'id'",
    "COPY singer TO STDOUT",
    "DO $$ BEGIN DELETE FROM singer; END $$",
    "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM singer; END $$",
    "SET default_transaction_read_only = off",
    "SET ROLE owner",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "GRANT ALL ON singer TO PUBLIC",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_create(0)",
    "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))",
    "SELECT pg_advisory_lock(1)",
    "SELECT nextval('singer_id_seq')",
    "SELECT setval('singer_id_seq', 99)",
    "SELECT pg_terminate_backend(pg_backend_pid())",
    "SELECT query FROM pg_stat_activity",
    "SELECT * FROM pg_authid",
    "SELECT pg_reload_conf()",
    "SELECT 1 FROM singer FOR UPDATE",
    "SELECT set_config('role', 'owner', false)",
    "SELECT set_config('session_authorization', 'owner', false)",
    "SELECT query_to_xml('DELETE FROM singer', true, true, '')",
    "LISTEN news",
    "VACUUM",
    "EXPLAIN ANALYZE DELETE FROM singer",
]
FAILS = {
    "SELECT set_config('transaction_read_only', 'off', false)": "other",
    "SELECT nmae FROM singer": "no such column",
    "SELECT 1 FROM sinners": "no such table",
    "SELEC 1": "syntax",
    "": "syntax",
    "I do not know": "syntax",
    "SELECT 'open": "syntax",
    "SELECT 1 / 0": "other",
    "SELECT 1\x00; DROP TABLE singer": "syntax",
    "SELECT dblink_exec('dbname=music', 'DROP TABLE singer')": "other",  # it asks for a password
}
SLOW = [
    "SELECT pg_sleep(60)",
    "SELECT count(*) FROM generate_series(1, 1000000000000)",
    "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n",
    "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)",
]


def test_whatever_is_asked_no_byte_changes(reader: str, owner: str) -> None:
    before = everything(owner)
    kinds: dict[str, str] = {}
    for query in [*REFUSED, *FAILS]:
        try:
            kinds[query] = str(ask(reader, query).rows)
        except QueryError as error:
            kinds[query] = error.kind
    assert kinds == dict.fromkeys(REFUSED, "not allowed") | FAILS
    assert everything(owner) == before


@pytest.mark.parametrize("query", SLOW)
def test_what_is_slow_is_ended_at_both_ends(reader: str, owner: str, query: str) -> None:
    began = time.monotonic()
    with pytest.raises(QueryError) as raised:
        ask(reader, query, timeout_s=0.5)
    assert raised.value.kind == "timeout"
    assert time.monotonic() - began < 5
    with psycopg.connect(owner, autocommit=True) as connection:
        running = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'course_reader' AND state = 'active'"
        assert comes_true(lambda: connection.execute(running.encode()).fetchone() == (0,))


def test_one_query_leaves_nothing_to_the_next(reader: str) -> None:
    ask(reader, "SELECT set_config('search_path', 'pg_catalog', false)")
    assert ask(reader, "SELECT count(*) FROM singer").rows == [(2,)]


def test_a_superuser_is_refused_and_says_what_to_do(owner: str) -> None:
    with pytest.raises(QueryError, match=r"postgres_reader\.sql"):
        ask(owner, "SELECT 1")


def test_a_server_that_is_away_and_a_wrong_password_show_no_address(reader: str) -> None:
    for url in (f"postgresql://x:secret@{LOOPBACK}:{choose_port(LOOPBACK)}/music", reader.replace(":open@", ":shut@")):
        with pytest.raises(DataError) as raised:
            read_postgres_schema(url)
        assert not [part for part in ("secret", "shut", LOOPBACK) if part in str(raised.value)]


def test_the_gateway_serves_both_kinds_of_databases(databases: Path, owner: str, reader: str, tmp_path: Path) -> None:
    with psycopg.connect(owner.replace("/music", "/postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE concerts TEMPLATE music")
    address = reader.replace("/music", "/concerts")
    with serve(Script, plan=("says", "SELECT name, fee, born, photo FROM singer")) as model:
        settings = {"COURSE_POSTGRES_URL": address, "COURSE_FEEDBACK_FILE": str(tmp_path / "feedback.jsonl")}
        with (
            start_gateway(model.url, databases, settings=settings) as gateway,
            httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as client,
        ):
            assert client.get("/health/ready").json()["n_databases"] == 2
            assert "singer: id integer" in client.get("/v1/databases/concerts").json()["schema"]
            asked = {"question": "Who sings?", "database": "concerts"}
            answer = client.post("/v1/sql", json=asked).json()
            assert answer["rows"] == [["Ana", 12.5, "1990-05-17", "0aff"], ["Zoë", None, None, None]]
            assert answer["checks"] == {"parses": True, "read_only": True, "executed": True}
            model.plan = "says", "DROP TABLE singer"
            answer = client.post("/v1/sql", json=asked).json()
            assert answer["checks"] == {"parses": True, "read_only": False, "executed": False}
            rating = {"id": "x", "rating": "down", "database": "concerts", "correction": "SELECT name FROM singer"}
            assert client.post("/v1/feedback", json=rating).status_code == 201
            assert client.post("/v1/sql", json={**asked, "database": "music"}).status_code == 200
