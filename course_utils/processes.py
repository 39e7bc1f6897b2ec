"""The one way to run child processes: a ``Server`` until it is stopped, or a module to its end by ``run_module``.

A child ends with its parent, even if the parent is killed: ``python -m course_utils.processes MODULE ...`` runs any
module and ends it when standard input closes, a pipe whose other end only the parent holds.
"""

import atexit
import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from random import SystemRandom
from typing import BinaryIO

import psutil

from course_utils.errors import ServiceError
from course_utils.files import PROJECT

LOOPBACK = "127.0.0.1"
SETTINGS_PREFIX = "COURSE_"
_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 10.0
_POLL_S = 0.05
_ANSWER_TIMEOUT_S = 5.0
_LOG_LINES, _LOG_BYTES = 15, 65_536
_OWN_PORTS, _N_TRIES = range(20_000, 32_768), 20  # below the ephemeral ports, which systems give to connections


class Server(AbstractContextManager["Server"]):
    """A child process that runs ``module`` and answers HTTP requests at ``url``; messages call it ``name``.

    The constructor returns once the path ``health`` answers with status 200. The process stops at the end of a ``with``
    block, at ``stop``, or with this process; it has ``stop_timeout_s`` seconds to end by itself before it is killed.
    ``settings`` are its only ``COURSE_*`` variables: this process's own are not passed on, because with the keys of a
    real service it would refuse this process. Output is appended to ``log``; None keeps it only until ``stop``.

    Raises:
        ServiceError: The process ends, or is not ready in time; the message closes with the last lines of its log.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str] = (),
        *,
        url: str,
        health: str,
        settings: Mapping[str, str] | None = None,
        log: Path | None = None,
        stop_timeout_s: float = _STOP_TIMEOUT_S,
    ) -> None:
        self.name, self.url, self._health, self.stop_timeout_s = name, url, health, stop_timeout_s
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS_PREFIX)}
        self._own_folder = tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True)
        self._log = log or Path(self._own_folder.name) / "log"
        with self._log.open("ab") as output:
            self.process = _start(module, arguments, {**inherited, **(settings or {})}, output)
        atexit.register(self.stop)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self._failure(f"ended with exit code {self.process.returncode}")
            if self.answers():
                return
            time.sleep(_POLL_S)
        raise self._failure(f"is not ready after {_START_TIMEOUT_S:g} s")

    def _failure(self, what: str) -> ServiceError:
        return ServiceError(f"{self.url}: the {self.name} {what}; its log closes with:\n{self.read_log()}")

    def read_log(self) -> str:
        """The last lines of the process's output; empty if its log is gone."""
        with suppress(FileNotFoundError), self._log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-_LOG_LINES:])
        return ""

    def find_process(self, module: str) -> psutil.Process:
        """Find the descendant process that runs ``module``, for tests that make it fail; ServiceError if none does."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # the child may have ended meanwhile
                if any(part.endswith(module) for part in child.cmdline()):
                    return child
        raise ServiceError(f"{self.url}: no process of the {self.name} runs {module}; start it again")

    def answers(self) -> bool:
        """Whether the server answers its health check with status 200 within 5 seconds; no proxy is used."""
        from http.client import HTTPException
        from urllib.request import ProxyHandler, build_opener

        opener = build_opener(ProxyHandler({}))
        with suppress(OSError, HTTPException), opener.open(self.url + self._health, timeout=_ANSWER_TIMEOUT_S) as reply:
            return bool(reply.status == 200)
        return False

    def is_healthy(self) -> bool:
        """Whether the process runs and passes its health check."""
        return self.process.poll() is None and self.answers()

    def stop(self) -> None:
        """Terminate the process, kill it after ``stop_timeout_s``, and kill its children; safe to call twice."""
        atexit.unregister(self.stop)
        if self.process.stdin is None or self.process.stdin.closed:
            return
        try:
            _end(self.process, self.stop_timeout_s)
        finally:
            self._own_folder.cleanup()

    def __exit__(self, *_: object) -> None:
        self.stop()


def run_module(module: str, *arguments: str, log: Path | None = None) -> int:
    """Run a module to its end as a child that ends with this process, and return its exit code.

    Its output replaces the content of ``log``, without colours; None sends it to this process's output.
    """
    environment = os.environ | {"FORCE_COLOR": ""} if log else os.environ  # Jupyter kernels set it for their children
    with log.open("wb") if log else nullcontext() as output:
        child = _start(module, arguments, environment, output)
    try:
        return child.wait()
    finally:
        _end(child, _STOP_TIMEOUT_S)


def _start(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], output: BinaryIO | None
) -> "subprocess.Popen[bytes]":
    """Start a module as a child that ends with this process; its output goes to ``output``, else to this process's."""
    return subprocess.Popen(
        [sys.executable, "-m", "course_utils.processes", module, *arguments],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.PIPE,  # closes when this process ends, even if it is killed
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,  # Ctrl-C reaches only this process, which then stops its children in order
    )


def _end(process: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    """Terminate a process, then kill what is left of its process group after ``timeout_s`` seconds at most."""
    _signal(process, signal.SIGTERM)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal to a process's group, which may outlive the process."""
    with suppress(ProcessLookupError, PermissionError):  # macOS denies signals to a process that has just ended
        os.killpg(process.pid, number)


def choose_port(host: str, port: int = 0) -> int:
    """A port that a server can listen on: ``port`` itself, or a random free port if it is 0.

    Raises:
        ServiceError: The port is in use or invalid, or ``host`` is not an address of this machine.
    """
    # Not the system's choice of a port, which it may give to another program's connection before the server starts.
    for number in [port] if port else SystemRandom().sample(_OWN_PORTS, _N_TRIES):
        try:
            with socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
                return number
        except (OSError, OverflowError, UnicodeError) as error:
            refused = error
            if getattr(error, "errno", None) != errno.EADDRINUSE:
                break
    why = getattr(refused, "strerror", refused)
    remedy = "stop the program that uses the port, or choose another (0 takes any free one)"
    raise ServiceError(f"{host}:{port}: cannot listen there ({why}); {remedy}") from refused


def main() -> None:
    """Run the module that the command line names, and end it with SIGTERM when standard input closes."""
    from runpy import run_module

    def end_with_parent() -> None:
        os.read(0, 1)  # nobody writes to this pipe, so the call returns when the parent is gone
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
