import sqlite3
from pathlib import Path

import pytest

from course_utils.errors import QueryError
from course_utils.evaluation.execution import judge

SHOP = """
CREATE TABLE item (id integer, name text, price real);
INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', 2.5), (3, 'pad', 0.3), (4, 'pen', 1.5);
"""
NAMES = "SELECT name FROM item"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(SHOP)
    connection.close()
    return path


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
    assert (verdict.correct, verdict.valid, verdict.failure) == (True, True, "")


@pytest.mark.parametrize(
    ("gold", "predicted", "valid", "failure"),
    [
        (NAMES, "SELECT DISTINCT name FROM item", True, "wrong number of rows"),
        (NAMES, "SELECT name, id FROM item", True, "wrong number of columns"),
        (NAMES, "SELECT id FROM item", True, "wrong rows"),
        (f"{NAMES} ORDER BY id", f"{NAMES} ORDER BY id DESC", True, "rows in another order"),
        ("SELECT name, id FROM item", "SELECT id, name FROM item", True, "columns in another order"),
        (NAMES, "SELECT nam FROM item", False, "no such column"),
        (NAMES, "SELECT name FROM items", False, "no such table"),
        (NAMES, "SELECT nam(name) FROM item", False, "other error"),
        (NAMES, "SELECT name FROM item a JOIN item b", False, "other error"),
        (NAMES, "SELEC name FROM item", False, "syntax error"),
        (NAMES, "SELECT (name FROM item", False, "syntax error"),
        (NAMES, "SELECT 'name FROM item", False, "syntax error"),
        (NAMES, "SELECT (name", False, "syntax error"),
        (NAMES, "SELECT 1; SELECT 2", False, "not one reading statement"),
        (NAMES, "DELETE FROM item", False, "not one reading statement"),
        (NAMES, "", False, "empty reply"),
    ],
)
def test_what_went_wrong_is_named(shop: Path, gold: str, predicted: str, valid: bool, failure: str) -> None:
    verdict = judge(shop, gold, predicted)
    assert (verdict.correct, verdict.valid, verdict.failure) == (False, valid, failure)
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
    assert shorter.failure == "wrong number of rows"


@pytest.mark.parametrize(
    "predicted", ["SELECT '\ud800'", "SELECT name\0 FROM item", "(" * 5_000, "\N{OGHAM SPACE MARK}"]
)
def test_garbage_is_only_wrong(shop: Path, predicted: str) -> None:
    verdict = judge(shop, NAMES, predicted)
    assert (verdict.correct, verdict.valid) == (False, False)


def test_a_gold_that_fails_is_an_error_not_a_verdict(shop: Path) -> None:
    with pytest.raises(QueryError, match="no such column: nam"):
        judge(shop, "SELECT nam FROM item", NAMES)
