"""Start the gateway of the deployment stage as its own process, and always stop it.

The stages share no code: the gateway is the command ``python -m course_utils.deployment.serve``.
"""

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import PROJECT, Course
from course_utils.errors import ServiceError
from course_utils.profiles import get_profile

if TYPE_CHECKING:
    import psutil

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
"""More than the stack itself gives each of its two servers."""
LOG_TAIL_LINES = 15
_READY_TIMEOUT_S = 10.0
_POLL_S = 0.05
_SETTINGS_PREFIX = "COURSE_"


class Gateway:
    """A running gateway: ``url``, and ``stop()``. Leaving a ``with`` block or Python stops it too.

    It holds the reading end of a pipe from this process, so that it ends even if this one is killed.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log
        atexit.register(self.stop)

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def readiness(self) -> dict[str, Any]:
        """What ``/health/ready`` says of each part; only ``ready: False`` and a reason if nobody answers."""
        return _read_readiness(self.url)

    def find_process(self, module: str) -> "psutil.Process":
        """The process of the stack that runs a Python module, to see what happens when it fails.

        Raises:
            ServiceError: There is none.
        """
        import psutil

        children = psutil.Process(self.process.pid).children(recursive=True)
        found = [child for child in children if any(part.endswith(module) for part in child.cmdline())]
        if not found:
            raise ServiceError(f"{self.url}: no process runs {module}; it ends with the gateway, so start that again")
        return found[0]

    def stop(self) -> None:
        """End the gateway and every process that it started; safe to call twice."""
        atexit.unregister(self.stop)
        _end(self.process)


def gateway(
    course: Course, folder: Path, *, settings: Mapping[str, str] | None = None, timeout_s: float = START_TIMEOUT_S
) -> Gateway:
    """Serve the model of the deployment stage and wait until it is ready to answer.

    Like ``open``: use it in a ``with`` block, or call ``stop()`` on what it returns.

    Args:
        course: Says which profile, data, model and artifacts to serve.
        folder: Where to write ``gateway.log``, ``gateway.url`` and the ``feedback.jsonl`` of its users.
        settings: Further ``COURSE_*`` variables of the gateway. Those of this process do not count: a key
            that guards a real gateway would lock the traffic out of this one.
        timeout_s: Seconds to wait until it is ready.

    Raises:
        ServiceError: It ends or is not ready in time; holds the tail of its log.
    """
    base_model = course.profile.base_model
    options = {
        "--profile": course.profile.name,
        "--data": str(course.data),
        "--model": "" if base_model == get_profile(course.profile.name).base_model else base_model,
        "--artifacts": str(course.root.parent),
        "--port": "0",
        "--url-file": str(folder / "gateway.url"),
    }
    command = [sys.executable, "-m", "course_utils.deployment.serve", "--stop-with-parent"]
    command += [text for option in options.items() for text in option]
    return start_server(
        command,
        url_file=folder / "gateway.url",
        log=folder / "gateway.log",
        settings={"COURSE_FEEDBACK_FILE": str(folder / "feedback.jsonl"), **(settings or {})},
        timeout_s=timeout_s,
    )


def start_server(
    command: list[str],
    *,
    url_file: Path,
    log: Path,
    settings: Mapping[str, str] | None = None,
    timeout_s: float = START_TIMEOUT_S,
) -> Gateway:
    """Start a command that writes its address to ``url_file`` and answers ``/health/ready``.

    Args:
        command: Program and arguments.
        url_file: Where it writes its address; an old file is removed first.
        log: Where to keep what it prints.
        settings: Variables for its environment.
        timeout_s: Seconds to wait until it is ready.

    Raises:
        ServiceError: It ends or is not ready in time; holds the tail of its log.
    """
    url_file.unlink(missing_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS_PREFIX)}
    path = os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH"))))
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # closes when this process dies, however it dies
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env={**inherited, **(settings or {}), "PYTHONPATH": path},
            start_new_session=True,
        )
    try:
        return Gateway(process, _wait_until_ready(process, url_file, log, timeout_s), log)
    except BaseException:
        _end(process)
        raise


def _wait_until_ready(process: "subprocess.Popen[bytes]", url_file: Path, log: Path, timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServiceError(f"the gateway ended with exit code {process.returncode}; {_read_tail(log)}")
        url = url_file.read_text("utf-8").strip() if url_file.is_file() else ""
        if url and _read_readiness(url).get("ready"):
            return url
        time.sleep(_POLL_S)
    raise ServiceError(f"the gateway is not ready after {timeout_s:g} s; {_read_tail(log)}")


def _read_readiness(url: str) -> dict[str, Any]:
    import httpx

    try:
        reply = httpx.get(f"{url}/health/ready", timeout=_READY_TIMEOUT_S, trust_env=False)
        return dict(reply.json())
    except (httpx.HTTPError, ValueError) as error:
        return {"ready": False, "gateway": f"no answer ({type(error).__name__})"}


def _read_tail(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return f"the end of {log}:\n" + "\n".join(lines)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the process to end, then insist. Its servers end with it, even when it is killed."""
    _signal(process, signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.send_signal(number)
    except (ProcessLookupError, PermissionError):
        return
