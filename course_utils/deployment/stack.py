"""Start the model server and the gateway as plain processes; ``deploy/serve.py`` adds the other services."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from course_utils.artifacts import Course
from course_utils.errors import require
from course_utils.processes import LOOPBACK, SETTINGS_PREFIX, Server, choose_port
from course_utils.profiles import Profile
from course_utils.supervision import Servers

MODEL_NAME = "course"
"""The model's name in requests, whichever model it is."""
CONTEXT = 2048
"""Tokens of prompt and reply together, unless a profile needs more."""
_MARGIN_S = 10.0  # beyond what the gateway's requests may take; an idle gateway ends at once
_PACKAGES = ("fastapi", "httptools", "prometheus_client", "psycopg", "pydantic_settings", "uvicorn", "xllamacpp")


def start_model_server(gguf: Path, *, adapter: Path | None = None, context: int = CONTEXT, port: int = 0) -> Server:
    """Serve a GGUF file by llama.cpp, with a GGUF ``adapter`` on it if one is given.

    ``context`` is the number of tokens of a prompt and its reply together; port 0 takes a free one.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or the server does not start.
    """
    require("serve", *_PACKAGES)
    port = choose_port(LOOPBACK, port)
    arguments = ["--model", str(gguf.absolute()), "--port", str(port), "--context", str(context)]
    arguments += ["--adapter", str(adapter.absolute())] if adapter else []
    module, url = "course_utils.deployment.model_server", f"http://{LOOPBACK}:{port}"
    return Server("model server", module, arguments, url=url, health="/health", stop_timeout_s=3.0)  # it saves nothing


def start_gateway(
    model_url: str, databases: Path, *, host: str = LOOPBACK, port: int = 0, settings: Mapping[str, str] | None = None
) -> Server:
    """Start the gateway before a model server; port 0 takes a free one.

    ``databases`` is a folder with ``<db_id>/<db_id>.sqlite``; ``settings`` are further ``COURSE_*`` variables, which
    ``gateway.settings`` describes.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or the gateway does not start.
    """
    require("serve", *_PACKAGES)
    from course_utils.deployment.gateway.settings import GatewaySettings

    port = choose_port(host, port)
    where = {"MODEL_URL": model_url, "DATABASES": str(databases.absolute()), "HOST": host, "PORT": str(port)}
    variables = {**(settings or {}), **{SETTINGS_PREFIX + name: value for name, value in where.items()}}
    reachable = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    module, url = "course_utils.deployment.gateway", f"http://{reachable}:{port}"
    server = Server("gateway", module, url=url, health="/health/live", settings=variables)
    given = {name: variables.get(f"{SETTINGS_PREFIX}{name.upper()}") for name in ("model_timeout_s", "query_timeout_s")}
    taken: Any = {name: float(text) for name, text in given.items() if text}
    server.stop_timeout_s = _MARGIN_S + GatewaySettings.model_construct(**taken).drain_s
    return server


def start_stack(
    servers: Servers, course: Course, host: str = LOOPBACK, port: int = 8000, settings: Mapping[str, str] | None = None
) -> tuple[Server, Server]:
    """Start the model server of a course's tuned model and the gateway before it, among ``servers``.

    ``host`` and ``port`` are the gateway's. Its settings are ``settings`` and the ``COURSE_*`` variables of the
    environment, such as ``COURSE_API_KEY``, which have priority. It logs requests to the file ``request_log``. While
    the model server is down, requests get 503 with ``Retry-After``.

    Raises:
        ArtifactError: The data or deployment stage has not run; names the notebook.
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or a server does not start.
    """
    gguf, databases = course.output("deployment", "model.gguf"), course.output("data", "databases")
    variables = {"COURSE_MAX_TOKENS": str(course.profile.max_new_tokens)}
    variables |= {"COURSE_FEEDBACK_FILE": str(course.root / "feedback.jsonl"), **(settings or {})}
    variables |= {name: value for name, value in os.environ.items() if name.startswith(SETTINGS_PREFIX)}
    variables["COURSE_LOG_FILE"] = request_log(course)
    port, model_port = choose_port(host, port), choose_port(LOOPBACK)  # fail before a model is loaded
    model = servers.run(lambda: start_model_server(gguf, context=context_length(course.profile), port=model_port))
    return model, servers.run(lambda: start_gateway(model.url, databases, host=host, port=port, settings=variables))


def request_log(course: Course) -> str:
    """The gateway's log of requests: ``COURSE_LOG_FILE``, or ``requests.jsonl`` beside the course's results."""
    return os.environ.get("COURSE_LOG_FILE") or str(course.root / "requests.jsonl")


def context_length(profile: Profile) -> int:
    """Tokens that a request needs at most, the longest prompt of training plus the longest reply; or ``CONTEXT``."""
    return max(CONTEXT, profile.max_length + profile.max_new_tokens)
