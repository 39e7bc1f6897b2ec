import sqlite3
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.errors import QueryError
from course_utils.evaluation.execution import has_top_level_order, judge, same_rows

SHOP = """
CREATE TABLE item (id integer, name text, price real);
INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', 2.5), (3, 'pad', 0.3), (4, 'pen', 1.5);
"""
NAMES = "SELECT name FROM item"

values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, width=32),
    st.text(max_size=3),
    st.binary(max_size=2),
)
results = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[values] * width), max_size=8))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(SHOP)
    connection.close()
    return path


@settings(deadline=None)
@given(results, st.randoms())
def test_row_order_never_matters_without_order_by(rows: list[tuple[object, ...]], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert same_rows(rows, shuffled)
    assert same_rows(rows, shuffled, ordered=True) == (rows == shuffled)


@settings(deadline=None)
@given(results, st.randoms())
def test_tiny_float_errors_never_matter(rows: list[tuple[object, ...]], random: Random) -> None:
    def nudge(value: object) -> object:
        return value * (1 + 1e-14) if isinstance(value, float) else value

    nudged = [tuple(map(nudge, row)) for row in rows]
    assert same_rows(rows, nudged, ordered=True)
    random.shuffle(nudged)
    assert same_rows(rows, nudged)


@settings(deadline=None)
@given(results.filter(bool))
def test_a_row_more_or_less_always_matters(rows: list[tuple[object, ...]]) -> None:
    assert not same_rows(rows, rows[1:])
    assert not same_rows(rows, [*rows, rows[0]])


@pytest.mark.parametrize(
    ("gold", "found", "same"),
    [
        ([(0.1 + 0.2,)], [(0.3,)], True),
        ([(2,)], [(2.0,)], True),
        ([(2**53 + 1,)], [(2**53,)], False),
        ([(1_000_000_001,)], [(1_000_000_002,)], False),
        ([(0.3,)], [(0.3001,)], False),
        ([("2",)], [(2,)], False),
        ([(None,)], [(0,)], False),
        ([(None,)], [("",)], False),
        ([(None,)], [(None,)], True),
        ([("a",)], [("A",)], False),
        ([(b"a",)], [("a",)], False),
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], False),
        ([(0.0, 5), (1e-17, 3)], [(0.0, 3), (0.0, 5)], True),
        ([(0.1 + 0.2, "b"), (0.3, "a")], [(0.3, "b"), (0.3, "a")], True),
        ([(None, 1), (1, None)], [(1, None), (None, 1)], True),
        ([(float("inf"),)], [(float("inf"),)], True),
        ([], [], True),
    ],
)
def test_what_counts_as_the_same(gold: list[tuple[object, ...]], found: list[tuple[object, ...]], same: bool) -> None:
    assert same_rows(gold, found) is same
    assert same_rows(found, gold) is same


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("SELECT name FROM item ORDER BY price", True),
        ("SELECT name FROM item ORDER BY price LIMIT 1;", True),
        ("SELECT name FROM item UNION SELECT 'x' ORDER BY 1", True),
        ("WITH cheap AS (SELECT * FROM item) SELECT name FROM cheap ORDER BY price", True),
        ("SELECT name FROM (SELECT * FROM item ORDER BY price)", False),
        ("SELECT name FROM item WHERE id = (SELECT id FROM item ORDER BY price LIMIT 1)", False),
        ("SELECT row_number() OVER (ORDER BY price) FROM item", False),
        ("SELECT 'order by' FROM item", False),
        ("SELECT FROM WHERE (", False),
    ],
)
def test_only_a_top_level_order_counts(query: str, ordered: bool) -> None:
    assert has_top_level_order(query) is ordered


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        (NAMES, "SELECT i.name FROM item AS i ORDER BY i.id DESC"),
        ("SELECT sum(price) FROM item WHERE id > 2", "SELECT 0.3 + 1.5"),
        ("SELECT name, count(*) FROM item GROUP BY name", "SELECT name, sum(1) AS n FROM item GROUP BY 1 ORDER BY 2"),
        ("SELECT DISTINCT name FROM item ORDER BY price", "SELECT name FROM item GROUP BY name ORDER BY min(price)"),
    ],
)
def test_another_way_to_say_it_is_right(shop: Path, gold: str, predicted: str) -> None:
    verdict = judge(shop, gold, predicted)
    assert (verdict.correct, verdict.valid, verdict.problem) == (True, True, "")


@pytest.mark.parametrize(
    ("gold", "predicted", "valid", "problem"),
    [
        (NAMES, "SELECT DISTINCT name FROM item", True, "wrong number of rows"),
        (NAMES, "SELECT name, id FROM item", True, "wrong number of columns"),
        (NAMES, "SELECT id FROM item", True, "wrong rows"),
        (f"{NAMES} ORDER BY id", f"{NAMES} ORDER BY id DESC", True, "rows in another order"),
        ("SELECT name, id FROM item", "SELECT id, name FROM item", True, "columns in another order"),
        (NAMES, "SELECT nam FROM item", False, "no such column"),
        (NAMES, "SELECT name FROM items", False, "no such table"),
        (NAMES, "SELECT nam(name) FROM item", False, "no such function"),
        (NAMES, "SELECT name FROM item a JOIN item b", False, "ambiguous column"),
        (NAMES, "SELEC name FROM item", False, "syntax error"),
        (NAMES, "SELECT (name FROM item", False, "syntax error"),
        (NAMES, "SELECT 'name FROM item", False, "syntax error"),
        (NAMES, "SELECT (name", False, "syntax error"),
        (NAMES, "SELECT name FROM item WHERE sum(price) > 1", False, "misused aggregate"),
        (NAMES, "SELECT name FROM item UNION SELECT 1, 2", False, "unequal parts of a union"),
        (NAMES, "SELECT 1; SELECT 2", False, "several statements"),
        (NAMES, "DELETE FROM item", False, "not read-only"),
        (NAMES, "", False, "empty reply"),
    ],
)
def test_what_went_wrong_is_named(shop: Path, gold: str, predicted: str, valid: bool, problem: str) -> None:
    verdict = judge(shop, gold, predicted)
    assert (verdict.correct, verdict.valid, verdict.problem) == (False, valid, problem)
    assert verdict.detail
    assert predicted == "" or predicted not in verdict.detail


@pytest.mark.parametrize(
    ("gold", "empty"),
    [("SELECT id FROM item WHERE id > 9", True), ("SELECT avg(price) FROM item WHERE id > 9", True), (NAMES, False)],
)
def test_a_gold_that_returns_nothing_is_marked(shop: Path, gold: str, empty: bool) -> None:
    assert judge(shop, gold, gold).gold_is_empty is empty


def test_truncated_results_compare_their_first_rows_in_order(shop: Path) -> None:
    same = judge(shop, NAMES, "SELECT name FROM item ORDER BY id", max_rows=2)
    other = judge(shop, NAMES, "SELECT name FROM item ORDER BY id DESC", max_rows=2)
    shorter = judge(shop, NAMES, "SELECT name FROM item LIMIT 2", max_rows=2)
    assert [(v.correct, v.truncated) for v in (same, other, shorter)] == [(True, True), (False, True), (False, True)]
    assert shorter.problem == "wrong number of rows"


@pytest.mark.parametrize(
    "predicted", ["SELECT '\ud800'", "SELECT name\0 FROM item", "(" * 5_000, "\N{OGHAM SPACE MARK}"]
)
def test_garbage_is_only_wrong(shop: Path, predicted: str) -> None:
    verdict = judge(shop, NAMES, predicted)
    assert (verdict.correct, verdict.valid) == (False, False)


def test_a_gold_that_fails_is_an_error_not_a_verdict(shop: Path) -> None:
    with pytest.raises(QueryError, match="no such column: nam"):
        judge(shop, "SELECT nam FROM item", NAMES)
