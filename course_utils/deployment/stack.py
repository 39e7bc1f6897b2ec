"""The stack as plain processes: the model server, and before it the gateway.

``running_stack`` is for notebooks and tests, ``serve_stack`` for people: it runs until Ctrl-C.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from course_utils.artifacts import Course
from course_utils.deployment.processes import Server, choose_port, run_server
from course_utils.errors import MissingExtraError
from course_utils.profiles import Profile

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
CONTEXT = 2048
_PACKAGES = ("fastapi", "httpx", "prometheus_client", "uvicorn", "xllamacpp")
_SETTINGS_PREFIX = "COURSE_"
_POLL_S = 0.5


@dataclass(frozen=True)
class Stack:
    """Where the two servers answer."""

    gateway: Server
    model_server: Server

    @property
    def url(self) -> str:
        """The gateway: the address that applications use."""
        return self.gateway.url

    @property
    def model_url(self) -> str:
        """The model server; not for the outside, for it asks no one who they are."""
        return self.model_server.url

    def check(self) -> None:
        """Make sure that both processes still run.

        Raises:
            ServiceError: One has ended.
        """
        self.model_server.check()
        self.gateway.check()

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{server.name}</td><td><code>{server.url}</code></td></tr>"
            for server in (self.gateway, self.model_server)
        )
        return f"<table><tr><th>process</th><th>answers at</th></tr>{rows}</table>"


@contextmanager
def running_model_server(
    gguf: Path, *, host: str = LOOPBACK, port: int = 0, context: int = CONTEXT, n_parallel: int = 4
) -> Iterator[Server]:
    """Serve a GGUF file with llama.cpp until the block ends.

    Args:
        gguf: The model, with its chat template.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        context: Tokens of prompt and reply together, per request.
        n_parallel: Requests answered at the same time.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or the server does not start.
    """
    _require_packages()
    port = choose_port(host, port)
    arguments = ["--model", str(gguf), "--host", host, "--port", str(port)]
    arguments += ["--context", str(context), "--parallel", str(n_parallel)]
    module = "course_utils.deployment.model_server"
    with run_server("model server", module, arguments, url=_url(host, port), health="/health") as server:
        yield server


@contextmanager
def running_gateway(settings: Mapping[str, str], *, host: str = LOOPBACK, port: int = 0) -> Iterator[Server]:
    """Run the gateway until the block ends.

    Args:
        settings: ``COURSE_*`` variables as ``gateway.settings`` describes them; those of this
            process's own environment do not count.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or the gateway does not start.
    """
    _require_packages()
    port = choose_port(host, port)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS_PREFIX)}
    environment = {**inherited, **settings, "COURSE_HOST": host, "COURSE_PORT": str(port)}
    module, url = "course_utils.deployment.gateway", _url(host, port)
    with run_server("gateway", module, [], url=url, health="/health/live", environment=environment) as server:
        yield server


@contextmanager
def running_stack(
    gguf: Path,
    databases: Path,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    context: int = CONTEXT,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Run model server and gateway until the block ends.

    Args:
        gguf: The model.
        databases: Folder with ``<db_id>/<db_id>.sqlite``.
        host: Address of the gateway; the model server stays on the loopback interface.
        port: Port of the gateway; 0 takes a free one.
        context: Tokens of prompt and reply together, per request.
        settings: Further ``COURSE_*`` variables for the gateway.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or a server does not start.
    """
    port = choose_port(host, port)
    with running_model_server(gguf, context=context) as model_server:
        where = {"COURSE_MODEL_URL": model_server.url, "COURSE_DATABASES": str(databases)}
        with running_gateway({**(settings or {}), **where}, host=host, port=port) as gateway:
            yield Stack(gateway, model_server)


def serve_stack(
    course: Course, host: str = LOOPBACK, port: int = 8000, *, when_ready: Callable[[Stack], None] | None = None
) -> None:
    """Serve the tuned model of a course until Ctrl-C, then stop both processes.

    ``COURSE_*`` variables of the environment reach the gateway, ``COURSE_API_KEY`` among them.

    Args:
        course: Whose deployment stage has run.
        host: Address of the gateway.
        port: Port of the gateway; 0 takes a free one.
        when_ready: Called once both answer.

    Raises:
        ArtifactError: The data or deployment stage has not run; names the notebook.
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use, or a server does not start or ends by itself.
    """
    gguf, databases = course.output("deployment", "model.gguf"), course.output("data", "databases")
    settings = {
        "COURSE_MAX_TOKENS": str(course.profile.max_new_tokens),
        "COURSE_FEEDBACK_FILE": str(course.root / "feedback.jsonl"),
        **{name: value for name, value in os.environ.items() if name.startswith(_SETTINGS_PREFIX)},
    }
    context = context_length(course.profile)
    try:
        with running_stack(gguf, databases, host=host, port=port, context=context, settings=settings) as stack:
            logger.info("serving on %s; stop with Ctrl-C", stack.url)
            if when_ready is not None:
                when_ready(stack)
            while True:
                time.sleep(_POLL_S)
                stack.check()
    except KeyboardInterrupt:
        logger.info("stopped")


def context_length(profile: Profile) -> int:
    """Tokens that a request needs at most: the longest prompt that training saw and the longest reply."""
    return max(CONTEXT, profile.max_length + profile.max_new_tokens)


def _require_packages() -> None:
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "serve")


def _url(host: str, port: int) -> str:
    reachable = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{reachable}:{port}"
