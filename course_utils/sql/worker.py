"""A child process that runs one function after the other for its parent, within limits that nothing in it can lift.

The parent sends a function of an importable module with its arguments, and gets each item that the function yields.
Only ``worker_pool`` starts it. It ends with its parent, for then its standard input closes.
"""

import faulthandler
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from course_utils.errors import CourseError

try:
    import resource
except ImportError:  # Windows, where SQLite's own heap limit must do
    resource = None  # type: ignore[assignment]

MEMORY_BYTES = 256 * 2**20
"""All that a worker may allocate, of which SQLite gets the half."""
PATIENCE_S = 30.0
"""A function that sets no limit of its own is killed after so many seconds without an item."""
NICE = 5
"""What waits for queries goes first: a server that answers others while four of them compute."""
Reply = tuple[Literal["item", "end", "error"], Any]


def limit_time(seconds: float) -> None:
    """Let the system kill this process unless the limit is set anew within ``seconds``; 0 takes it away.

    SQLite's progress handler is not asked while SQLite expands a query or computes one function, and Python's own
    handlers wait for it too. This alarm is the system's.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True)
    else:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def more_room(memory_bytes: int, file_bytes: int) -> Iterator[None]:
    """Allow more memory, and files at all, for work that must write them; each in bytes, each file by itself."""
    _limit_room(memory_bytes, file_bytes)
    try:
        yield
    finally:
        _limit_room()


def _limit_room(memory_bytes: int = MEMORY_BYTES, file_bytes: int = 0) -> None:
    if resource:
        _limit(resource.RLIMIT_DATA, memory_bytes)
        _limit(resource.RLIMIT_FSIZE, file_bytes)


def _limit(what: int, value: int) -> None:
    """Lower the soft limit alone: nothing that SQL can reach raises it."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(function: Callable[..., Iterable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Reply]:
    limit_time(PATIENCE_S)
    try:
        for item in function(*args, **kwargs):
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
    if hasattr(signal, "SIGALRM"):  # a child inherits what its parent ignores or blocks
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    _limit_room()
    if resource:
        _limit(resource.RLIMIT_CORE, 0)
        os.nice(NICE)
    while True:
        try:
            function, args, kwargs = pickle.load(requests)
        except EOFError:
            return
        for reply in _answer(function, args, kwargs):
            pickle.dump(reply, replies, pickle.HIGHEST_PROTOCOL)
            replies.flush()
