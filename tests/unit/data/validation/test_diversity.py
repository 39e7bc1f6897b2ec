from pathlib import Path

import pytest

from course_utils.data.formats.record import Record
from course_utils.data.validation.diversity import describe_diversity, distinct_n
from course_utils.sql import Column, Schema, TableSchema


@pytest.mark.parametrize(
    ("texts", "n", "expected"),
    [
        (["the cat saw the dog"], 1, 4 / 5),
        (["the cat saw the dog", "The cat sat"], 2, 5 / 6),
        (["one two", "one two"], 2, 1 / 2),
        (["one"], 2, 0.0),
        ([], 1, 0.0),
    ],
)
def test_distinct_n_is_the_share_counted_by_hand(texts: list[str], n: int, expected: float) -> None:
    assert distinct_n(texts, n) == pytest.approx(expected)


def test_notes_count_shapes_and_name_what_is_never_asked() -> None:
    shop = TableSchema(
        "shop", (Column("shop_id", "INTEGER", True), Column("name", "TEXT"), Column("opening year", "INTEGER"))
    )
    visit = TableSchema("visit", (Column("shop_id", "INTEGER", references=("shop", "shop_id")), Column("day", "TEXT")))
    queries = [
        "SELECT name FROM shop",
        "SELECT Name FROM shop WHERE name = 'a'",
        "SELECT name FROM shop WHERE name = 'b'",
    ]
    rows = [
        Record(Path("train.jsonl"), i, {"db_id": "d", "question": "Which?", "query": query}, split="train", number=i)
        for i, query in enumerate(queries, 1)
    ]
    words, shapes, unasked = describe_diversity(rows, {"d": Schema("d", (shop, visit))})
    assert {(note.check, note.severity, note.number) for note in (words, shapes, unasked)} == {("diversity", "note", 0)}
    assert "distinct-1 of the questions is 0.333" in words.reason
    assert "2 query shapes in 3 rows" in shapes.reason
    assert "67%" in shapes.reason
    assert "3 of 5 tables and columns are in no query: d.shop.opening year, d.visit, d.visit.day" in unasked.reason
