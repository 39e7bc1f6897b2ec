"""Work in killable processes: what goes well comes back, what does not takes the worker with it and nothing else."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from course_utils.errors import QueryError
from course_utils.sql import worker
from course_utils.sql.worker import MEMORY_BYTES, WorkerDiedError, run_each, run_in_worker

PID = "__import__('os').getpid()"
LIMIT = "__import__('course_utils.sql.worker').sql.worker.limit_time({})"


def evaluate(*expressions: str) -> Iterator[Any]:
    """The value of each expression in a worker, which can import nothing of a test."""
    return run_in_worker(map, eval, expressions)


@pytest.fixture(autouse=True)
def own_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(worker, "_idle", [])
    yield
    while worker._idle:
        worker._idle.pop().kill()


def test_items_come_one_by_one_from_one_worker_that_serves_again() -> None:
    first, second, pid = evaluate("1 + 1", "'é' * 3", PID)
    assert (first, second) == (2, "ééé")
    assert list(evaluate(PID)) == [pid]
    assert pid != os.getpid()


def test_an_error_is_raised_here_and_the_worker_lives() -> None:
    (pid,) = evaluate(PID)
    with pytest.raises(ZeroDivisionError) as error:
        list(evaluate("1", "1 / 0"))
    assert "ZeroDivisionError" in "".join(error.value.__notes__)
    assert list(evaluate(PID)) == [pid]


def test_an_error_of_the_course_keeps_what_it_says() -> None:
    with pytest.raises(QueryError, match="no such database") as error:
        list(evaluate("list(__import__('course_utils.sql').sql.run_queries(__import__('pathlib').Path('x'), ['']))"))
    assert error.value.kind == "other"


def test_what_reaches_the_time_limit_is_killed_whatever_it_does() -> None:
    (pid,) = evaluate(PID)
    began = time.perf_counter()
    with pytest.raises(WorkerDiedError) as error:
        list(evaluate(f"[{LIMIT.format(0.2)}, pow(7, 10 ** 9)]"))  # one instruction, deaf to Python's signals
    assert error.value.kind == "timeout"
    assert time.perf_counter() - began < 10
    assert list(evaluate(PID)) != [pid]


@pytest.mark.parametrize("how", ["ignores", "blocks"])
def test_the_limit_holds_where_this_process_is_deaf_to_alarms(how: str) -> None:
    handler, mask = signal.getsignal(signal.SIGALRM), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        if how == "ignores":
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        else:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        with pytest.raises(WorkerDiedError) as error:
            list(evaluate(f"[{LIMIT.format(0.2)}, __import__('time').sleep(9)]"))
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert error.value.kind == "timeout"


def test_time_in_which_the_caller_reads_does_not_count() -> None:
    found = []
    for value in evaluate(LIMIT.format(0.1), "1", "2"):
        time.sleep(0.15)
        found.append(value)
    assert found == [None, 1, 2]


def test_what_needs_too_much_memory_ends_with_its_worker() -> None:
    (pid,) = evaluate(PID)
    with pytest.raises(WorkerDiedError, match="needs more than 256 MiB") as error:
        list(evaluate(f"bytearray({MEMORY_BYTES})"))
    assert error.value.kind == "too large"
    assert list(evaluate(PID)) != [pid]


def test_a_worker_writes_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        list(evaluate(f"open({str(tmp_path / 'x')!r}, 'wb', 0).write(b'x')"))


def test_a_crash_is_no_timeout_and_costs_one_worker() -> None:
    with pytest.raises(WorkerDiedError, match="ended with code -11") as error:
        list(evaluate(f"__import__('os').kill({PID}, {int(signal.SIGSEGV)})"))
    assert error.value.kind == "other"
    assert list(evaluate("1")) == [1]


def test_an_idle_worker_that_died_is_not_used() -> None:
    (pid,) = evaluate(PID)
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    assert list(evaluate("1")) == [1]


def test_who_stops_reading_does_not_confuse_the_next() -> None:
    items = evaluate("1", "2", "3")
    assert next(items) == 1
    items.close()  # type: ignore[attr-defined]
    assert list(evaluate("4")) == [4]


def test_callers_in_threads_have_workers_of_their_own() -> None:
    pids: list[int] = []
    threads = [threading.Thread(target=lambda: pids.extend(evaluate("print('no reply')", PID))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    assert len(worker._idle) <= worker.MAX_IDLE


def test_a_call_within_a_call_does_not_wait_for_itself() -> None:
    assert [(outer, *evaluate(str(outer * 10))) for outer in evaluate("1", "2")] == [(1, 10), (2, 20)]


def test_what_dies_of_what_others_left_is_tried_alone() -> None:
    keep = f"__import__('builtins').__dict__.setdefault('kept', []).append(bytearray({MEMORY_BYTES // 3}))"
    assert list(run_each(map, eval, items=[keep] * 5)) == [None] * 5
    *others, failed = run_each(map, eval, items=[keep, "1", f"bytearray({MEMORY_BYTES})"])
    assert others == [None, 1]
    assert isinstance(failed, WorkerDiedError)


def dies_after(items: list[int]) -> Iterator[int]:
    yield from items
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("n", [1, 3])
def test_a_worker_that_dies_after_its_last_item_has_answered_them_all(n: int) -> None:
    assert list(run_each(dies_after, items=range(n))) == list(range(n))
