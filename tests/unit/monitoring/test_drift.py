"""Signals of questions, and the windows of questions that are compared."""

from pathlib import Path

import pytest

from course_utils.errors import QueryError
from course_utils.files import Row
from course_utils.monitoring.drift import (
    GREETING,
    MIN_ROWS,
    choose_windows,
    read_words,
    rename_busiest_column,
    unknown_word_share,
)
from course_utils.sql import run_queries
from tests.sqlite_files import write_database


def test_words_and_unknown_share() -> None:
    assert read_words("List the Café's 3 best_sellers of 2020!") == [
        "list",
        "the",
        "café",
        "s",
        "best",
        "sellers",
        "of",
    ]
    assert read_words("有多少名学生住在Paris?") == [*"有多少名学生住在", "paris"]
    assert read_words("တက္ကသိုလ်") == [*"တက္ကသိုလ်"], "Burmese has no spaces either"
    assert read_words("𠮷野家 佐々木") == [*"𠮷野家佐々木"]
    assert read_words("Сколько 학생이?") == ["сколько", "학생이"]
    assert read_words("कितने गायक हैं?") == ["कितने", "गायक", "हैं"]
    assert read_words("I ❤️ singers, 1️⃣ first") == ["i", "singers", "first"]
    assert read_words("Cafe\u0301 STRASSE") == read_words("Café Straße")
    vocabulary = frozenset(read_words("How many singers are there?"))
    assert unknown_word_share("How many pilots are there?", vocabulary) == pytest.approx(1 / 5)
    assert unknown_word_share("42?", vocabulary) == 0.0


# The windows: every layout of splits gives some that share no question with what training learned


def rows(split: str, n: int, *, seen: bool = True) -> list[Row]:
    ids = [f"{split}-{'seen' if seen else 'unseen'}-{i}" for i in range(n)]
    return [{"id": row_id, "question": f"{row_id}?", "seen": seen} for row_id in ids]


TEST = rows("test", 120) + rows("test", 120, seen=False)


@pytest.mark.parametrize(
    ("validation", "test", "n_training"),
    [
        (rows("validation", 100), TEST, 400),
        (rows("validation", 100), rows("test", 50), 400),
        (rows("validation", 100), rows("test", 50, seen=False), 400),
        (rows("validation", 4), rows("test", 6), 320),
        ([], rows("test", 30, seen=False), 320),
        ([], TEST, 400),
    ],
    ids=["course", "known databases only", "new databases only", "tiny", "training only", "no validation"],
)
def test_windows_are_large_enough_and_apart(validation: list[Row], test: list[Row], n_training: int) -> None:
    windows = choose_windows(rows("train", 400), validation, test)
    parts = [windows.training, windows.reference, windows.familiar, windows.shifted]
    assert all(len(part) >= MIN_ROWS for part in parts)
    assert len(windows.training) == n_training
    ids = [{row["id"] for row in part} for part in parts[:3]]
    assert len(set.union(*ids)) == sum(len(part) for part in ids)
    assert not {row["question"] for row in windows.shifted} & {row["question"] for row in windows.familiar}
    assert all(row["seen"] for row in windows.reference + windows.familiar)


def test_the_course_dataset_shifts_to_new_databases() -> None:
    windows = choose_windows(rows("train", 400), rows("validation", 100), TEST)
    assert [len(windows.familiar), len(windows.shifted)] == [120, 120]
    assert not any(row["seen"] for row in windows.shifted)
    assert "databases that training never saw" in windows.shift


@pytest.mark.parametrize("n_new", [0, 7])
def test_with_hardly_any_new_databases_users_greet(n_new: int) -> None:
    test = rows("test", 50) + rows("test", n_new, seen=False)
    windows = choose_windows(rows("train", 400), rows("validation", 100), test)
    assert all(row["question"].startswith(GREETING) for row in windows.shifted)
    assert windows.shift == "users who greet first"


def test_a_handful_of_rows_still_gives_windows() -> None:
    windows = choose_windows(rows("train", 32), rows("validation", 4), rows("test", 6))
    assert min(len(windows.reference), len(windows.familiar), len(windows.shifted)) >= 8
    assert len(windows.training) == 16


@pytest.mark.parametrize(("n_train", "n_validation", "n_test"), [(3, 3, 3), (6, 2, 4), (4, 1, 1)])
def test_a_dozen_rows_give_windows_that_can_be_compared(n_train: int, n_validation: int, n_test: int) -> None:
    windows = choose_windows(rows("train", n_train), rows("validation", n_validation), rows("test", n_test))
    assert windows.reference
    assert len(windows.shifted) == len(windows.familiar) > 0


def test_a_few_questions_about_new_databases_are_a_shift_already() -> None:
    windows = choose_windows(rows("train", 35), rows("validation", 4), rows("test", 11, seen=False))
    assert [row["seen"] for row in windows.shifted] == [False] * 11


# A schema that changes silently


def test_the_busiest_column_gets_another_name_in_every_table_of_the_copy(tmp_path: Path) -> None:
    script = "CREATE TABLE animal (name TEXT, nickname TEXT); CREATE TABLE keeper (nickName TEXT);"
    source = write_database(tmp_path / "zoo.sqlite", script + "CREATE VIRTUAL TABLE note USING fts5(nickname)")
    queries = ["SELECT NICKNAME FROM animal", "SELECT name FROM animal WHERE nickname = 'emu'", "SELECT 1 FROM keeper"]
    assert rename_busiest_column(source, tmp_path / "copy.sqlite", queries).lower() == "nickname"
    now = ["SELECT animal.renamed, keeper.renamed FROM animal, keeper", "SELECT nickname FROM note"]
    results = run_queries(tmp_path / "copy.sqlite", [*queries, *now])
    assert [isinstance(result, QueryError) for result in results] == [True, True, False, False, False]
    assert not any(isinstance(result, QueryError) for result in run_queries(source, queries))


def test_a_column_with_a_tables_name_is_not_the_busiest(tmp_path: Path) -> None:
    script = "CREATE TABLE Book (title TEXT); CREATE TABLE loan (book INTEGER, day TEXT)"
    source = write_database(tmp_path / "library.sqlite", script)
    queries = ["SELECT COUNT(*) FROM book", "SELECT COUNT(*) FROM book", "SELECT day FROM loan"]
    assert rename_busiest_column(source, tmp_path / "copy.sqlite", queries) == "day"
    columns = ["CREATE TABLE dog (dog TEXT)", "CREATE TABLE cat (dog TEXT)"]
    source = write_database(tmp_path / "pets.sqlite", "; ".join(columns))
    assert rename_busiest_column(source, tmp_path / "renamed.sqlite", ["SELECT dog FROM cat"]) == "dog"
