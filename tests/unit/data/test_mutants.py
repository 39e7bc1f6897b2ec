import sqlite3
from pathlib import Path
from random import Random

import pytest

from course_utils.data.corrupt import mutants
from course_utils.data.inject import inject_defects
from course_utils.data.validation.validate import validate_rows
from course_utils.sql import same_answer


@pytest.fixture
def databases(tmp_path: Path) -> dict[str, Path]:
    path = tmp_path / "garden.sqlite"
    with sqlite3.connect(path) as database:
        database.execute('CREATE TABLE plant (name TEXT, height INTEGER, "in bloom" INTEGER, 颜色 TEXT)')
        values = [("fern", 40, 0, "green"), ("rose", 90, 1, "red"), ("tulip", 30, 1, "red"), ("oak", 900, None, None)]
        database.executemany("INSERT INTO plant VALUES (?, ?, ?, ?)", values)
    database.close()
    return {"garden": path}


def row(query: str) -> dict[str, str]:
    return {"db_id": "garden", "question": "Which plants?", "query": query}


@pytest.mark.parametrize(
    ("kind", "query", "possible"),
    [
        ("condition dropped", "SELECT name FROM plant WHERE height > 50", {"SELECT name FROM plant"}),
        ("opposite operator", "SELECT MAX(height) FROM plant", {"SELECT MIN(height) FROM plant"}),
        (
            "opposite operator",
            "SELECT name FROM plant ORDER BY height DESC LIMIT 1",
            {"SELECT name FROM plant ORDER BY height ASC LIMIT 1", "SELECT name FROM plant ORDER BY height LIMIT 1"},
        ),
        (
            "another column",
            "SELECT name FROM plant",
            {f"SELECT {column} FROM plant" for column in ("height", '"in bloom"', '"颜色"')},
        ),
        (
            "condition dropped",
            "SELECT name FROM plant WHERE height > 35 AND 颜色 = 'red'",
            {"SELECT name FROM plant", "SELECT name FROM plant WHERE height > 35"},
        ),
    ],
)
def test_a_mutant_runs_and_differs_in_one_place(
    databases: dict[str, Path], kind: str, query: str, possible: set[str]
) -> None:
    for seed in range(5):
        mutated = mutants(databases)[kind].corrupt(row(query), Random(seed))
        assert mutated is not None
        assert mutated["query"] in possible
        assert not same_answer(databases["garden"], query, mutated["query"])


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("condition dropped", "SELECT name FROM plant"),
        ("condition dropped", "SELECT name FROM plant WHERE height > 0"),  # the answer stays
        ("opposite operator", "SELECT name FROM plant"),
        ("another column", "SELECT COUNT(*) FROM plant"),
        ("another column", f"SELECT name FROM plant WHERE height{' IN (1)' * 600}"),  # which sqlglot cannot write
        ("another column", "SELECT name FROM plant WHERE ((("),
    ],
)
def test_a_query_without_such_a_mutant_is_left_alone(databases: dict[str, Path], kind: str, query: str) -> None:
    assert mutants(databases)[kind].corrupt(row(query), Random(0)) is None


def test_the_validation_sees_a_mutant_only_beside_its_original(databases: dict[str, Path]) -> None:
    rows = [{**row(f"SELECT name FROM plant WHERE height > {n}"), "question": f"Over {n}?"} for n in (35, 45, 80)]
    injection = inject_defects({"train": rows}, mutants(databases), n_each=1)
    assert len(injection.defects) == 3
    found = injection.count_found(validate_rows(injection.splits, databases).findings)
    assert [counts["found"] for counts in found.values()] == [0, 0, 0]
    beside = {"train": [*injection.splits["train"], *rows]}
    found = injection.count_found(validate_rows(beside, databases).findings)
    assert [counts["found"] for counts in found.values()] == [1, 1, 1]
