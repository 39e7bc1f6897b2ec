"""The stack as plain processes: the model server, and before it the gateway.

``start_model_server`` and ``start_gateway`` are for notebooks and tests, ``serve_stack`` for people: it runs until
Ctrl-C.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from course_utils.artifacts import Course
from course_utils.errors import require
from course_utils.processes import LOOPBACK, SETTINGS_PREFIX, Server, choose_port
from course_utils.profiles import Profile

MODEL_NAME = "course"
"""What requests call the model, whichever it is."""
CONTEXT = 2048
"""Tokens of prompt and reply together, unless a profile needs more."""
_PACKAGES = ("fastapi", "httpx", "prometheus_client", "pydantic_settings", "uvicorn", "xllamacpp")
_POLL_S = 0.5


def start_model_server(gguf: Path, *, context: int = CONTEXT) -> Server:
    """Serve a GGUF file with llama.cpp, on a free port; ``context`` are the tokens of each prompt and its reply.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The server does not start.
    """
    require("serve", *_PACKAGES)
    port = choose_port(LOOPBACK)
    arguments = ["--model", str(gguf.absolute()), "--port", str(port), "--context", str(context)]
    module = "course_utils.deployment.model_server"
    return Server("model server", module, arguments, url=_url(LOOPBACK, port), health="/health")


def start_gateway(
    model_url: str,
    databases: Path,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    settings: Mapping[str, str] | None = None,
) -> Server:
    """Run the gateway, on a free port if ``port`` is 0.

    ``databases`` is a folder with ``<db_id>/<db_id>.sqlite``, ``settings`` are further ``COURSE_*`` variables as
    ``gateway.settings`` describes them.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or the gateway does not start.
    """
    require("serve", *_PACKAGES)
    port = choose_port(host, port)
    where = {"MODEL_URL": model_url, "DATABASES": str(databases.absolute()), "HOST": host, "PORT": str(port)}
    variables = {**(settings or {}), **{SETTINGS_PREFIX + name: value for name, value in where.items()}}
    module = "course_utils.deployment.gateway"
    return Server("gateway", module, url=_url(host, port), health="/health/live", settings=variables)


def serve_stack(
    course: Course, host: str = LOOPBACK, port: int = 8000, *, when_ready: Callable[[str], None] | None = None
) -> None:
    """Serve the tuned model of a course until Ctrl-C, then stop both processes.

    ``COURSE_*`` variables of the environment reach the gateway, ``COURSE_API_KEY`` among them. ``host`` and ``port``
    are the gateway's, as ``start_gateway`` takes them; ``when_ready`` is called with its address once both answer.

    Raises:
        ArtifactError: The data or deployment stage has not run; names the notebook.
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use, or a server does not start or ends by itself.
    """
    gguf, databases = course.output("deployment", "model.gguf"), course.output("data", "databases")
    settings = {
        "COURSE_MAX_TOKENS": str(course.profile.max_new_tokens),
        "COURSE_FEEDBACK_FILE": str(course.root / "feedback.jsonl"),
        **{name: value for name, value in os.environ.items() if name.startswith(SETTINGS_PREFIX)},
    }
    choose_port(host, port)  # before a model is loaded for nothing
    try:
        with (
            start_model_server(gguf, context=context_length(course.profile)) as model_server,
            start_gateway(model_server.url, databases, host=host, port=port, settings=settings) as gateway,
        ):
            if when_ready is not None:
                when_ready(gateway.url)
            while True:
                time.sleep(_POLL_S)
                model_server.check()
                gateway.check()
    except KeyboardInterrupt:  # how it is meant to end
        return


def context_length(profile: Profile) -> int:
    """Tokens that a request needs at most: the longest prompt that training saw and the longest reply."""
    return max(CONTEXT, profile.max_length + profile.max_new_tokens)


def _url(host: str, port: int) -> str:
    reachable = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{reachable}:{port}"
