"""Run hostile statements one after the other, and measure the memory and files that their workers use."""

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.errors import QueryError
from course_utils.sql import QueryLimits, run_query

_PAUSE_S = 0.005
_TEMPORARY = "etilqs_"
"""How SQLite's temporary files begin."""


@dataclass(frozen=True)
class Attack:
    """What became of one statement; ``outcome`` is ``"rows"`` or the kind of its error."""

    name: str
    outcome: str
    seconds: float
    peak_mib: float
    spilled: bool
    """A worker held a temporary file, which SQLite removes from its folder as soon as it is open."""


def attack(database: Path, statements: Mapping[str, str], limit_s: float) -> Iterator[Attack]:
    """Run each statement by itself with a limit in seconds; an error that is no ``QueryError`` is raised."""
    with _watched() as seen:
        for name, statement in statements.items():
            seen.peak_mib, seen.spilled = 0.0, False
            began = time.perf_counter()
            try:
                run_query(database, statement, QueryLimits(timeout_s=limit_s))
                outcome = "rows"
            except QueryError as error:
                outcome = error.kind
            yield Attack(name, outcome, time.perf_counter() - began, seen.peak_mib, seen.spilled)


def fingerprint(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by its path there."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@dataclass
class _Seen:
    peak_mib: float = 0.0
    spilled: bool = False
    done: threading.Event = field(default_factory=threading.Event)


@contextmanager
def _watched() -> Iterator[_Seen]:
    seen = _Seen()
    watcher = threading.Thread(target=_watch, args=(seen,), daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        seen.done.set()
        watcher.join()


def _watch(seen: _Seen) -> None:
    """Look at the children again and again. Linux alone tells the peak of their memory; elsewhere nothing is seen."""
    while not seen.done.wait(_PAUSE_S):
        for process in _children():
            with suppress(OSError, IndexError, ValueError):  # the process may end at any moment
                status = (process / "status").read_text()
                seen.peak_mib = max(seen.peak_mib, int(status.split("VmHWM:")[1].split()[0]) / 1024)
                open_files = [link.readlink().name for link in (process / "fd").iterdir()]
                seen.spilled |= any(name.startswith(_TEMPORARY) for name in open_files)


def _children() -> list[Path]:
    """Folders in /proc of the children that have begun; one that is about to begin still has its parent's memory."""
    found = []
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # the thread may end at any moment
            found += [Path("/proc") / pid for pid in task.read_text().split()]
    own = Path("/proc/self/cmdline").read_bytes() if found else b""
    return [process for process in found if _command(process) not in (b"", own)]


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
