"""Start the service that the deployment stage made, by its command: the stages share no code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from course_utils.artifacts import Course
from course_utils.processes import LOOPBACK, Server, choose_port

_STOP_TIMEOUT_S = 30.0  # more than the command itself gives each of its two servers
_READY_TIMEOUT_S = 10.0


def start_service(course: Course, folder: Path, *, settings: Mapping[str, str] | None = None) -> Server:
    """Run ``course serve`` and wait until it is ready to answer.

    It writes ``gateway.log`` and the ``feedback.jsonl`` of its users to ``folder``; ``settings`` are further
    ``COURSE_*`` variables of the gateway.

    Raises:
        ServiceError: It ends or is not ready in time; holds the last lines of its log.
    """
    port = choose_port(LOOPBACK)
    options = [f"--{name.lower()}={value}" for name, value in course.parameters.items()]
    return Server(
        "service",
        "course_utils.cli",
        ["serve", *options, f"--port={port}"],
        url=f"http://{LOOPBACK}:{port}",
        health="/health/ready",
        settings={"COURSE_FEEDBACK_FILE": str(folder / "feedback.jsonl"), **(settings or {})},
        log=folder / "gateway.log",
        stop_timeout_s=_STOP_TIMEOUT_S,
    )


def read_readiness(url: str) -> dict[str, Any]:
    """What ``/health/ready`` says of each part; only ``ready: False`` and a reason if nobody answers."""
    import httpx

    try:
        return dict(httpx.get(f"{url}/health/ready", timeout=_READY_TIMEOUT_S, trust_env=False).json())
    except (httpx.HTTPError, ValueError) as error:
        return {"ready": False, "gateway": f"no answer ({type(error).__name__})"}
