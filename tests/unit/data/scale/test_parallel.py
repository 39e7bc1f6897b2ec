import os
from typing import Any

import pytest

from course_utils.data.scale.parallel import MIN_ROWS, map_rows
from course_utils.errors import ConfigurationError

ROWS: list[dict[str, Any]] = [
    {"n": None, "text": "\ud800 lone", "deep": [{"a": 1.0}]},
    {"n": 7},
    *({"n": i, "text": f"row {i}"} for i in range(2 * MIN_ROWS)),
]


def judge(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return str(row.get("n")), row


def process(row: dict[str, Any]) -> int:
    return os.getpid()


def refuse(row: dict[str, Any]) -> None:
    raise ValueError(row["n"])


@pytest.mark.parametrize("num_proc", [1, 2])
def test_results_are_those_of_a_loop_types_and_order_included(num_proc: int) -> None:
    assert map_rows(ROWS, judge, num_proc) == [judge(row) for row in ROWS]


def test_several_processes_share_the_rows() -> None:
    assert len(set(map_rows(ROWS, process, 2)) - {os.getpid()}) == 2


def test_few_rows_need_no_process() -> None:
    assert set(map_rows(ROWS[:100], process, 2)) == {os.getpid()}
    assert map_rows([], process, 2) == []


@pytest.mark.parametrize("num_proc", [1, 2])
def test_an_error_reaches_the_caller(num_proc: int) -> None:
    with pytest.raises(ValueError, match="None"):
        map_rows(ROWS, refuse, num_proc)


def test_no_process_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="num_proc=0"):
        map_rows(ROWS, judge, 0)
