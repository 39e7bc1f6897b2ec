"""Clauses are told apart as the makers of the course's wrong queries name their mistakes; each error has one kind."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.errors import QueryError
from course_utils.evaluation import score_predictions
from course_utils.evaluation.clauses import CLAUSES, KINDS, compare_clauses, error_kind, mark_changes, show_error
from course_utils.files import PROJECT, Row, read_jsonl
from tests.sqlite_files import write_database

PAIRS = read_jsonl(PROJECT / "data" / "preferences.jsonl")[::3]
CLAUSE_OF = {
    "missing-condition": "condition",
    "missing-distinct": "aggregate",
    "missing-group": "aggregate",
    "missing-join": "join",
    "missing-negation": "condition",
    "missing-order": "order",
    "wrong-aggregate": "aggregate",
    "wrong-column": "column",
    "wrong-comparison": "condition",
    "wrong-connective": "condition",
    "wrong-direction": "order",
    "wrong-join-key": "join",
    "wrong-limit": "order",
    "wrong-literal-case": "value",
    "wrong-set-operation": "join",
    "wrong-table": "table",
    "wrong-value": "value",
}
"""The clause that each reason for a rejection names; others concern several or none."""


def parted(gold: str, predicted: str) -> list[str] | None:
    found = compare_clauses(gold, predicted)
    return None if found is None else [clause for clause, match in found.items() if any(match)]


def test_a_known_mistake_is_found_in_its_clause() -> None:
    named = [pair for pair in PAIRS if pair["reason"] in CLAUSE_OF]
    missed = [
        pair for pair in named if CLAUSE_OF[pair["reason"]] not in (parted(pair["chosen"], pair["rejected"]) or [])
    ]
    assert {pair["reason"] for pair in named} == set(CLAUSE_OF)
    # A constant may also stand in the SELECT, and a condition in an aggregate's FILTER.
    assert len(missed) <= 0.02 * len(named), missed


def test_a_query_does_not_part_from_itself() -> None:
    for pair in PAIRS[::5]:
        found = compare_clauses(pair["chosen"], pair["chosen"])
        assert found is not None
        assert list(found) == [clause for clause in CLAUSES if clause in found]
        assert not any(map(any, found.values()))


@pytest.mark.parametrize(
    ("gold", "other"),
    [
        ("SELECT name FROM singer WHERE age > 30", "select S.Name AS n from Singer S where s.AGE > 30"),
        ("SELECT a.x FROM a JOIN b ON a.k = b.k", "SELECT T1.x FROM a AS T1 INNER JOIN b AS T2 ON T2.k = T1.k"),
        ("SELECT a FROM t WHERE b = 'x' AND c = 1", 'SELECT a FROM t WHERE 1 = c AND (b = "x")'),
        ("SELECT a FROM t ORDER BY a, b DESC", "SELECT a FROM t ORDER BY a ASC, b DESC"),
        (
            "SELECT a, COUNT(*) FROM t GROUP BY a ORDER BY COUNT(*)",
            "SELECT a, COUNT(*) AS N FROM t GROUP BY a ORDER BY n",
        ),
        (
            "SELECT SUBSTR(t.d, 1, 4), SUM(t.x) AS s FROM t GROUP BY SUBSTR(t.d, 1, 4) HAVING s > 3",
            "SELECT SUBSTR(d, 1, 4) AS year, SUM(x) FROM t GROUP BY year HAVING SUM(x) > 3",
        ),
        (
            "SELECT UPPER(name), MAX(age) FROM t GROUP BY name HAVING age > 3",
            "SELECT UPPER(name) AS name, MAX(age) AS age FROM t GROUP BY name HAVING age > 3",
        ),
        ("SELECT a AS n FROM t UNION SELECT b FROM t ORDER BY n", "SELECT a FROM t UNION SELECT b FROM t ORDER BY a"),
        (
            "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u z WHERE z.k = t.k)",
            "SELECT t.a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k)",
        ),
    ],
)
def test_other_spellings_do_not_part(gold: str, other: str) -> None:
    assert parted(gold, other) == []


@pytest.mark.parametrize(
    ("gold", "predicted", "clause", "missing", "added"),
    [
        ("SELECT a FROM t WHERE b > 3", "SELECT a FROM t WHERE b < 3", "condition", ("b > ?",), ("b < ?",)),
        ("SELECT a FROM t WHERE b > 3", "SELECT a FROM t WHERE b > 4", "value", ("3",), ("4",)),
        ("SELECT x.n FROM x JOIN y", "SELECT y.n FROM x JOIN y", "column", ("x.n",), ("y.n",)),
        ("SELECT a FROM t", "SELECT a FROM t ORDER BY a LIMIT 2", "order", (), ("ORDER BY a", "LIMIT 2")),
        ("SELECT (SELECT a WHERE b = 1)", "SELECT (SELECT a WHERE c = 1)", "condition", ("? = b",), ("? = c",)),
    ],
)  # fmt: skip
def test_the_parts_that_differ_are_named(
    gold: str, predicted: str, clause: str, missing: object, added: object
) -> None:
    found = compare_clauses(gold, predicted)
    assert found is not None
    assert {name: match for name, match in found.items() if any(match)} == {clause: (missing, added)}


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("WITH cheap AS (SELECT a FROM item) SELECT a FROM Cheap", {"item"}),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n JOIN item", {"item"}),
        ("SELECT a FROM (WITH b AS (SELECT a FROM item), c AS (SELECT a FROM b) SELECT a FROM c) AS d", {"item"}),
    ],
)
def test_what_a_query_names_itself_is_no_table(query: str, tables: set[str]) -> None:
    found = compare_clauses(query, "SELECT 1")
    assert found is not None
    assert set(found["table"].missing) == tables


@pytest.mark.parametrize(
    "predicted",
    [
        *("", "To find the answer, look at the names.", "DELETE FROM t", "SELECT 1; SELECT 2", "SELECT " + "(" * 3000),
        *("SELECT a, COUNT(* UNION SELECT) FROM t", "SELECT a FROM (SELECT LATERAL x . )"),  # which sqlglot parses
    ],
)
def test_what_is_no_single_query_has_no_clauses(predicted: str) -> None:
    assert parted("SELECT a FROM t", predicted) is None


@pytest.mark.parametrize("glue", [" IS ", "=", ".", " OR ", " UNION SELECT "])
@pytest.mark.parametrize("n", [2_000, 200_000])
def test_a_query_that_repeats_itself_without_end_takes_neither_minutes_nor_the_stack(glue: str, n: int) -> None:
    began = time.perf_counter()
    assert parted("SELECT a FROM t", f"SELECT {glue.join('a' * n)}") is None
    assert time.perf_counter() - began < 3


GOLD = "SELECT singer.name FROM singer JOIN song ON song.singer = singer.id WHERE song.year > 2000"
KIND_BY_PREDICTION = {
    GOLD: "right",
    "The singers of songs.": "invalid",
    "SELECT name FROM WHERE": "invalid",
    "SELECT singer.name FROM singer JOIN album ON album.singer = singer.id WHERE album.year > 2000": "table",
    "SELECT name FROM singer": "join",
    "SELECT singer.name FROM singer JOIN song ON song.id = singer.id WHERE song.year > 2000": "join",
    "SELECT song.year FROM singer JOIN song ON song.singer = singer.id WHERE song.year > 2000": "column",
    "SELECT singer.name FROM singer JOIN song ON song.singer = singer.id WHERE song.year < 2000": "condition",
    "SELECT singer.name FROM singer JOIN song ON song.singer = singer.id WHERE song.year > 1990": "value",
    f"{GOLD} AND singer.name = 'Ana'": "extra",
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_database(
        tmp_path / "databases" / "music" / "music.sqlite",
        """CREATE TABLE singer (id INTEGER, name TEXT); INSERT INTO singer VALUES (1, 'Ana'), (2, 'Ben'), (3, '<b>');
        CREATE TABLE song (id INTEGER, singer INTEGER, year INTEGER);
        INSERT INTO song VALUES (2, 1, 1995), (1, 2, 2005), (3, 3, 2010);""",
    )
    return tmp_path


def rows(*predictions: str, gold: str = GOLD) -> list[Row]:
    return [
        {"id": str(number), "db_id": "music", "question": "Who <i>?", "query": gold, "predicted": predicted}
        for number, predicted in enumerate(predictions)
    ]


def test_each_mistake_has_its_kind(dataset: Path) -> None:
    scores = score_predictions(rows(*KIND_BY_PREDICTION), dataset)
    assert {str(outcome.row["predicted"]): error_kind(outcome) for outcome in scores.outcomes} == KIND_BY_PREDICTION
    slow = replace(scores.outcomes[1].verdict, found=QueryError("too slow", "timeout"))
    assert error_kind(scores.outcomes[1]._replace(verdict=slow)) == "timeout"
    assert {*KIND_BY_PREDICTION.values(), "timeout", "aggregate", "order"} == set(KINDS)


def test_swapped_columns_are_of_the_columns(dataset: Path) -> None:
    (outcome,) = score_predictions(
        rows("SELECT name, id FROM singer", gold="SELECT id, name FROM singer"), dataset
    ).outcomes
    assert error_kind(outcome) == "column"


def test_a_wrong_answer_is_shown_with_what_both_queries_return(dataset: Path) -> None:
    wrong, fails = score_predictions(rows("SELECT name FROM singer", "SELECT nam FROM singer"), dataset).outcomes
    page = show_error(wrong, dataset)
    assert "music: Who &lt;i&gt;?" in page
    assert "<del> JOIN song" in page
    assert "[(&#x27;Ben&#x27;,), (&#x27;&lt;b&gt;&#x27;,)]" in page
    assert "<b>" not in page
    assert "no such column: nam" in show_error(fails, dataset)


def test_changes_are_marked_word_by_word() -> None:
    marked = mark_changes("SELECT a FROM t WHERE b = 'New York'", "SELECT a FROM t WHERE b = '<York>'")
    assert marked == "SELECT a FROM t WHERE b = <del>&#x27;New York&#x27;</del><ins>&#x27;&lt;York&gt;&#x27;</ins>"


def test_long_queries_that_repeat_themselves_are_marked_soon() -> None:
    began = time.perf_counter()
    assert "<del>" in mark_changes("SELECT a " * 400, "SELECT b " * 400)
    assert time.perf_counter() - began < 3


def test_names_of_columns_that_hold_each_other_take_little_time() -> None:
    nested = "a30"
    for level in range(30, 0, -1):
        nested = f"(SELECT a{level - 1} + a{level - 1} AS a{level} FROM t ORDER BY {nested})"
    flat = f"SELECT max({', '.join('x' * 500)}) AS a FROM t ORDER BY {', '.join('a' * 500)}"
    began = time.process_time()
    for query in (f"SELECT x AS a0 FROM t ORDER BY {nested}", flat):
        compare_clauses(query, query)
    assert time.process_time() - began < 5
