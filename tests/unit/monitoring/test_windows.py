"""Every layout of splits gives windows that share no question with what training learned."""

import pytest

from course_utils.artifacts import Row
from course_utils.monitoring.drift import MIN_WINDOW
from course_utils.monitoring.windows import GREETING, MIN_ROWS, choose_windows


def rows(split: str, n: int, *, seen: bool = True) -> list[Row]:
    ids = [f"{split}-{'seen' if seen else 'unseen'}-{i}" for i in range(n)]
    return [{"id": row_id, "question": f"{row_id}?", "seen": seen} for row_id in ids]


TEST = rows("test", 120) + rows("test", 120, seen=False)


@pytest.mark.parametrize(
    ("validation", "test"),
    [
        (rows("validation", 100), TEST),
        (rows("validation", 100), rows("test", 50)),
        (rows("validation", 100), rows("test", 50, seen=False)),
        (rows("validation", 4), rows("test", 6)),
        ([], rows("test", 30, seen=False)),
        ([], TEST),
    ],
    ids=["course", "known databases only", "new databases only", "tiny", "training only", "no validation"],
)
def test_windows_are_large_enough_and_apart(validation: list[Row], test: list[Row]) -> None:
    windows = choose_windows(rows("train", 400), validation, test)
    parts = [windows.training, windows.reference, windows.familiar, windows.shifted]
    assert all(len(part) >= MIN_ROWS for part in parts)
    ids = [{row["id"] for row in part} for part in parts[:3]]
    assert len(set.union(*ids)) == sum(len(part) for part in ids)
    assert not {row["question"] for row in windows.shifted} & {row["question"] for row in windows.familiar}
    assert all(row["seen"] for row in windows.reference + windows.familiar)


def test_the_course_dataset_shifts_to_new_databases() -> None:
    windows = choose_windows(rows("train", 400), rows("validation", 100), TEST)
    assert [len(windows.familiar), len(windows.shifted)] == [120, 120]
    assert not any(row["seen"] for row in windows.shifted)
    assert "databases that training never saw" in windows.shift


def test_without_new_databases_users_greet() -> None:
    windows = choose_windows(rows("train", 400), rows("validation", 100), rows("test", 50))
    assert all(row["question"].startswith(GREETING) for row in windows.shifted)
    assert windows.shift == "users who greet first"


def test_a_handful_of_rows_still_gives_windows() -> None:
    windows = choose_windows(rows("train", 32), rows("validation", 4), rows("test", 6))
    assert min(len(windows.reference), len(windows.familiar), len(windows.shifted)) >= MIN_WINDOW
    assert len(windows.training) == 16


def test_a_few_questions_about_new_databases_are_a_shift_already() -> None:
    windows = choose_windows(rows("train", 35), rows("validation", 4), rows("test", 11, seen=False))
    assert [row["seen"] for row in windows.shifted] == [False] * 11
