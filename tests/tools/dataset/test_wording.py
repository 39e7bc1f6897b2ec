from random import Random

import pytest

from tools.dataset import wording
from tools.dataset.domains import ColumnSpec

GOALS = ColumnSpec("goals", "integer", "goals", measure="count")
SALARY = ColumnSpec("salary", "integer", "salary", measure="amount")
AGE = ColumnSpec("age", "integer", "age")
YEAR = ColumnSpec("founded_year", "year", "founded year", measure="time")


def ways(make: object, *arguments: object) -> set[str]:
    return {make(Random(seed), *arguments) for seed in range(30)}  # type: ignore[operator]


def test_counts_amounts_and_times_have_their_own_words() -> None:
    assert ways(wording.with_comparison, GOALS, ">", "9") == {"more than 9 goals", "over 9 goals"}
    assert "a salary over 9" in ways(wording.with_comparison, SALARY, ">", "9")
    assert "an age of 9 or less" in ways(wording.with_comparison, AGE, "<=", "9")
    assert ways(wording.with_comparison, YEAR, ">", "1990") == {
        "a founded year after 1990",
        "a founded year later than 1990",
    }


def test_a_statement_has_no_leftover_preposition() -> None:
    assert ways(wording.is_comparison, SALARY, ">=", "9") == {"salary is at least 9", "salary is 9 or more"}
    assert ways(wording.is_comparison, GOALS, "<", "9") == {
        "number of goals is fewer than 9",
        "number of goals is less than 9",
    }


def test_only_what_adds_up_has_a_total() -> None:
    functions = {column.name: set() for column in (GOALS, SALARY, AGE, YEAR)}
    for seed in range(60):
        for column in (GOALS, SALARY, AGE, YEAR):
            functions[column.name].add(wording.aggregate(Random(seed), column)[0])
    assert functions == {
        "goals": {"AVG", "SUM", "MAX", "MIN"},
        "salary": {"AVG", "SUM", "MAX", "MIN"},
        "age": {"AVG", "MAX", "MIN"},
        "founded_year": {"MAX", "MIN"},
    }


@pytest.mark.parametrize(("column", "most"), [(GOALS, "the most goals"), (YEAR, "the latest founded year")])
def test_superlatives(column: ColumnSpec, most: str) -> None:
    assert most in ways(wording.superlative, column, "DESC")


@pytest.mark.parametrize(
    ("phrase", "said"), [("age", "an age"), ("salary", "a salary"), ("hour", "an hour"), ("year", "a year")]
)
def test_article(phrase: str, said: str) -> None:
    assert wording.article(phrase) == said
