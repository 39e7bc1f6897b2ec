import sqlite3
from pathlib import Path

import pytest

from course_utils.errors import QueryError
from course_utils.sql import same_answer, same_rows

NAMES = "SELECT name FROM item"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE item (id integer, name text, price real);"
        "INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', 2.5), (3, 'pad', 0.3), (4, 'pen', 1.5);"
    )
    connection.close()
    return path


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
    ],
)
def test_the_answer_counts_and_not_the_text(shop: Path, query: str, other: str, same: bool) -> None:
    assert same_answer(shop, query, other) is same


def test_a_query_that_fails_is_no_answer(shop: Path) -> None:
    with pytest.raises(QueryError, match="no such column: nam"):
        same_answer(shop, NAMES, "SELECT nam FROM item")


def test_evaluation_and_the_data_room_share_one_rule() -> None:
    from course_utils import evaluation

    assert evaluation.same_rows is same_rows
