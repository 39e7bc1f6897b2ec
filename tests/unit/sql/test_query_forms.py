import json
from collections import defaultdict

import pytest
import sqlglot

from course_utils.errors import QueryError
from course_utils.files import PROJECT
from course_utils.sql.query_forms import canonical, clean_query, has_top_level_order, parse, shape_of, skeleton

SAME = [
    ("select name from shop", "SELECT name\nFROM shop;"),
    ("SELECT Name FROM Shop -- all", "SELECT name FROM shop"),
    ("; -- all\n; SELECT name FROM shop", "SELECT name FROM shop"),
    ("SELECT a FROM t WHERE b == 1 AND c != 2", "SELECT a FROM t WHERE b = 1 AND c <> 2"),
    ("SELECT count( * ) FROM shop", "SELECT COUNT(*) FROM shop"),
    ('SELECT name FROM shop WHERE city = "Lyon"', "SELECT name FROM shop WHERE city = 'Lyon'"),
    ("SELECT `name` FROM [shop]", "SELECT name FROM shop"),
    ('SELECT a FROM t WHERE b IN ("x", UPPER("y"), "z")', "SELECT a FROM t WHERE b IN ('x', UPPER('y'), 'z')"),
    ('SELECT a FROM t WHERE b BETWEEN "x" AND "y"', "SELECT a FROM t WHERE b BETWEEN 'x' AND 'y'"),
]
DIFFERENT = [
    ("SELECT name FROM shop", "SELECT city FROM shop"),
    ("SELECT name FROM shop LIMIT 1", "SELECT name FROM shop LIMIT 2"),
    ("SELECT name FROM shop WHERE city = 'Lyon'", "SELECT name FROM shop WHERE city = 'lyon'"),
    ("SELECT 'a b'", "SELECT 'a  b'"),
    ('SELECT a FROM t WHERE b IN (SELECT c, "x" FROM u)', "SELECT a FROM t WHERE b IN (SELECT c, 'x' FROM u)"),
    ("SELECT `1 + 2` FROM t", "SELECT 1 + 2 FROM t"),
    ('SELECT a FROM t WHERE b = "x".c', "SELECT a FROM t WHERE b = 'x'.c"),
    ("SELECT name FROM shop ORDER BY a ASC", "SELECT name FROM shop ORDER BY a DESC"),
]
SHAPES = {
    "SELECT T1.name FROM shop AS T1 WHERE T1.city = 'Lyon'": "SELECT _ FROM _ WHERE _ = ?",
    "SELECT n.name x FROM shop n": "SELECT _ FROM _",
    "SELECT COUNT(DISTINCT city) AS n FROM shop": "SELECT COUNT ( DISTINCT _ ) FROM _",
    "SELECT date, year FROM event WHERE index > 3.5e2": "SELECT _ , _ FROM _ WHERE _ > ?",
    "WITH a AS (SELECT 1) SELECT * FROM a": "WITH _ AS ( SELECT ? ) SELECT * FROM _",
    "SELECT \"a 1\" FROM [t 2] WHERE `b 3` = 'it''s' AND t2.c = ''": "SELECT _ FROM _ WHERE _ = ? AND _ = ?",
    "SELECT a -- 'not a string\nFROM t WHERE b = x'0AF1'": "SELECT _ FROM _ WHERE _ = ?",
    "SELECT a FROM t WHERE b IN (SELECT c FROM u)": "SELECT _ FROM _ WHERE _ IN ( SELECT _ FROM _ )",
}


@pytest.mark.parametrize(("first", "second"), [*SAME, *DIFFERENT])
def test_ways_of_writing_do_not_matter_and_what_a_query_says_does(first: str, second: str) -> None:
    assert (canonical(first) == canonical(second)) == ((first, second) in SAME)


@pytest.mark.parametrize("query", SHAPES)
def test_a_skeleton_has_neither_names_nor_values_nor_aliases(query: str) -> None:
    assert skeleton(query) == SHAPES[query]


def test_queries_with_one_canonical_form_have_one_tree() -> None:
    """Against sqlglot's parser, which the tokens do without."""
    rows = [json.loads(line) for line in (PROJECT / "data" / "test.jsonl").read_text("utf-8").splitlines()]
    trees = defaultdict(set)
    for query in [row["query"] for row in rows] + [row["query"].lower() for row in rows]:
        trees[canonical(query)].add(sqlglot.parse_one(canonical(query), dialect="sqlite"))
        if "'" not in query and '"' not in query:  # otherwise lower() changed a value
            trees[canonical(query)].add(sqlglot.parse_one(query.lower(), dialect="sqlite"))
    assert all(len(same) == 1 for same in trees.values())


@pytest.mark.parametrize(
    "query", ["", "SELECT 'open", "not  sql at all", "SELECT \x00", ";;", 'SELECT "a, [b; `c(', ') "a"']
)
def test_what_does_not_parse_has_forms_too(query: str) -> None:
    assert isinstance(canonical(query), str)
    assert isinstance(skeleton(query), str)


@pytest.mark.parametrize(
    ("query", "is_ordered"),
    [
        ("select name from shop order by id", True),
        ("SELECT name FROM (SELECT name FROM shop ORDER BY id)", False),
        ("SELECT name FROM shop; SELECT name FROM shop ORDER BY id", False),
        ("SELECT \"order\", 'ORDER BY' FROM shop -- ORDER BY id", False),
    ],
)
def test_an_order_counts_outside_all_parentheses(query: str, is_ordered: bool) -> None:
    assert has_top_level_order(query) == is_ordered


def test_spaces_inside_a_query_are_data() -> None:
    assert clean_query(" ; SELECT 'a  b' ; ; ") == "SELECT 'a  b'"


@pytest.mark.parametrize(
    "query", ["; SELECT 1", "-- a;\n;; /* b */ ; SELECT 1", "SELECT 1; -- c", ";SELECT 1;;/* d */;"]
)
def test_semicolons_and_comments_are_no_queries(query: str) -> None:
    assert parse(query) == parse("SELECT 1")
    with pytest.raises(QueryError, match="finds 2 queries"):
        parse(f"{query}\n; SELECT 2")


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        ("SELECT name FROM item WHERE name = 'SELECT max( JOIN'", "one table"),
        ("SELECT count(*) FROM item", "aggregate"),
        ("SELECT name, count(*) FROM item GROUP  BY name", "groups"),
        ("SELECT a.x, max(b.y) FROM a join b ON a.id = b.id GROUP BY 1", "join"),
        ("SELECT x FROM a\nWHERE x IN (SELECT y FROM b)", "several queries"),
        ("SELECT max FROM item -- join (select)", "one table"),
        ("", "one table"),
    ],
)
def test_a_shape_is_read_off_the_keywords(query: str, shape: str) -> None:
    assert shape_of(query) == shape


@pytest.mark.parametrize("reply", ["SHOW TABLES", "EXPLAIN SELECT 1", "CALL x()", "SELECT * FROM t AS x (a, b)"])
def test_what_is_no_query_of_sqlite_is_parsed_without_a_warning(reply: str, caplog: pytest.LogCaptureFixture) -> None:
    parse(reply).sql("sqlite")
    assert not caplog.records
