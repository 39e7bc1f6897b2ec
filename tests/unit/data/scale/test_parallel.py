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


def judge_here(rows: list[dict[str, Any]]) -> list[tuple[int, int, tuple[str, dict[str, Any]]]]:
    return [(os.getpid(), len(rows), judged) for judged in judge(rows)]


def refuse(rows: list[dict[str, Any]]) -> list[None]:
    raise ValueError(rows[0]["n"])


@pytest.mark.parametrize("num_proc", [1, 2])
def test_results_are_those_of_a_loop_types_and_order_included(num_proc: int) -> None:
    processes, sizes, results = zip(*map_rows(ROWS, judge_here, num_proc), strict=True)
    assert list(results) == judge(ROWS)
    assert max(sizes) == BATCH
    assert len(set(processes) - {os.getpid()}) == (2 if num_proc == 2 else 0)


def test_few_rows_need_no_process() -> None:
    assert {process for process, _, _ in map_rows(ROWS[:100], judge_here, 2)} == {os.getpid()}
    assert map_rows([], judge, 2) == []


@pytest.mark.parametrize("num_proc", [1, 2])
def test_an_error_reaches_the_caller(num_proc: int) -> None:
    with pytest.raises(ValueError, match="None"):
        map_rows(ROWS, refuse, num_proc)


def die(rows: list[dict[str, Any]]) -> list[int]:
    if os.getpid() != int(os.environ["COURSE_TEST_CALLER"]):
        os._exit(1)
    return [row.get("n") or 0 for row in rows]


def test_a_killed_process_costs_no_row(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("COURSE_TEST_CALLER", str(os.getpid()))
    assert map_rows(ROWS, die, 2) == die(ROWS)
    assert "on this one alone" in caplog.text


def test_a_script_that_other_processes_cannot_import_is_served_by_its_own() -> None:
    code = """
from course_utils.data.scale.parallel import MIN_ROWS, map_rows
print(sum(map_rows([{"n": 1}] * (2 * MIN_ROWS), lambda rows: [row["n"] for row in rows], 2)))
"""
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, cwd=PROJECT, check=True)
    assert done.stdout.strip() == "4000"
    assert "checking on this one alone" in done.stderr


def test_no_process_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="num_proc=0"):
        map_rows(ROWS, judge, 0)
