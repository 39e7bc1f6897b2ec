"""Run a server as a child process: choose its port, wait until it is healthy, and always stop it.

A child started here ends with its parent, even a killed one: it holds the reading end of a pipe
and stops when that closes (``stop_with_parent``).
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from course_utils.artifacts import PROJECT
from course_utils.errors import ServiceError

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.05
_LOG_CHARACTERS = 1500


@dataclass(frozen=True)
class Server:
    """A running child process and where it answers."""

    name: str
    url: str
    process: "subprocess.Popen[bytes]"
    log: IO[bytes]

    def check(self) -> None:
        """Make sure that the process still runs.

        Raises:
            ServiceError: It has ended; the message closes with the last lines of its log.
        """
        if self.process.poll() is not None:
            raise ServiceError(
                f"{self.url}: the {self.name} ended with exit code {self.process.returncode}; "
                f"its log closes with:\n{self.read_log()}"
            )

    def read_log(self) -> str:
        """The end of what the process has written."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip()[-_LOG_CHARACTERS:]


def choose_port(host: str, port: int = 0) -> int:
    """A port that a server can take: ``port`` itself, or any free one if it is 0.

    Raises:
        ServiceError: The port is in use, or the host is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":  # there it would let two servers share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServiceError(
                f"{host}:{port}: cannot listen there ({error.strerror}); "
                "stop the program that uses the port, or choose another (0 takes any free one)"
            ) from error
        return int(probe.getsockname()[1])


@contextmanager
def run_server(
    name: str,
    module: str,
    arguments: list[str],
    *,
    url: str,
    health: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run ``python -m module arguments`` until the block ends; enter it once the server is healthy.

    Args:
        name: What messages call it.
        module: Its main module, which must take ``--stop-with-parent``.
        arguments: Of its command line.
        url: Where it will answer.
        health: Path that answers 200 once the server is ready for work.
        environment: Variables for the child; this process's own if None.

    Raises:
        ServiceError: It ends or stays silent instead of becoming healthy.
    """
    command = [sys.executable, "-m", module, *arguments, "--stop-with-parent"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=None if environment is None else dict(environment),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops its children in order
        )
        server = Server(name, url, process, log)
        try:
            _wait_until_healthy(server, health)
            yield server
        finally:
            _stop(process)


def _wait_until_healthy(server: Server, health: str) -> None:
    import httpx

    deadline = time.monotonic() + START_TIMEOUT_S
    with httpx.Client(base_url=server.url, timeout=5.0, trust_env=False) as client:
        while time.monotonic() < deadline:
            server.check()
            try:
                if client.get(health).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(_POLL_S)
    raise ServiceError(
        f"{server.url}: the {server.name} is not healthy after {START_TIMEOUT_S:g} s; "
        f"its log closes with:\n{server.read_log()}"
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def stop_with_parent() -> None:
    """In a child of ``run_server``: end this process when the parent is gone."""

    def wait_for_end_of_input() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_end_of_input, daemon=True).start()
