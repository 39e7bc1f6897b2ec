"""Run Debian's programs as plain processes, each on a free port and in its own folder."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from course_utils.processes import LOOPBACK
from tests.waiting import comes_true

START_S = 60


@contextmanager
def run_program(command: Sequence[str | Path], port: int, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program while the block does; it has started once it listens."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen([*map(str, command)], cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        comes_true(lambda: is_open(port) or process.poll() is not None, START_S)
        assert is_open(port), log.read_text("utf-8")
        yield process
    finally:
        process.terminate()
        process.wait(30)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
