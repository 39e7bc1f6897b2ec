"""The one rule for what is the same answer."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from course_utils.errors import QueryError
from course_utils.sql import (
    QueryLimits,
    QueryPair,
    QueryResult,
    compare,
    find_difference,
    same_answer,
    same_rows,
    worker,
)
from course_utils.sql.compare import (
    MAX_COMPARED_ROWS,
    AnswerComparison,
    compare_answers,
    compare_pairs,
)
from course_utils.sql.execute import execute
from course_utils.sql.opening import open_image
from course_utils.sql.query_forms import has_top_level_order
from course_utils.sql.worker import limit_time, run_each

NAMES = "SELECT name FROM item"

values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, width=32),
    st.text(max_size=3),
    st.binary(max_size=2),
)
results = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[values] * width), max_size=8))


@pytest.mark.parametrize(
    ("query", "other", "same"),
    [
        (NAMES, f"{NAMES} ORDER BY id DESC", True),
        (f"{NAMES} ORDER BY id", f"{NAMES} ORDER BY id DESC", False),
        (f"{NAMES} ORDER BY id", "SELECT i.name FROM item AS i ORDER BY i.id", True),
        (NAMES, "SELECT DISTINCT name FROM item", False),
        (NAMES, "SELECT name, id FROM item", False),
        ("SELECT SUM(price) FROM item WHERE id > 2", "SELECT 0.3 + 1.5", True),
        (f"{NAMES} WHERE id > 9", f"{NAMES} WHERE id < 0", True),
        (f"{NAMES} WHERE id > 9", "SELECT name, id FROM item WHERE id > 9", False),
        (f"{NAMES} WHERE name = 'pen'", f"{NAMES} WHERE name = 'Pen'", False),
        ("SELECT CAST(x'c3' AS TEXT)", "SELECT CAST(x'c4' AS TEXT)", False),
        ("SELECT random()", "SELECT random()", True),
        ("SELECT random()", "SELECT  random()", False),
    ],
)
def test_the_answer_counts_and_not_the_text(shop: Path, query: str, other: str, same: bool) -> None:
    assert same_answer(shop, query, other) is same


def test_a_query_that_fails_is_no_answer(shop: Path) -> None:
    with pytest.raises(QueryError, match="no such column: nam"):
        same_answer(shop, NAMES, "SELECT nam FROM item")


def cut(rows: list[tuple[object, ...]], *, truncated: bool = True) -> QueryResult:
    return QueryResult(("name",), rows, 0.0, truncated)


def test_results_longer_than_what_was_fetched_compare_their_first_rows_in_order() -> None:
    rows = [("pen",), ("ink",)]
    assert find_difference(cut(rows), cut(rows), NAMES) is None
    assert find_difference(cut(rows), cut(rows[::-1]), NAMES) == "rows in another order"
    assert find_difference(cut(rows), cut(rows, truncated=False), NAMES) == "wrong number of rows"


def test_more_rows_than_a_query_usually_returns_are_compared_in_any_order(shop: Path) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i FROM n"
    assert same_answer(shop, numbers, f"{numbers} ORDER BY i DESC")
    assert not same_answer(shop, numbers, f"{numbers} WHERE i > 1 UNION ALL SELECT 0")


@settings(deadline=None)
@given(results, st.randoms())
def test_row_order_never_matters_without_order_by(rows: list[tuple[object, ...]], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert same_rows(rows, shuffled)
    # Not ``rows == shuffled``: 1e-26 is no 0 in Python, and nothing but a rounding error here.
    each = [same_rows([row], [other]) for row, other in zip(rows, shuffled, strict=True)]
    assert same_rows(rows, shuffled, ordered=True) == all(each)


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
        # A hair's breadth in one column must not decide over the next, nor a rounding's edge over the pairs.
        ([(0.1 + 0.2, 3), (0.3, 5)], [(0.3, 3), (0.3, 5)], True),
        ([(0.1 + 0.2, 5551234567), (0.3, 5551234568)], [(0.3, 5551234567), (0.3, 5551234568)], True),
        ([(1.0000005,), (1.0000005000001,)], [(1.0000004999999,), (1.0000005,)], True),
        ([(1700000000.0,), (1700000001.0,), (1700000002.0,)], [(1700000000.0,), (1700000000.5,), (1.0,)], False),
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
        ("SELECT name FROM item ORDER BY price; -- cheapest first", True),
        ("-- cheapest first\nSELECT name FROM item ORDER BY price;;", True),
        ("; SELECT name FROM item ORDER BY price", True),
        (" -- cheapest;\n;; /* ; */ ; SELECT name FROM item ORDER BY price", True),
        ("; SELECT 1 FROM item; SELECT 2 FROM item ORDER BY 1", False),
        ("SELECT name FROM item UNION SELECT 'x' ORDER BY 1", True),
        ("WITH cheap AS (SELECT * FROM item) SELECT name FROM cheap ORDER BY price", True),
        ("SELECT name FROM (SELECT * FROM item ORDER BY price)", False),
        ("SELECT name FROM item WHERE id = (SELECT id FROM item ORDER BY price LIMIT 1)", False),
        ("SELECT row_number() OVER (ORDER BY price) FROM item", False),
        ("SELECT 'order by' FROM item", False),
        ("SELECT FROM WHERE (", False),
        ("-- nothing", False),
        (f"SELECT {'(' * 60}1{')' * 60} ORDER BY 1", True),  # deeper than sqlglot's parser goes
        ("SELECT 1 FROM item; SELECT 2 FROM item ORDER BY 1", False),
    ],
)
def test_only_a_top_level_order_counts(query: str, ordered: bool) -> None:
    assert has_top_level_order(query) is ordered


NEAR = [0.3, 0.1 + 0.2, 0.3 - 1e-15, 1.0000005, 1.0000005 + 1e-15, 5551234567, 5551234568]
CHAIN = [10**12, 10**12 + 1, 1e12 + 3, 2.0, 2.0 + 1.5e-9, 2.0 + 3e-9]  # each is the same as its neighbours alone
noisy = st.sampled_from([*NEAR, *CHAIN, "a", None])
noisy_results = st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[noisy] * width), max_size=4))


@settings(deadline=None)
@example([(10**12,), (10**12,), (1e12 + 3,)], [(10**12,), (10**12 + 1,), (1e12 + 3,)], Random(0))
@given(noisy_results, noisy_results, st.randoms())
def test_rows_pair_wherever_some_order_pairs_them(
    gold: list[tuple[object, ...]], other: list[tuple[object, ...]], random: Random
) -> None:
    swap = {0.3: 0.1 + 0.2, 0.1 + 0.2: 0.3 - 1e-15, 1.0000005: 1.0000005 + 1e-15}
    nudged = [tuple(swap.get(value, value) for value in row) for row in gold]  # type: ignore[call-overload]
    for found in (other, random.sample(nudged, len(nudged))):
        wanted = any(same_rows(gold, list(order), ordered=True) for order in permutations(found))
        assert same_rows(gold, found) is wanted


# Many pairs, and further instances


def test_many_pairs_get_what_each_gets_alone_and_a_death_costs_one_of_them(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "AT_ONCE", 3)
    deadly = f"SELECT {'printf(' * 30}'%.*c', 900000, 'x'{')' * 30}, {'hex(' * 9}zeroblob(900000){')' * 9}"
    others = [NAMES, f"{NAMES} WHERE id > 1", "SELECT nam FROM item", deadly, "", f"{NAMES} ORDER BY id DESC"]
    pairs = [QueryPair(NAMES, other) for other in others] + [QueryPair("SELECT nam FROM item", NAMES)]
    *compared, failed = compare_pairs(shop, pairs)
    assert [isinstance(each, AnswerComparison) and each.difference for each in compared] == [
        None, "wrong number of rows", None, None, None, None
    ]  # fmt: skip
    kinds = [isinstance(each, AnswerComparison) and getattr(each.found, "kind", "") for each in compared]
    assert kinds == ["", "", "no such column", "too large", "syntax", ""]
    assert isinstance(failed, QueryError)


def test_where_each_query_lives_alone_the_comparison_died(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die_of_two(function: Any, database: Path, items: list[QueryPair]) -> Iterator[Any]:
        for pair in items:
            died = worker.WorkerDiedError("died", "timeout")
            yield from run_each(function, database, items=[pair]) if pair.gold == pair.other else [died]

    monkeypatch.setattr(compare, "run_each", die_of_two)
    compared = compare_answers(shop, NAMES, f"{NAMES} ORDER BY id")
    assert (compared.valid, compared.correct, compared.failure) == (True, False, "too much to compare")
    assert compare_answers(shop, NAMES, "SELECT nam FROM item").failure == "no such column"


@pytest.fixture(scope="module")
def instances() -> tuple[bytes, ...]:
    images = []
    for rows in ("(9, 'pen', 2.0)", "(9, 'pen', 2.0), (8, 'pen', 2.0)"):
        connection = sqlite3.connect(":memory:")
        connection.executescript(
            f"CREATE TABLE item (id integer, name text, price real); INSERT INTO item VALUES {rows}"
        )
        images.append(connection.serialize())
        connection.close()
    return tuple(images)


@pytest.mark.parametrize(
    ("gold", "other", "number"),
    [
        ("SELECT DISTINCT name FROM item", "SELECT name FROM item GROUP BY name", 0),
        ("SELECT DISTINCT name FROM item WHERE id > 2", "SELECT name FROM item WHERE id > 2", 2),
        (f"{NAMES} WHERE id > 2", f"{NAMES} WHERE id IN (3, 4)", 1),
        ("SELECT 1", "SELECT 1 + 0 * abs(-9223372036854775807 - (count(*) = 2)) FROM item", 2),  # it overflows there
    ],
)
def test_a_further_instance_refutes_what_is_right_by_luck(
    shop: Path, instances: tuple[bytes, ...], gold: str, other: str, number: int
) -> None:
    assert same_answer(shop, gold, other)
    assert compare_answers(shop, gold, other, instances=instances).refuted_by == number


def test_an_instance_on_which_the_worker_dies_refutes(shop: Path, instances: tuple[bytes, ...]) -> None:
    texts = "WITH RECURSIVE n(text) AS (SELECT '' UNION ALL SELECT hex(randomblob(400000)) FROM n LIMIT 900)"
    deadly = f"SELECT count(*) FROM ({texts} SELECT text FROM n ORDER BY text)"
    other = f"SELECT CASE count(*) WHEN 2 THEN ({deadly}) ELSE 1 END FROM item"
    found = compare_answers(shop, "SELECT 1", other, instances=instances)
    assert (found.correct, found.refuted_by, found.n_instances) == (True, 2, 3)


def test_a_slow_query_costs_its_time_once_however_many_instances(
    shop: Path, instances: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) SELECT max(i) FROM n"
    began = time.perf_counter()
    same_answer(shop, slow.format(10**6), slow.format(10**6) + " WHERE 1")
    once = (time.perf_counter() - began) / 2
    monkeypatch.setattr("course_utils.sql.execute.limit_time", lambda _: None)  # or it might end this process
    monkeypatch.setattr(compare, "TIMEOUT_S", 6 * once)  # a busy machine may need twice the time
    (found,) = compare._compare(shop, [QueryPair("SELECT 1000000", slow.format(10**6), instances * 12)])
    limit_time(0)
    assert isinstance(found, AnswerComparison)
    assert 1 < found.refuted_by < 12 * len(instances)


def test_a_query_that_does_not_end_is_run_once_for_all_golds(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def watched(connection: sqlite3.Connection, query: str, limits: QueryLimits) -> QueryResult:
        ran.append(query)
        return execute(connection, query, limits)

    monkeypatch.setattr("course_utils.sql.execute.limit_time", lambda _: None)
    monkeypatch.setattr(compare, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(compare, "execute", watched)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    golds = [NAMES, f"{NAMES} WHERE id > 1", f"{NAMES} WHERE id > 2"]
    found = [*compare._compare(shop, [QueryPair(gold, endless) for gold in golds])]
    limit_time(0)
    assert [isinstance(each, AnswerComparison) and each.failure for each in found] == ["timeout"] * 3
    assert sorted(ran) == sorted([*golds, endless])


def test_nothing_is_written_to_an_instance(shop: Path, instances: tuple[bytes, ...]) -> None:
    with closing(open_image(instances[0])) as connection:
        for statement in ("DELETE FROM item", "ATTACH ':memory:' AS x", "PRAGMA reverse_unordered_selects = 1"):
            with pytest.raises(QueryError) as caught:
                execute(connection, statement, QueryLimits(1, 10))
            assert caught.value.kind in ("not allowed", "syntax")
        assert execute(connection, "SELECT count(*) FROM item", QueryLimits(1, 10)).rows == [(1,)]
    limit_time(0)


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
    verdict = compare_answers(shop, gold, predicted)
    assert (verdict.correct, verdict.valid, verdict.failure) == (True, True, "")


@pytest.mark.parametrize(
    ("gold", "predicted", "valid", "failure"),
    [
        (NAMES, "SELECT DISTINCT name FROM item", True, "wrong number of rows"),
        (NAMES, "SELECT name, id FROM item", True, "wrong number of columns"),
        (NAMES, "SELECT id FROM item", True, "wrong rows"),
        (f"{NAMES} ORDER BY id", f"{NAMES} ORDER BY id DESC", True, "rows in another order"),
        ("SELECT name, id FROM item", "SELECT id, name FROM item", True, "wrong rows"),
        (NAMES, "SELECT nam FROM item", False, "no such column"),
        (NAMES, "SELECT name FROM items", False, "no such table"),
        (NAMES, "SELECT nam(name) FROM item", False, "other"),
        (NAMES, "SELECT name FROM item a JOIN item b", False, "other"),
        (NAMES, "SELEC name FROM item", False, "syntax"),
        (NAMES, "SELECT (name FROM item", False, "syntax"),
        (NAMES, "SELECT 'name FROM item", False, "syntax"),
        (NAMES, "SELECT (name", False, "syntax"),
        (NAMES, "SELECT 1; SELECT 2", False, "not allowed"),
        (NAMES, "DELETE FROM item", False, "not allowed"),
        (NAMES, "", False, "syntax"),
    ],
)
def test_what_went_wrong_is_named(shop: Path, gold: str, predicted: str, valid: bool, failure: str) -> None:
    verdict = compare_answers(shop, gold, predicted)
    assert (verdict.correct, verdict.valid, verdict.failure) == (False, valid, failure)
    assert verdict.detail
    assert predicted == "" or predicted not in verdict.detail


@pytest.mark.parametrize(
    ("gold", "empty"),
    [("SELECT id FROM item WHERE id > 9", True), ("SELECT avg(price) FROM item WHERE id > 9", True), (NAMES, False)],
)
def test_a_gold_that_returns_nothing_is_marked(shop: Path, gold: str, empty: bool) -> None:
    assert compare_answers(shop, gold, gold).gold.is_empty is empty


def test_truncated_results_compare_their_first_rows_in_order(shop: Path) -> None:
    n_rows = MAX_COMPARED_ROWS + 1
    gold = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {n_rows}) SELECT i FROM n"
    endings = (" ORDER BY i", " ORDER BY i DESC", f" LIMIT {n_rows - 1}")
    same, other, shorter = (compare_answers(shop, gold, gold + ending) for ending in endings)
    assert [(v.correct, v.gold.truncated) for v in (same, other, shorter)] == [
        (True, True),
        (False, True),
        (False, True),
    ]
    assert shorter.failure == "wrong number of rows"


@pytest.mark.parametrize(
    "predicted", ["SELECT '\ud800'", "SELECT name\0 FROM item", "(" * 5_000, "\N{OGHAM SPACE MARK}"]
)
def test_garbage_is_only_wrong(shop: Path, predicted: str) -> None:
    verdict = compare_answers(shop, NAMES, predicted)
    assert (verdict.correct, verdict.valid) == (False, False)


def test_a_gold_that_fails_is_an_error_not_a_verdict(shop: Path) -> None:
    with pytest.raises(QueryError, match="no such column: nam"):
        compare_answers(shop, "SELECT nam FROM item", NAMES)
