"""Run functions in child processes that can be killed, because nothing in this process can stop SQLite everywhere.

The parent sends a function of an importable module with its arguments, and gets each item that the function yields. A
worker serves one caller at a time and thousands of calls in its life, within limits that nothing in it can lift; what
reaches one takes the worker with it, never the parent. The limits are no wall against what would take over SQLite
itself. A worker ends with its parent, for then its standard input closes.
"""

import atexit
import os
import pickle
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, Literal, TypeVar, TypeVarTuple, cast

from course_utils.errors import CourseError, QueryErrorKind
from course_utils.files import PROJECT
from course_utils.resources import n_cores

MEMORY_BYTES = 256 * 2**20
"""All that a worker may allocate, of which SQLite gets the half."""
PATIENCE_S = 30.0
"""A function that sets no limit of its own is killed after so many seconds without an item."""
NICE = 5
"""What waits for queries goes first: a server that answers others while four of them compute."""
Reply = tuple[Literal["item", "end", "error"], Any]
MAX_IDLE = n_cores()
"""Workers kept for the next calls. Those at work are as many as there are callers."""
AT_ONCE = 50
_idle: "list[_Worker]" = []

Args = TypeVarTuple("Args")
T = TypeVar("T")


class WorkerDiedError(Exception):
    """The worker reached its limit of time or memory, as ``kind`` says, or ended in a way that nobody foresaw."""

    def __init__(self, reason: str, kind: QueryErrorKind) -> None:
        super().__init__(reason)
        self.kind: QueryErrorKind = kind


def run_in_worker(function: Callable[[*Args], Iterable[T]], *args: *Args) -> Iterator[T]:
    """Every item that a function yields in a worker, each as soon as it is there.

    The function is one of the top level of a module that the child can import, and sets its time limits by
    ``limit_time``; its arguments and items are pickled. To stop reading before the end kills the worker.

    Raises:
        WorkerDiedError: It reached a limit, or the worker crashed.
        Exception: What the function raises.
    """
    worker = _take()
    reusable = False
    try:
        yield from worker.run(function, args)
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
    Unless its time ran out, it is first tried alone: it may have died of what was sent with it.
    """
    left, alone = [*items], False
    while left:
        n_done, some = 0, left[: 1 if alone else AT_ONCE]
        alone = False
        try:
            for result in run_in_worker(partial(function, *args), some):
                n_done += 1
                yield result
        except WorkerDiedError as error:
            if not (alone := error.kind != "timeout" and len(some) > 1):
                n_done += 1
                yield error
        left = left[n_done:]


def _take() -> "_Worker":
    with suppress(IndexError):
        while not (worker := _idle.pop()).is_alive():
            worker.kill()
        return worker
    return _Worker()


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

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Iterator[Any]:
        try:
            pickle.dump((function, args), self._requests, pickle.HIGHEST_PROTOCOL)
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
            reason = f"the process that ran it ended with code {code}"
            raise WorkerDiedError(reason, "timeout" if code == -signal.SIGALRM else "other") from None

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


os.register_at_fork(after_in_child=_idle.clear)  # two processes must not write to one pipe


# In the child


def limit_time(seconds: float) -> None:
    """Let the system kill this process unless the limit is set anew within ``seconds``; 0 takes it away.

    SQLite's progress handler is not asked while SQLite expands a query or computes one function, and Python's own
    handlers wait for it too. This alarm is the system's.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def more_room(memory_bytes: int, file_bytes: int) -> Iterator[None]:
    """Allow more memory, and files at all, for work that must write them; each in bytes, each file by itself."""
    _limit_room(memory_bytes, file_bytes)
    try:
        yield
    finally:
        _limit_room()


def _limit_room(memory_bytes: int = MEMORY_BYTES, file_bytes: int = 0) -> None:
    _limit(resource.RLIMIT_DATA, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, file_bytes)


def _limit(what: int, value: int) -> None:
    """Lower the soft limit alone: nothing that SQL can reach raises it."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(function: Callable[..., Iterable[Any]], args: tuple[Any, ...]) -> Iterator[Reply]:
    limit_time(PATIENCE_S)
    try:
        for item in function(*args):
            limit_time(0)  # the parent may take its time to read
            yield "item", item
            limit_time(PATIENCE_S)
    except Exception as error:
        if not isinstance(error, CourseError | MemoryError):  # a fault of ours; the parent shall see where
            error.add_note(traceback.format_exc())
        yield "error", error
    else:
        yield "end", None
    finally:
        limit_time(0)


def main() -> None:
    """Answer requests from standard input until it closes."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a child inherits what its parent ignores or blocks
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    _limit_room()
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(NICE)
    while True:
        try:
            function, args = pickle.load(requests)
        except EOFError:
            return
        for reply in _answer(function, args):
            pickle.dump(reply, replies, pickle.HIGHEST_PROTOCOL)
            replies.flush()
