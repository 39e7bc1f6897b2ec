"""The stack as plain processes: the model server, before it the gateway, and before that the web app.

``start_model_server`` and ``start_gateway`` are for notebooks and tests, ``serve_stack`` and ``start_webapp`` for
people: the former runs until Ctrl-C.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from course_utils.artifacts import PROJECT, Course
from course_utils.errors import ServiceError, require
from course_utils.processes import LOOPBACK, SETTINGS_PREFIX, Server, choose_port
from course_utils.profiles import Profile

MODEL_NAME = "course"
"""What requests call the model, whichever it is."""
CONTEXT = 2048
"""Tokens of prompt and reply together, unless a profile needs more."""
_PACKAGES = ("fastapi", "httpx", "prometheus_client", "psycopg", "pydantic_settings", "uvicorn", "xllamacpp")
logger = logging.getLogger(__name__)
_POLL_S = 0.5
_SILENCE_S = 30.0  # a busy machine may keep a healthy server from answering for some seconds
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_STEADY_S = 60.0
_STOP_TIMEOUT_S = 3.0  # it has nothing to save


def start_model_server(gguf: Path, *, adapter: Path | None = None, context: int = CONTEXT, port: int = 0) -> Server:
    """Serve a GGUF file, with an ``adapter`` on it if one is given, by llama.cpp.

    ``context`` are the tokens of each prompt and its reply; port 0 is a free one.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The server does not start.
    """
    require("serve", *_PACKAGES)
    port = choose_port(LOOPBACK, port)
    arguments = ["--model", str(gguf.absolute()), "--port", str(port), "--context", str(context)]
    arguments += ["--adapter", str(adapter.absolute())] if adapter else []
    module = "course_utils.deployment.model_server"
    url = _url(LOOPBACK, port)
    return Server("model server", module, arguments, url=url, health="/health", stop_timeout_s=_STOP_TIMEOUT_S)


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


def start_webapp(gateway_url: str, results: Path, *, port: int = 0, key: str = "") -> Server:
    """Run the web app, for this machine alone, on a free port if ``port`` is 0.

    ``results`` is ``artifacts/<profile>``: there lie the predictions to rate, and there ratings go. Whoever opens the
    app asks the gateway with ``key``, unless they type their own.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or the app does not start.
    """
    require("serve", "httpx", "prometheus_client", "streamlit")
    port = choose_port(LOOPBACK, port)
    script = PROJECT / "course_utils" / "deployment" / "webapp" / "__main__.py"
    options = ["run", str(script), "--server.address", LOOPBACK, "--server.port", str(port)]
    settings = {"GATEWAY_URL": gateway_url, "APP_RESULTS": str(results.absolute()), "APP_KEY": key}
    variables = {SETTINGS_PREFIX + name: value for name, value in settings.items()}
    return Server(
        "web app", "streamlit", options, url=_url(LOOPBACK, port), health="/_stcore/health", settings=variables
    )


def serve_stack(
    course: Course, host: str = LOOPBACK, port: int = 8000, *, when_ready: Callable[[str], None] | None = None
) -> None:
    """Serve the tuned model of a course until Ctrl-C, then stop both processes.

    A model server that ends or falls silent is started again; requests meanwhile get 503 and when to ask again.
    ``COURSE_*`` variables of the environment reach the gateway, ``COURSE_API_KEY`` among them. ``host`` and ``port``
    are the gateway's, as ``start_gateway`` takes them; ``when_ready`` is called with its address once both answer.

    Raises:
        ArtifactError: The data or deployment stage has not run; names the notebook.
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use, a server does not start, or the gateway ends by itself.
    """
    gguf, databases = course.output("deployment", "model.gguf"), course.output("data", "databases")
    settings = {
        "COURSE_MAX_TOKENS": str(course.profile.max_new_tokens),
        "COURSE_FEEDBACK_FILE": str(course.root / "feedback.jsonl"),
        **{name: value for name, value in os.environ.items() if name.startswith(SETTINGS_PREFIX)},
    }
    choose_port(host, port)  # before a model is loaded for nothing
    try:
        with ExitStack() as models:

            def start(model_port: int = 0) -> Server:
                context = context_length(course.profile)
                return models.enter_context(start_model_server(gguf, context=context, port=model_port))

            model_server = start()
            with start_gateway(model_server.url, databases, host=host, port=port, settings=settings) as gateway:
                if when_ready is not None:
                    when_ready(gateway.url)
                _keep_running(model_server, gateway, lambda: start(int(model_server.url.rpartition(":")[2])))
    except KeyboardInterrupt:  # how it is meant to end
        return


def _keep_running(model_server: Server, gateway: Server, restart: Callable[[], Server]) -> NoReturn:
    """Replace a model server that ends or is silent; the pauses grow until one runs steadily."""
    pause_s, started = _FIRST_PAUSE_S, time.monotonic()
    seen = started
    while True:
        time.sleep(_POLL_S)
        gateway.check()
        if model_server.is_healthy():
            seen = time.monotonic()
            pause_s = _FIRST_PAUSE_S if seen - started > _STEADY_S else pause_s
        elif model_server.process.poll() is not None or time.monotonic() - seen > _SILENCE_S:
            state = "silent" if model_server.process.poll() is None else "gone"
            logger.warning(
                "the model server is %s; starting it again in %g s\n%s", state, pause_s, model_server.read_log()
            )
            model_server.stop()
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                model_server = restart()
            except ServiceError as error:
                logger.warning("%s", error)
            started = seen = time.monotonic()


def context_length(profile: Profile) -> int:
    """Tokens that a request needs at most: the longest prompt that training saw and the longest reply."""
    return max(CONTEXT, profile.max_length + profile.max_new_tokens)


def _url(host: str, port: int) -> str:
    reachable = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{reachable}:{port}"
