"""Run functions in child processes that can be killed, because nothing in this process can stop SQLite everywhere.

A worker serves one caller at a time and thousands of calls in its life; what reaches a limit takes the worker with it,
never this process. The limits are no wall against what would take over SQLite itself.
"""

import atexit
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, ParamSpec, TypeVar, cast

from course_utils.artifacts import PROJECT
from course_utils.errors import QueryErrorKind
from course_utils.sql.worker import MEMORY_BYTES

MAX_IDLE = os.cpu_count() or 1
"""Workers kept for the next calls. Those at work are as many as there are callers."""
AT_ONCE = 50
_idle: "list[_Worker]" = []

P = ParamSpec("P")
T = TypeVar("T")


class WorkerDiedError(Exception):
    """The worker reached its limit of time or memory, as ``kind`` says, or ended in a way that nobody foresaw."""

    def __init__(self, reason: str, kind: QueryErrorKind) -> None:
        super().__init__(reason)
        self.kind: QueryErrorKind = kind


def run_in_worker(function: Callable[P, Iterable[T]], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
    """Every item that a function yields in a worker, each as soon as it is there.

    The function is one of the top level of a module that the child can import, and sets its time limits by
    ``worker.limit_time``; its arguments and items are pickled. To stop reading before the end kills the worker.

    Raises:
        WorkerDiedError: It reached a limit, or the worker crashed.
        Exception: What the function raises.
    """
    worker = _take()
    reusable = False
    try:
        yield from worker.run(function, args, kwargs)
        reusable = True
    except MemoryError:  # what was allocated may stay so
        raise WorkerDiedError(f"needs more than {MEMORY_BYTES // 2**20} MiB", "too large") from None
    except Exception:
        reusable = worker.is_alive()
        raise
    finally:
        if reusable and len(_idle) < MAX_IDLE:
            _idle.append(worker)
        else:
            worker.kill()


def run_each(function: Callable[..., Iterable[T]], *args: Any, items: Iterable[Any]) -> Iterator[T | WorkerDiedError]:
    """What ``function(*args, items)`` yields, one result an item, where single items may end the worker.

    Such an item gets the error as its result, and another worker goes on behind it; ``AT_ONCE`` go to one at a time.
    """
    left = [*items]
    while left:
        n_done = 0
        try:
            for result in run_in_worker(function, *args, left[:AT_ONCE]):
                n_done += 1
                yield result
        except WorkerDiedError as error:
            n_done += 1
            yield error
        left = left[n_done:]


def _take() -> "_Worker":
    while True:
        try:
            worker = _idle.pop()
        except IndexError:
            return _Worker()
        if worker.is_alive():
            return worker
        worker.kill()


class _Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from course_utils.sql.worker import main; main()"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process
        )
        self._requests, self._replies = cast("tuple[BinaryIO, BinaryIO]", (self._process.stdin, self._process.stdout))

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
        try:
            pickle.dump((function, args, kwargs), self._requests, pickle.HIGHEST_PROTOCOL)
            self._requests.flush()
            while True:
                kind, value = pickle.load(self._replies)
                if kind == "end":
                    return
                if kind == "error":
                    raise value
                yield value
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            code = self._process.wait()
            is_late = code == (-signal.SIGALRM if hasattr(signal, "SIGALRM") else 1)  # faulthandler's code
            reason = f"the process that ran it ended with code {code}"
            raise WorkerDiedError(reason, "timeout" if is_late else "other") from None

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with suppress(BrokenPipeError):  # a request that nobody will read
                pipe.close()


@atexit.register
def _kill_idle() -> None:
    while _idle:
        _idle.pop().kill()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # two processes must not write to one pipe
