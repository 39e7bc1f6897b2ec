"""Schemas as they are read and shown; SQLite itself says whether a shown name works as SQL."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.errors import DataError, QueryError
from course_utils.sql import Schema, copy_database, quote, read_schema, run_query
from course_utils.sql.schema import RESERVED, Column, TableSchema
from tests.sqlite_files import write_database


def test_tables_columns_and_keys_are_read(tmp_path: Path) -> None:
    database = write_database(
        tmp_path / "music.sqlite",
        """CREATE TABLE singer (singer_id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE concert (concert_id INTEGER PRIMARY KEY, singer_id INT REFERENCES singer (singer_id), year INT);
        CREATE TABLE plays (singer_id INTEGER, concert_id INTEGER, PRIMARY KEY (singer_id, concert_id),
            FOREIGN KEY (concert_id) REFERENCES concert);""",
    )
    schema = read_schema(database)
    assert schema.db_id == "music"
    assert [table.name for table in schema.tables] == ["singer", "concert", "plays"]
    assert schema.tables[1].columns == (
        Column("concert_id", "INTEGER", is_primary_key=True),
        Column("singer_id", "INT", references="singer"),
        Column("year", "INT"),
    )
    assert [column.is_primary_key for column in schema.tables[2].columns] == [True, True]
    assert schema.tables[2].columns[1].references == "concert"


def test_a_schema_is_shown_one_table_a_line(tmp_path: Path) -> None:
    database = write_database(
        tmp_path / "x.sqlite",
        """CREATE TABLE singer (id INTEGER PRIMARY KEY, name VARCHAR(20), untyped);
        CREATE TABLE concert (singer_id INTEGER REFERENCES singer (id));""",
    )
    assert read_schema(database).render() == (
        "table singer: id integer, name varchar(20), untyped\ntable concert: singer_id integer -> singer"
    )


def test_names_that_are_no_plain_words_are_shown_in_quotes() -> None:
    columns = (Column("group", "TEXT"), Column("first name", "TEXT"), Column("2nd", "INT"), Column('a"b', "INT"))
    shown = Schema(
        "x", (TableSchema("order", columns), TableSchema("t", (Column("o", "INT", references="order"),)))
    ).render()
    assert shown == 'table "order": "group" text, "first name" text, "2nd" int, "a""b" int\ntable t: o int -> "order"'


def works_unquoted(name: str) -> bool:
    """Whether SQLite reads the bare word as a table's and a column's name."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f'CREATE TABLE "{name}" ("{name}" INTEGER)')
        connection.execute(f'INSERT INTO "{name}" VALUES (7)')
        return connection.execute(f"SELECT T1.{name}, {name} FROM {name} AS T1 ORDER BY {name}").fetchall() == [(7, 7)]
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


# All keywords of https://sqlite.org/lang_keywords.html
KEYWORDS = """abort action add after all alter always analyze and as asc attach autoincrement before begin between by
cascade case cast check collate column commit conflict constraint create cross current current_date current_time
current_timestamp database default deferrable deferred delete desc detach distinct do drop each else end escape except
exclude exclusive exists explain fail filter first following for foreign from full generated glob group groups having
if ignore immediate in index indexed initially inner insert instead intersect into is isnull join key last left like
limit match materialized natural no not nothing notnull null nulls of offset on or order others outer over partition
plan pragma preceding primary query raise range recursive references regexp reindex release rename replace restrict
returning right rollback row rows savepoint select set table temp temporary then ties to transaction trigger unbounded
union unique update using vacuum values view virtual when where window with without true false rowid""".split()


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_keyword_is_quoted_where_sqlite_wants_it(keyword: str) -> None:
    assert works_unquoted(keyword) or quote(keyword) == f'"{keyword}"'
    assert works_unquoted(keyword) or keyword in RESERVED
    assert quote(keyword.upper()).strip('"') == keyword.upper()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12))
def test_any_quoted_name_works_in_sqlite(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t ({quote(name)} INTEGER)")
    connection.execute("INSERT INTO t VALUES (7)")
    assert connection.execute(f"SELECT T1.{quote(name)} FROM t AS T1").fetchall() == [(7,)]
    assert connection.execute("SELECT name FROM pragma_table_info('t')").fetchall() == [(name,)]
    connection.close()


def test_indexes_triggers_and_sqlites_own_tables_do_not_matter(tmp_path: Path) -> None:
    database = write_database(
        tmp_path / "x.sqlite",
        """CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT UNIQUE);
        CREATE TABLE sqliteX (c);
        CREATE INDEX a_b ON a (b);
        CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;
        INSERT INTO a (b) VALUES ('x'); ANALYZE;""",
    )
    assert [table.name for table in read_schema(database).tables] == ["a", "sqliteX"]


def test_views_are_shown_and_those_that_do_not_work_left_out(tmp_path: Path) -> None:
    database = write_database(
        tmp_path / "x.sqlite",
        """CREATE TABLE a (id INTEGER, b TEXT);
        CREATE VIEW broken AS SELECT absent FROM nowhere;
        CREATE VIEW "long b" AS SELECT b, length(b) AS n FROM a;""",
    )
    assert read_schema(database).render() == 'table a: id integer, b text\nview "long b": b text, n'


def test_what_can_be_asked_for_is_shown_and_what_serves_a_virtual_table_is_not(tmp_path: Path) -> None:
    database = write_database(
        tmp_path / "x.sqlite",
        """CREATE TABLE item (price REAL, total REAL AS (price * 2) VIRTUAL, label TEXT AS ('x' || price) STORED);
        CREATE VIRTUAL TABLE note USING fts5 (title); CREATE VIRTUAL TABLE place USING rtree (id, low, high);
        INSERT INTO item VALUES (1); INSERT INTO note VALUES ('a note'); INSERT INTO place VALUES (1, 2, 3);""",
    )
    schema = read_schema(database)
    shown = (
        "table item: price real, total real, label text\ntable note: title\ntable place: id int, low real, high real"
    )
    assert schema.render().replace(" num", " real") == shown
    for table in schema.tables:
        names = ", ".join(column.name for column in table.columns)
        assert len(run_query(database, f"SELECT {names} FROM {table.name}").rows) == 1


@pytest.mark.parametrize("module", ["VirtualSpatialIndex()", "fts5(body)", "fts4(body, tokenize=icu)", "rtree(a)"])
def test_a_table_whose_module_is_gone_or_does_not_start_is_left_out(tmp_path: Path, module: str) -> None:
    database = write_database(
        tmp_path / "x.sqlite",
        f"""CREATE TABLE a (id INTEGER); PRAGMA writable_schema = ON; INSERT INTO sqlite_master
        VALUES ('table', 'near', 'near', 0, 'CREATE VIRTUAL TABLE near USING {module}');""",
    )
    assert read_schema(database).render() == "table a: id integer"


def test_a_name_that_a_stranger_wrote_as_bytes_is_read(tmp_path: Path) -> None:
    hostile = "PRAGMA writable_schema = ON; UPDATE sqlite_master SET name = CAST(name AS BLOB), sql = CAST(sql AS BLOB)"
    database = write_database(tmp_path / "x.sqlite", f"CREATE TABLE a (id INTEGER); {hostile}")
    assert read_schema(database).render() == "table a: id integer"


def test_a_view_that_grows_without_end_costs_the_views_and_not_the_database(tmp_path: Path) -> None:
    steps = ", ".join(f"c{n + 1} AS (SELECT 1 FROM {', '.join([f'c{n}'] * 8)})" for n in range(12))
    view = f"CREATE VIEW v AS WITH c0 AS (SELECT 1), {steps} SELECT * FROM c12"
    database = write_database(tmp_path / "x.sqlite", f"CREATE TABLE a (id INTEGER); {view}")
    assert read_schema(database).render() == "table a: id integer"


def test_an_empty_database_has_no_tables(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"")
    assert read_schema(tmp_path / "x.sqlite") == Schema("x", ())


def test_a_missing_or_corrupt_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such database"):
        read_schema(tmp_path / "none.sqlite")
    (tmp_path / "broken.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match="not a readable SQLite database"):
        read_schema(tmp_path / "broken.sqlite")


def test_an_error_of_sqlite_that_quotes_what_is_no_text_is_a_data_error(tmp_path: Path) -> None:
    bad = "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = sql || CAST(x'8080' AS TEXT)"
    database = write_database(tmp_path / "x.sqlite", f"CREATE TABLE a (id INTEGER); {bad}")
    with pytest.raises(DataError, match="not a readable SQLite database"):
        read_schema(database)
    with pytest.raises(DataError, match="cannot be copied"):
        copy_database(database, tmp_path / "copy.sqlite")
    with pytest.raises(QueryError):
        run_query(database, "SELECT id FROM a")
