"""Statements that an attacker or a confused model could send, and the database that they attack.

Families are functions that give statements. ``LOADS`` need more than anybody has; the families here ask for what nobody
may do, or are no SQL at all. ``HONEST`` are harmless neighbours of both, which must run.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from .hostile_loads import COUNT, LOADS, chain, lines, pairs, text

GROWING = "\n".join(
    f"CREATE VIEW vgrow{i} AS SELECT a.id FROM {','.join(f'vgrow{i - 1} {letter}' for letter in 'abcdefgh')};"
    for i in range(1, 7)
)
"""Views of views: the last one names the first 262,144 times."""
EXPANDING = chain(7, f"SELECT a.x FROM c0 a,{','.join(['c0'] * 7)}")
SCHEMA = f"""
CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, v REAL);
CREATE TABLE big (id INTEGER PRIMARY KEY, a INTEGER, b TEXT);
CREATE VIRTUAL TABLE ft USING fts5(body);
CREATE VIRTUAL TABLE f4 USING fts4(body);
CREATE VIRTUAL TABLE rt USING rtree(id, x0, x1);
CREATE VIEW vload AS SELECT load_extension('pwned');
CREATE VIEW vbomb AS {COUNT} SELECT count(i) AS c FROM n;
CREATE VIEW vpair AS SELECT x.id FROM big x, big y, big z WHERE x.b || y.b < z.b;
CREATE VIEW vchain AS {EXPANDING};
CREATE VIEW vgrow0 AS SELECT id FROM t;
{GROWING}
"""
TRIGGER = "CREATE TRIGGER gone AFTER INSERT ON t BEGIN DELETE FROM big; END"


def build_database(path: Path) -> Path:
    """Write the database that the statements name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", ((i, f"n{i}", i / 7) for i in range(50)))
        connection.executemany("INSERT INTO big VALUES (?, ?, ?)", ((i, i % 97, f"x{i}") for i in range(20_000)))
        connection.executemany("INSERT INTO ft VALUES (?)", ((f"the quick fox number {i}",) for i in range(100)))
        connection.executemany("INSERT INTO f4 VALUES (?)", ((f"a slow dog number {i}",) for i in range(100)))
        connection.executemany("INSERT INTO rt VALUES (?, ?, ?)", ((i, i, i + 1) for i in range(100)))
        connection.execute(TRIGGER)
    return path


def nesting() -> Iterator[str]:
    """Texts that a parser reads by recursion."""
    for left, right in (
        ("(", ")"), ("[", ""), ("abs(", ")"), ("NOT ", ""), ("- ", ""), ("~", ""), ("CASE WHEN 1 THEN ", " END"),
        ("(SELECT ", ")"), ("EXISTS(SELECT ", ")"), ("COUNT(SELECT ", ")"), ("CAST(", " AS TEXT)"), ("1 IN (", ")"),
        ("json_array(", ")"), ("coalesce(NULL, ", ")"), ("x.", ""), ("1 BETWEEN 1 AND ", ""),
    ):  # fmt: skip
        for depth in (30, 60, 90, 200, 10_000):
            yield f"SELECT {left * depth}1{right * depth}"
    yield f"SELECT {'(' * 200}"
    yield "SELECT COUNT(" * 300
    for depth in (80, 10_000):
        yield f"{'SELECT * FROM (' * depth}SELECT 1{')' * depth}"
        yield f"{'WITH x AS (' * depth}SELECT 1{') SELECT * FROM x' * depth}"
        yield f"SELECT * FROM {'(t JOIN ' * depth}t{')' * depth}"
    for glue in (
        " AND ",
        " OR ",
        "+",
        "||",
        "=",
        "<",
        "->",
        " IS ",
        " COLLATE NOCASE+",
        " UNION SELECT ",
        " EXCEPT SELECT ",
    ):
        yield f"SELECT {glue.join(['1'] * 500)}"
        yield f"SELECT {glue.join(['1'] * 10_000)}"
    yield f"SELECT * FROM t WHERE {' OR '.join(['id=1'] * 500)}"
    yield f"SELECT * FROM t WHERE {' OR '.join(['id=1'] * 5_000)}"
    yield " UNION ALL ".join(["SELECT 1"] * 501)
    yield f"SELECT 1 IN ({','.join(map(str, range(90_000)))})"
    yield f"SELECT 1 {'COLLATE NOCASE ' * 9_000}"
    yield f"SELECT {'.'.join(['a'] * 10_000)}"
    yield f"SELECT {','.join(['1'] * 2001)}"
    yield f"SELECT max({','.join(['1'] * 5_000)})"
    yield f"SELECT char({','.join(['1114112'] * 120)})"
    yield f"SELECT date('now'{',' * 120})".replace(",", ",'+1 day'")
    yield f"SELECT {'+'.join(['?'] * 9_000)}"
    yield f"SELECT 1 ORDER BY {','.join(['1'] * 5_000)}"
    yield f"SELECT count(*) FROM {','.join(f't a{i}' for i in range(65))}"
    yield f"SELECT count(*) FROM t a0 {' '.join(f'NATURAL JOIN t a{i}' for i in range(1, 60))}"
    yield f"SELECT 1 WINDOW {','.join(f'w{i} AS (ORDER BY 1)' for i in range(3_000))}"
    yield f"WITH {','.join(f'c{i} AS (SELECT 1)' for i in range(9_000))} SELECT 1"
    for depth in (900, 2_000, 90_000):
        yield f"SELECT json('{'[' * depth}{']' * depth}')"
        yield f"SELECT count(*) FROM json_tree('{'[' * depth}{']' * depth}')"


def long_texts() -> Iterator[str]:
    """Megabytes of nearly nothing."""
    yield f"SELECT 1 /*{'*' * 1_000_000}*/"
    yield "SELECT 1" + "/**/" * 200_000
    yield "--\n" * 300_000 + "SELECT 1"
    yield f"SELECT{' ' * 2_000_000}1"
    yield "SELECT 1" + ";" * 500_000
    yield f"SELECT '{'a' * 2_000_000}'"
    yield f"SELECT '{chr(39) * 1_000_000}'"
    yield f"SELECT 1 AS {'a' * 1_000_000}"
    yield f"SELECT * FROM {'a' * 900_000}"
    yield f"SELECT {'9' * 100_000}"
    yield f"SELECT 0.{'1' * 900_000}e{'9' * 9_000}"
    yield f"SELECT x'{'00' * 450_000}'"
    yield f"SELECT '{'a' * 100_000}"
    yield f'SELECT "{"a" * 100_000}'
    yield from ("SELECT " * 100_000, "a" * 900_000, "😀" * 200_000, "\n" * 900_000, "SELECT 1;" * 50_000)


def virtual_tables() -> Iterator[str]:
    """What extensions that are built in can do."""
    for table in ("ft", "f4"):
        for words in ("(" * 5_000 + "a" + ")" * 5_000, " OR ".join(["a"] * 9_000), "f* " * 5_000, '"', "a" * 900_000):
            yield f"SELECT count(*) FROM {table} WHERE {table} MATCH '{words}'"
        for command in ("optimize", "rebuild", "integrity-check", "merge=9,2", "delete-all"):
            yield f"INSERT INTO {table}({table}) VALUES('{command}')"
        yield f"DELETE FROM {table} WHERE rowid=1"
        yield f"DROP TABLE {table}"
    for table in ("ft_data", "ft_content", "f4_segments", "rt_node", "rt_rowid", "rt_parent"):
        yield f"SELECT * FROM {table}"
        yield f"DELETE FROM {table}"
        yield f"UPDATE {table} SET rowid=rowid+1"
        yield f"INSERT INTO {table} SELECT * FROM {table}"
    for module in (
        "fts5(a)",
        "fts4(a)",
        "rtree(a,b,c)",
        "fts5vocab(main,ft,row)",
        "fts4aux(f4)",
        "dbstat",
        "csv(file=x)",
    ):
        yield f"CREATE VIRTUAL TABLE z USING {module}"
        yield f"CREATE VIRTUAL TABLE temp.z USING {module}"
    yield from lines(f"""
        SELECT * FROM ft WHERE ft MATCH 'NEAR({"a " * 3_000}, 9)'
        SELECT * FROM ft WHERE ft MATCH 'fox' AND rank MATCH 'edit(1)'
        SELECT length(snippet(ft,0,{text(900_000)},{text(900_000)},'',64)) FROM ft WHERE ft MATCH 'fox'
        SELECT highlight(ft,0,{text(900_000)},{text(900_000)}) FROM ft, big WHERE ft MATCH 'the quick'
        SELECT snippet(f4,{text(900_000)},'','',-1,64) FROM f4 WHERE f4 MATCH 'slow dog'
        SELECT matchinfo(f4,{pairs(490_000, "xx")}) FROM f4 WHERE f4 MATCH 'slow'
        SELECT offsets(f4) FROM f4 WHERE f4 MATCH '{" OR ".join(["dog"] * 900)}'
        SELECT optimize(f4) FROM f4 LIMIT 1
        SELECT fts3_tokenizer('simple', x'4141414141414141')
        SELECT "fts3_tokenizer"('porter', zeroblob(8))
        SELECT rtreecheck('rt')
        SELECT rtreenode(2, zeroblob(900000)), rtreedepth(zeroblob(9))
        INSERT INTO rt VALUES(1,2,3)
        SELECT count(*) FROM dbstat
        SELECT count(*) FROM dbstat, dbstat, dbstat, dbstat
        SELECT * FROM sqlite_stmt
        SELECT * FROM sqlite_dbpage
        SELECT * FROM bytecode('SELECT 1')
        SELECT * FROM tables_used('SELECT 1')
        SELECT * FROM fsdir('/')
        SELECT count(*) FROM generate_series(1,1e15)
        SELECT * FROM completion('S')
        SELECT * FROM zipfile('x')
        SELECT * FROM carray(1,9)
        SELECT count(*) FROM wholenumber
        SELECT geopoly_area(geopoly_regular(0,0,9,1000))
        SELECT * FROM rt WHERE id MATCH zeroblob(900000)
        SELECT * FROM ft WHERE ft MATCH '^the + quick' ORDER BY bm25(ft,1e308,-1e308)
        SELECT bm25(ft) FROM t, ft
        SELECT matchinfo(f4,'pcnalsx') FROM f4 WHERE f4 MATCH 'slow NEAR/3 dog'
        SELECT hex(data) FROM sqlite_dbpage('main') WHERE pgno=1
        WITH a AS (SELECT 1) REPLACE INTO rt_rowid SELECT 1,1 FROM a RETURNING rowid
        DELETE FROM rt_node WHERE 0 RETURNING *
        INSERT INTO temp.x_parent VALUES(1)
        EXPLAIN DELETE FROM rt_node
    """)


def writes() -> Iterator[str]:
    """Everything that is not a question."""
    yield from lines(f"""
        INSERT INTO t VALUES(1000,'x',1)
        INSERT INTO t VALUES(1000,'x',1) RETURNING *
        INSERT INTO t DEFAULT VALUES
        INSERT INTO t SELECT id+1000,b,a FROM big
        INSERT INTO t VALUES(1,'x',1) ON CONFLICT DO UPDATE SET v=2 RETURNING v
        INSERT INTO vbomb VALUES(1)
        REPLACE INTO t VALUES(1,'x',1)
        UPDATE t SET v=0
        UPDATE t SET v=0 RETURNING id
        UPDATE t SET v=b.a FROM big b WHERE b.id=t.id
        UPDATE t SET v=0 ORDER BY id LIMIT 1
        DELETE FROM t
        DELETE FROM t RETURNING *
        WITH x AS (SELECT 1) INSERT INTO t SELECT 1000,'x',1 FROM x
        WITH x AS (SELECT 1) UPDATE t SET v=(SELECT * FROM x)
        WITH x AS (SELECT id FROM t) DELETE FROM t WHERE id IN x RETURNING id
        MERGE INTO t USING t AS s ON 1 WHEN MATCHED THEN DELETE
        CREATE TABLE z(a)
        CREATE TABLE IF NOT EXISTS t(a)
        CREATE TABLE z AS SELECT * FROM t
        CREATE TEMP TABLE z AS SELECT * FROM t
        CREATE TEMP TABLE z AS {COUNT} SELECT randomblob(900000) FROM n
        CREATE TEMP VIEW t AS SELECT 1
        CREATE TEMP TRIGGER z AFTER INSERT ON t BEGIN SELECT 1; END
        CREATE VIEW z AS SELECT 1
        CREATE TRIGGER z AFTER INSERT ON t BEGIN DELETE FROM t; END
        CREATE INDEX i ON t(v)
        ALTER TABLE t ADD COLUMN z
        ALTER TABLE t RENAME TO u
        ALTER TABLE t DROP COLUMN v
        DROP TABLE t
        DROP VIEW vbomb
        DROP TRIGGER gone
        ANALYZE
        REINDEX
        VACUUM
        VACUUM INTO 'pwned'
        VACUUM INTO 'file:pwned?mode=rwc'
        ATTACH 'pwned' AS p
        ATTACH 'file:pwned?mode=rw' AS p
        ATTACH ':memory:' AS p
        ATTACH '/etc/passwd' AS p
        DETACH main
        BEGIN EXCLUSIVE
        BEGIN IMMEDIATE
        COMMIT
        END TRANSACTION
        ROLLBACK
        SAVEPOINT a
        RELEASE a
        UPDATE sqlite_master SET sql=''
        INSERT INTO sqlite_schema VALUES('table','z','z',0,'CREATE TABLE z(a)')
        DELETE FROM sqlite_schema
        DELETE FROM sqlite_temp_master
        SELECT * FROM sqlite_temp_master
        UPDATE sqlite_sequence SET seq=1
        EXPLAIN INSERT INTO t VALUES(1000,'x',1)
        EXPLAIN QUERY PLAN DELETE FROM t
        EXPLAIN SELECT * FROM t
        EXPLAIN QUERY PLAN SELECT * FROM t
    """)


def pragmas() -> Iterator[str]:
    """Each as a statement and as a table."""
    for name, *value in map(str.split, lines("""
        database_list
        table_info t
        table_list
        function_list
        module_list
        pragma_list
        compile_options
        integrity_check
        quick_check
        optimize
        foreign_key_check
        shrink_memory
        data_version
        user_version 7
        application_id 7
        journal_mode DELETE
        writable_schema 1
        temp_store 1
        temp_store_directory /tmp
        mmap_size 99999999999
        cache_size -9999999
        cache_spill 0
        hard_heap_limit 0
        soft_heap_limit 0
        threads 8
        max_page_count 1
        query_only 0
        trusted_schema 1
        key x
        case_sensitive_like 1
        encoding UTF-16
        wal_checkpoint TRUNCATE
        incremental_vacuum 9
        page_size 65536
        busy_timeout 99999
    """)):  # fmt: skip
        yield f"PRAGMA {name}" + "".join(f"='{each}'" for each in value)
        yield f"SELECT * FROM pragma_{name}" + "".join(f"('{each}')" for each in value)
    yield from ("SELECT * FROM [pragma_user_version]", "SELECT * FROM PRAGMA_TABLE_INFO('t')", "PRAGMA data_version=9")
    yield "PRAGMA main.journal_mode=WAL"
    yield "SELECT * FROM t WHERE id IN (SELECT 1 FROM pragma_journal_mode('WAL'))"


def reach() -> Iterator[str]:
    """Functions that reach out of the database, each also by a disguised name, and what hides a call."""
    for call in (
        "load_extension('pwned')", "readfile('/etc/passwd')", "writefile('pwned','x')", "edit('x','sh')", "eval('x')",
        "sqlite_log(1,'x')", "zipfile('a','b')", "sqlar_compress('x')", "fts3_tokenizer('simple')", "sha3('x')",
        "system('id')", "pg_sleep(9)", "sleep(9)", "benchmark(1e9,md5(1))", "xp_cmdshell('id')", "dblink('x','y')",
    ):  # fmt: skip
        name, arguments = call.split("(", 1)
        yield f"SELECT {call}"
        yield f'SELECT "{name.upper()}"({arguments}'
    yield from lines("""
        SELECT * FROM vload
        SELECT (SELECT load_extension('pwned') FROM t LIMIT 1)
        SELECT 1 WHERE 0 AND load_extension('pwned')
        SELECT 1 FROM t ORDER BY load_extension('pwned')
        SELECT load_extension('pwned') OVER () FROM t
        SELECT changes(), total_changes(), last_insert_rowid(), sqlite_source_id(), sqlite_offset(1)
        SELECT sqlite_version(), sqlite_compileoption_get(0), sqlite_compileoption_used('x')
        SELECT 'aaaa' REGEXP '(a+)+$'
        SELECT 'a' MATCH 'b'
        SELECT 1 COLLATE pwned
    """)


def disguises() -> Iterator[str]:
    """A second statement, or a first one, behind what a reader passes over."""
    delete = "DELETE FROM t"
    for before in (
        "SELECT 1; ", "SELECT 1 -- ;\n; ", "SELECT 1 /* /* */ ; ", "SELECT 1 /* ; ", "/* SELECT 1 */ ", ";;",
        "SELECT\f1;\f", "SELECT 1\0; ", "\0", "\ufeff", "SELECT 1;\ufeff", "SELECT 1 \u202e; ", "SELECT 1\u2028; ",
        "SELECT\v1; ", "SELECT 1 --\r; ", "SELECT 1\nGO\n", "DELIMITER //\n", "EXPLAIN ", "(", "SELECT * FROM (",
        "WITH x AS (", "SELECT 1;;;", "SELECT ';' ; ",
    ):  # fmt: skip
        yield before + delete
        yield f"{before}{delete} RETURNING *) SELECT * FROM x"
    yield from (
        "SELECT 1;SELECT 2", "SELECT 1;;;", "DEL/**/ETE FROM t", "DELETE\u00a0FROM t", "DEL\u200bETE FROM t",
        "ＤＥＬＥＴＥ FROM t", "ＳＥＬＥＣＴ 1", "\u0405ELECT 1", "SELECT '\ud800'", 'SELECT "\udfff"', "SELECT 'a\0b'",
        "\ufeffSELECT 1", ".shell id", "SELECT 1\n.system id", "\\! id", "DO $$ BEGIN END $$",
    )  # fmt: skip


def other_dialects() -> Iterator[str]:
    """What runs elsewhere, and what runs nowhere."""
    yield from (
        "COPY t TO 'pwned'", "CALL x()", "EXEC x", "EXECUTE x", "USE main", "SET x=1", "SHOW TABLES", "DESCRIBE t",
        "TABLE t", "TRUNCATE t", "GRANT ALL ON t TO x", "SELECT * FROM t FOR UPDATE", "SELECT * INTO z FROM t",
        "LOCK TABLES t WRITE", "SELECT 1 INTO OUTFILE 'pwned'", "LOAD DATA INFILE 'x' INTO TABLE t", "KILL 1",
        "SHUTDOWN", "HANDLER t OPEN", "NOTIFY x", "INSTALL x", "LOAD x", "EXPORT DATABASE 'x'",
        "SELECT TOP 1 * FROM t", "SELECT 1 FROM DUAL", "SELECT @@version", "FROM t",
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "LISTEN x", "PREPARE x AS SELECT 1",
        "SELECT ?1", "SELECT :x", "SELECT @x", "SELECT $x", "SELECT ?999999999", "", " ;\n", "-- hi", "/* hi */", "hi",
        "SELECT", "SELECT FROM", "SELECT * FROM", "'", '"', "`", "[", "((", "1", "NULL", "😀", "{}", "<html>", "\\",
        "(SELECT 1)",
    )  # fmt: skip


def edges() -> Iterator[str]:
    """Numbers and arguments at the ends of their ranges."""
    for expression in lines("""
        abs(-9223372036854775808)
        -9223372036854775808 % -1
        -9223372036854775808 / -1
        1<<9223372036854775807
        9223372036854775807+1
        9e999, -9e999, 9e999-9e999
        CAST(9e999 AS INTEGER)
        substr('abc',-9223372036854775808,9223372036854775807)
        substr(x'00',9223372036854775807,-9223372036854775807)
        date('now','+999999999999 years')
        datetime(1e300,'unixepoch')
        strftime('%s',-1e308)
        round(1.5,9223372036854775807)
        zeroblob(-1), randomblob(-9)
        zeroblob(1000000)
        char(-1,55296,1114112)
        printf(NULL), printf(), printf(1,2)
        printf('%n%p%z',1)
        likelihood(1,2)
        'a' LIKE 'a' ESCAPE ''
        'a' LIKE 'a' ESCAPE 'ab'
        json('{')
        json_extract('{}','$[')
        json_set('{}','$.a',0,'$.b',1,'$.c.d[9]',2)
        x'0'
        total(1) OVER (ROWS BETWEEN -1 PRECEDING AND CURRENT ROW)
        nth_value(1,0) OVER ()
        lag(1,-9223372036854775808) OVER ()
        row_number() OVER (ORDER BY 1 RANGE BETWEEN 1e999 PRECEDING AND CURRENT ROW)
        sum(sum(1))
        raise(ABORT,'x')
        0x99999999999999999999
        soundex(hex(zeroblob(490000)))
        upper(hex(zeroblob(490000)))
        trim(hex(zeroblob(499999)),hex(randomblob(9)))
        sum(9223372036854775807) OVER (ORDER BY 1 ROWS 1 PRECEDING)
        sqrt(-1), ln(0), pow(1e300,2), acos(9), 0.0/0, 1e308*10-1e308*10
        char(55296,57343,65535), unicode(char(55296)), 'a'||char(0)||'b', CAST(x'610062' AS TEXT)
        date('-4713-11-24'), date('9999-12-31','+1 day'), date(1e18), date('now','weekday 9')
        date('now'), unixepoch(), julianday('now','utc'), strftime('%J','now','localtime'), current_timestamp
        0xffffffffffffffff, 9223372036854775808, -9223372036854775809, 1_000
        printf('%!.350f %+09.350e %#x %,d %q',1e-300,1e300,1,-9223372036854775808,)
        CAST(hex(zeroblob(499999)) AS NUMERIC)
    """):  # fmt: skip
        yield f"SELECT {expression}"
    yield "SELECT printf('%\0999999999d',1)"


Family = Callable[[], Iterator[str]]
OTHERS: tuple[Family, ...] = (
    nesting, long_texts, virtual_tables, writes, pragmas, reach, disguises, other_dialects, edges,
)  # fmt: skip
HONEST = lines("""
    SELECT '{"a":1}'->>'a'
    SELECT 1 AS "drop", 2 AS "delete", 3 AS "set"
    SELECT name FROM t ORDER BY name COLLATE NOCASE LIMIT 1
    SELECT 1 FROM t LEFT OUTER JOIN big USING(id) LIMIT 1
    SELECT count(*) FROM t FULL JOIN big USING(id)
    SELECT json_insert('{}','$.a',1)
    SELECT value FROM json_each('[1,2]')
    SELECT name FROM t WHERE name GLOB 'n1*' LIMIT 1
    SELECT * FROM t NOT INDEXED LIMIT 1
    SELECT id AS replace FROM t LIMIT 2,3
    SELECT 1 IS NOT DISTINCT FROM 1
    SELECT printf('%.2f', v), printf('%04d', id), printf('%.1f%% of 1000', v), printf('%d-2024', id) FROM t LIMIT 1
    SELECT sum(length(printf('%s-%05d', b, id))) FROM big
    SELECT "name", [name], `name` FROM t
    SELECT replace(name,'a','b') FROM t
    SELECT (1,2)=(1,2)
    SELECT 1;
    SELECT 1; -- done
    SELECT 1 /* ; */
    SELECT 1 UNION SELECT 2 ORDER BY 1
    SELECT * FROM (VALUES (1),(2))
    VALUES (1),(2)
    SELECT row_number() OVER w FROM t WINDOW w AS (ORDER BY id) LIMIT 1
    WITH x AS (SELECT * FROM t) SELECT count(*) FROM x
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100) SELECT sum(i) FROM n
    SELECT count(*) FROM ft
    SELECT count(*) FROM ft WHERE ft MATCH 'fox'
    SELECT snippet(ft,0,'<','>','',9) FROM ft WHERE ft MATCH 'fox' ORDER BY rank
    SELECT offsets(f4) FROM f4 WHERE f4 MATCH 'dog'
    SELECT count(*) FROM rt
    SELECT id FROM rt WHERE x0 > 3 AND x1 < 9
    SELECT strftime('%Y', '2026-01-02')
    SELECT * FROM sqlite_schema
    SELECT count(*) FROM big WHERE b LIKE '%1%'
""")


def statements(families: tuple[Family, ...] = LOADS + OTHERS) -> dict[str, str]:
    """Every statement of some families by its family and number: ``"spills 7"``."""
    return {f"{family.__name__} {i}": sql for family in families for i, sql in enumerate(family())}
