import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from course_utils.errors import DataError
from tools.dataset.domains import read_domain
from tools.dataset.draw import Value
from tools.dataset.populate import populate

PARENT = """
[lists]
place = ["Hill", "Lake"]

[tables.shop]
rows = 40
[tables.shop.columns]
shop_id = { kind = "id" }
name = { kind = "text", values = ["Lyon East", "Lyon West", "Turin"] }
founded = { kind = "year", low = 1990, high = 2010, null_share = 0.2 }
price = { kind = "integer", low = 10, high = 90 }

[tables.sale]
rows = 3000
[tables.sale.columns]
sale_id = { kind = "id" }
shop_id = { kind = "reference", table = "shop", childless = 0.25 }
day = { kind = "date", low = 2020, high = 2023 }
state = { kind = "text", values = ["Paid", "Open"] }
"""
Draw = Callable[[str], list[dict[str, Value]]]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """The sales, with one more column ``new``, and what they find in their shop."""

    def make(column: str) -> list[dict[str, Value]]:
        path = tmp_path / "domain.toml"
        path.write_text(f"{PARENT}new = {{ {column} }}\n")
        rows = populate(read_domain(path))
        shops = {shop_id: (name, founded, price) for shop_id, name, founded, price in rows["shop"]}
        names = ("sale_id", "shop_id", "day", "state", "new", "name", "founded", "price")
        return [dict(zip(names, (*row, *shops[row[1]]), strict=True)) for row in rows["sale"]]

    return make


def test_few_parents_have_many_children_and_some_none(draw: Draw) -> None:
    counts = Counter(row["shop_id"] for row in draw('kind = "integer", low = 0, high = 1'))
    assert 40 - len(counts) == 10
    assert max(counts.values()) > 3 * min(counts.values())


def test_more_skew_gives_the_first_values_more(draw: Draw) -> None:
    flat, steep = (
        Counter(row["new"] for row in draw(f'kind = "text", values = ["a", "b", "c", "d"], skew = {skew}'))
        for skew in (1, 3)
    )
    assert flat["a"] > flat["d"] > 0
    assert steep["a"] > 1.3 * flat["a"]


def test_a_time_comes_after_another_and_not_beyond_the_last_year(draw: Draw) -> None:
    later = draw('kind = "date", after = "day", low = 2, high = 40')
    gaps = {(date.fromisoformat(str(row["new"])) - date.fromisoformat(str(row["day"]))).days for row in later}
    assert gaps == set(range(2, 41))
    for row in draw('kind = "year", after = "shop_id.founded", low = 3, high = 30, until = 2015'):
        if row["founded"] is None:
            assert row["new"] is None
        else:
            assert int(str(row["founded"])) + 3 <= int(str(row["new"])) <= 2015
    assert max(str(row["new"]) for row in draw('kind = "date", after = "day", low = 0, high = 900, until = 2023')) <= (
        "2023-12-31"
    )


def test_what_has_to_come_later_than_the_last_year_comes_as_early_as_it_may(draw: Draw) -> None:
    for row in draw('kind = "date", after = "day", low = 30, high = 60, until = 2019'):
        assert (date.fromisoformat(str(row["new"])) - date.fromisoformat(str(row["day"]))).days == 30


def test_a_number_is_a_multiple_of_another(draw: Draw) -> None:
    rows = draw('kind = "real", times = "shop_id.price", low = 0.5, high = 1.5, decimals = 2')
    factors = [float(str(row["new"])) / float(str(row["price"])) for row in rows]
    assert min(factors) == pytest.approx(0.5, abs=0.01)
    assert max(factors) == pytest.approx(1.5, abs=0.01)


def test_a_text_decides_another_by_its_words(draw: Draw) -> None:
    rows = draw('kind = "text", follows = "shop_id.name", map = { Lyon = ["a {place}", "b"], Turin = "c" }')
    seen = {(str(row["name"]).split()[0], row["new"]) for row in rows}
    assert seen == {("Lyon", "a Hill"), ("Lyon", "a Lake"), ("Lyon", "b"), ("Turin", "c")}
    assert {(row["name"], row["new"]) for row in draw('kind = "text", follows = "shop_id.name"')} == {
        ("Lyon East", "Lyon"),
        ("Lyon West", "Lyon"),
        ("Turin", "Turin"),
    }


def test_a_map_that_lacks_texts_names_them(draw: Draw) -> None:
    with pytest.raises(DataError, match=r"column sale\.new: map lacks Open, Paid; add them"):
        draw('kind = "text", follows = "state", map = { open = "x" }')


def test_a_value_depends_on_a_status(draw: Draw) -> None:
    rows = draw('kind = "integer", low = 1, high = 5, only_if = { state = ["Paid"] }')
    assert {(row["state"], row["new"] is None) for row in rows} == {("Paid", False), ("Open", True)}


@pytest.mark.parametrize("kind", ['"integer", low = 0, high = 99999', '"real", low = 0, high = 99999, decimals = 3'])
def test_rows_share_the_greatest_value(draw: Draw, kind: str) -> None:
    values = [row["new"] for row in draw(f"kind = {kind}, null_share = 0.3, ties = 4")]
    numbers = [float(value) for value in values if value is not None]
    assert numbers.count(max(numbers)) == 4


def test_dates_gather_in_their_season(draw: Draw) -> None:
    rows = draw('kind = "date", low = 2020, high = 2023, peak_months = [7], peak_weekdays = [6]')
    days = [date.fromisoformat(str(row["new"])) for row in rows]
    # a peak is three times as frequent: 3/14 of the months, 3/9 of the weekdays
    assert sum(day.month == 7 for day in days) / len(days) == pytest.approx(3 / 14, abs=0.03)
    assert sum(day.isoweekday() == 6 for day in days) / len(days) == pytest.approx(3 / 9, abs=0.03)


PAIRS = """
[tables.student]
rows = 30
[tables.student.columns]
student_id = { kind = "id" }

[tables.course]
rows = 20
[tables.course.columns]
course_id = { kind = "id" }

[tables.grade]
rows = 200
[tables.grade.columns]
grade_id = { kind = "id" }
student_id = { kind = "reference", table = "student", skew = 0.5 }
course_id = { kind = "reference", table = "course", distinct_with = "student_id" }
"""


@pytest.mark.parametrize(("declared", "n_pairs"), [(PAIRS, 200), (PAIRS.replace("distinct_with", "phrase"), 150)])
def test_only_pairs_that_must_be_distinct_are(tmp_path: Path, declared: str, n_pairs: int) -> None:
    (tmp_path / "domain.toml").write_text(declared)
    pairs = {row[1:] for row in populate(read_domain(tmp_path / "domain.toml"))["grade"]}
    assert len(pairs) == pytest.approx(n_pairs, abs=0 if n_pairs == 200 else 15)


def test_more_pairs_than_there_are_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "domain.toml").write_text(PAIRS.replace("rows = 200", "rows = 601"))
    with pytest.raises(DataError, match=r"column grade\.course_id: some student_id has more rows than"):
        populate(read_domain(tmp_path / "domain.toml"))


def test_a_reference_to_its_own_table_makes_a_tree(draw: Draw) -> None:
    rows = draw('kind = "reference", table = "sale", null_share = 0.01')
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY, parent INTEGER)")
    connection.executemany("INSERT INTO sale VALUES (?, ?)", [(row["sale_id"], row["new"]) for row in rows])
    (reached,) = connection.execute(
        "WITH RECURSIVE tree(id) AS (SELECT id FROM sale WHERE parent IS NULL"
        " UNION ALL SELECT sale.id FROM sale JOIN tree ON sale.parent = tree.id) SELECT COUNT(*) FROM tree"
    ).fetchone()
    assert reached == len(rows)
    assert 1 <= sum(row["new"] is None for row in rows) < 100
