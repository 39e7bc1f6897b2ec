import os
import subprocess
import sys
from typing import Any

import pytest

from course_utils.artifacts import PROJECT
from course_utils.data.scale.parallel import BATCH, MIN_ROWS, map_rows
from course_utils.errors import ConfigurationError

ROWS: list[dict[str, Any]] = [
    {"n": None, "text": "\ud800 lone", "deep": [{"a": 1.0}]},
    {"n": 7},
    *({"n": i, "text": f"row {i}"} for i in range(2 * MIN_ROWS)),
]


def judge(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(str(row.get("n")), row) for row in rows]


def process(rows: list[dict[str, Any]]) -> list[int]:
    return [os.getpid() for _ in rows]


def size(rows: list[dict[str, Any]]) -> list[int]:
    return [len(rows) for _ in rows]


def refuse(rows: list[dict[str, Any]]) -> list[None]:
    raise ValueError(rows[0]["n"])


@pytest.mark.parametrize("num_proc", [1, 2])
def test_results_are_those_of_a_loop_types_and_order_included(num_proc: int) -> None:
    assert map_rows(ROWS, judge, num_proc) == judge(ROWS)


@pytest.mark.parametrize("num_proc", [1, 2])
def test_no_batch_is_larger_than_it_may_be(num_proc: int) -> None:
    assert max(map_rows(ROWS, size, num_proc)) == BATCH


def test_several_processes_share_the_rows() -> None:
    assert len(set(map_rows(ROWS, process, 2)) - {os.getpid()}) == 2


def test_few_rows_need_no_process() -> None:
    assert set(map_rows(ROWS[:100], process, 2)) == {os.getpid()}
    assert map_rows([], process, 2) == []


@pytest.mark.parametrize("num_proc", [1, 2])
def test_an_error_reaches_the_caller(num_proc: int) -> None:
    with pytest.raises(ValueError, match="None"):
        map_rows(ROWS, refuse, num_proc)


def test_a_script_from_standard_input_is_served_too() -> None:
    """Another process could not import it again."""
    code = """
from course_utils.data.scale import parallel
print(sum(parallel.map_rows([{"n": 1}] * (2 * parallel.MIN_ROWS), lambda rows: [row["n"] for row in rows], 2)))
"""
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, cwd=PROJECT, check=True)
    assert done.stdout.strip() == "4000"


def test_no_process_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="num_proc=0"):
        map_rows(ROWS, judge, 0)
