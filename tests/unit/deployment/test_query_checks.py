from pathlib import Path

import pytest

from course_utils.deployment import check_and_run, sql_grammar
from course_utils.errors import DataError
from course_utils.sql import Schema, read_schema
from tests.sqlite_files import write_database

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    script = "CREATE TABLE singer (name text); INSERT INTO singer VALUES ('Ana'), ('Ben'), ('Cleo')"
    return write_database(tmp_path / "toy.sqlite", script)


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        ("SELECT name FROM singer", "executed"),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a UNION SELECT 2", "executed"),
        ("SELECT 'DROP TABLE singer'", "executed"),
        ("I do not know", "not_parsed"),
        ("", "not_parsed"),
        ("SELECT age FROM singer", "failed"),
        ("DROP TABLE singer", "refused"),
        ("DELETE FROM singer", "refused"),
        ("UPDATE singer SET name = 'x' RETURNING name", "refused"),
        ("INSERT INTO singer SELECT name FROM singer", "refused"),
        ("CREATE TABLE t AS SELECT 1", "refused"),
        ("PRAGMA writable_schema = 1", "refused"),
        ("ATTACH 'other.sqlite' AS other", "refused"),
        ("VACUUM INTO 'copy.sqlite'", "refused"),
        ("SELECT load_extension('x')", "refused"),
        ("SELECT 1; DROP TABLE singer", "refused"),
        (ENDLESS, "timeout"),
    ],
)
def test_outcomes(database: Path, query: str, outcome: str) -> None:
    before = database.read_bytes()
    checked = check_and_run(database, query, timeout_s=0.3, max_rows=10)
    assert (checked.outcome, checked.checks["executed"]) == (outcome, outcome == "executed")
    assert bool(checked.error) == (outcome != "executed")
    assert database.read_bytes() == before


def test_rows_are_capped(database: Path) -> None:
    checked = check_and_run(database, "SELECT name FROM singer ORDER BY name", timeout_s=1, max_rows=2)
    assert checked.result is not None
    assert checked.result.rows == [("Ana",), ("Ben",)]
    assert checked.result.truncated


def test_a_grammar_knows_the_names_of_one_database_as_sql_writes_them(database: Path) -> None:
    write_database(
        database, 'CREATE TABLE "live show" ("order" int, "a ""b""" text); CREATE TABLE ALL_COLUMNS (name text)'
    )
    rules = dict(line.split("::=", 1) for line in sql_grammar(read_schema(database)).splitlines() if "::=" in line)
    rules = {name.strip(): rule.strip() for name, rule in rules.items()}
    assert rules["table"] == r'"ALL_COLUMNS" | "\"live show\"" | "singer"'
    assert rules["column"].endswith(r'("\"a \"\"b\"\"\"" | "name" | "\"order\"")')
    with pytest.raises(DataError, match="empty: no tables"):
        sql_grammar(Schema("empty", ()))
