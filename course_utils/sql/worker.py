"""Run functions in child processes that can be killed, because no code in the same process can always stop SQLite.

The parent sends a function of an importable module with its arguments, and receives each item that the function
yields. A worker serves one caller at a time and thousands of calls in its life. Its limits cannot be raised by SQL; a
call that reaches one ends the worker, never the parent. They do not protect from code that takes over SQLite itself. A
worker ends with its parent, because its standard input then closes.
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
"""Most memory that a worker may allocate; SQLite gets half of it."""
PATIENCE_S = 30.0
"""Seconds without an item after which a worker is killed, unless the function calls ``limit_time``."""
NICE = 5
"""Niceness of workers, lower in priority than their parent, so that a server responds while queries compute."""
Reply = tuple[Literal["item", "end", "error"], Any]
MAX_IDLE = n_cores()
"""Most idle workers kept for later calls. Busy workers are not limited: there is one per caller."""
AT_ONCE = 50
"""Items that ``run_each`` sends to a worker in one call."""
_idle: "list[_Worker]" = []

Args = TypeVarTuple("Args")
T = TypeVar("T")


class WorkerDiedError(Exception):
    """A worker reached its limit of time ("timeout") or memory ("too large"), or crashed ("other"); see ``kind``."""

    def __init__(self, reason: str, kind: QueryErrorKind) -> None:
        super().__init__(reason)
        self.kind: QueryErrorKind = kind


def run_in_worker(function: Callable[[*Args], Iterable[T]], *args: *Args) -> Iterator[T]:
    """Run a function in a worker, and yield each of its items as soon as it arrives.

    The function is at the top level of an importable module and sets its time limits by ``limit_time``; arguments and
    items are pickled. A caller that stops reading before the end kills the worker.

    Raises:
        WorkerDiedError: The worker reached a limit or crashed.
        Exception: Any exception of the function, except MemoryError, which becomes WorkerDiedError.
    """
    worker = _take()
    reusable = False
    try:
        yield from worker.run(function, args)
        reusable = True
    except MemoryError:  # the worker is not reused, because it may not have freed its memory
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
    """Yield the results of ``function(*args, items)``, one per item, even if single items end their worker.

    The result of such an item is its WorkerDiedError, and a new worker continues with the next item. Unless the item
    ran out of time, it is first retried alone, because items before it may have used up the memory.
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
            alone = error.kind != "timeout" and len(some) > 1
            if not alone and n_done < len(some):  # a worker that dies after its last item leaves nothing to blame
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
            start_new_session=True,  # Ctrl-C must reach only the parent
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
            with suppress(BrokenPipeError):  # closing flushes a request that the dead worker cannot read
                pipe.close()


@atexit.register
def _kill_idle() -> None:
    while _idle:
        _idle.pop().kill()


os.register_at_fork(after_in_child=_idle.clear)  # a forked child must not use its parent's workers


# In the child


def limit_time(seconds: float) -> None:
    """Let the system kill this process after ``seconds``, unless the limit is set again before; 0 removes it.

    SQLite does not call its progress handler while it expands a query or computes one function, and Python's signal
    handlers wait for SQLite too. The system's alarm does not.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def more_room(memory_bytes: int, file_bytes: int) -> Iterator[None]:
    """Within the block, allow ``memory_bytes`` of memory and files up to ``file_bytes``; outside, no file."""
    _limit_room(memory_bytes, file_bytes)
    try:
        yield
    finally:
        _limit_room()


def _limit_room(memory_bytes: int = MEMORY_BYTES, file_bytes: int = 0) -> None:
    _limit(resource.RLIMIT_DATA, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, file_bytes)


def _limit(what: int, value: int) -> None:
    """Set only the soft limit of a resource, because ``more_room`` must raise it again; SQL cannot."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(function: Callable[..., Iterable[Any]], args: tuple[Any, ...]) -> Iterator[Reply]:
    limit_time(PATIENCE_S)
    try:
        for item in function(*args):
            limit_time(0)  # no limit while the parent reads
            yield "item", item
            limit_time(PATIENCE_S)
    except Exception as error:
        if not isinstance(error, CourseError | MemoryError):  # a bug: the note shows the parent where
            error.add_note(traceback.format_exc())
        yield "error", error
    else:
        yield "end", None
    finally:
        limit_time(0)


def main() -> None:
    """Answer requests from standard input until it closes."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # keeps what a library prints out of the replies
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the parent's ignored and blocked signals are inherited
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
