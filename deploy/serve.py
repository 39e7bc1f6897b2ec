"""``make serve``: the services of compose.yaml as plain processes, as far as their programs are installed.

``course serve`` runs the model server and the gateway; this adds the web app, Redis and Prometheus. It runs until
Ctrl-C, restarts a service that ends or stops answering, and leaves no process behind. The proxy, Alertmanager and
Grafana are for machines that others reach, so they run in containers only.
"""

import logging
import os
import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from course_utils.artifacts import Course
from course_utils.cli import CourseCommands, with_course
from course_utils.deployment.stack import request_log, start_stack
from course_utils.errors import require
from course_utils.files import PROJECT
from course_utils.processes import LOOPBACK, SETTINGS_PREFIX, Server, choose_port
from course_utils.supervision import Servers

DEPLOY = PROJECT / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
WITHOUT = {
    "redis-server": "Redis is not installed, so the gateway counts usage and caches replies in its own memory. "
    "To get it: apt install redis-server, or brew install redis.",
    "prometheus": "Prometheus is not installed, so no metrics are kept and no alerts are raised. "
    "To get it: apt install prometheus, or brew install prometheus.",
    "prometheus-node-exporter": "Prometheus' node exporter is not installed, so no alert says that a disk is full. "
    "To get it: apt install prometheus-node-exporter.",
}
app = typer.Typer(cls=CourseCommands, subcommand_metavar="", add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
@with_course
def serve(
    course: Course,
    host: Annotated[str, typer.Option(help="Address that the gateway listens on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="The gateway's port; 0 takes a free one, as for the other ports.")] = 8000,
    web_port: Annotated[int, typer.Option(help="The web app's port, for this machine alone.")] = 8501,
    prometheus_port: Annotated[int, typer.Option(help="Prometheus' port, for this machine alone.")] = 9090,
) -> None:
    """Serve the tuned model with the web app, Redis and Prometheus until Ctrl-C."""
    web_port, prometheus_port = choose_port(LOOPBACK, web_port), choose_port(LOOPBACK, prometheus_port)
    key, settings = os.environ.get("COURSE_API_KEY", ""), dict[str, str]()
    with suppress(KeyboardInterrupt), Servers() as servers:
        if is_installed("redis-server"):
            redis = servers.run(partial(Redis, choose_port(LOOPBACK)))
            cache_s = SERVICES["gateway"]["environment"]["COURSE_CACHE_S"]
            settings = {"COURSE_REDIS_URL": redis.url, "COURSE_CACHE_S": cache_s}
        model, gateway = start_stack(servers, course, host, port, settings)
        has_keys = any(os.environ.get(SETTINGS_PREFIX + name) for name in ("API_KEY", "KEYS_FILE", "JWT_KEYS"))
        app_key = os.environ.get("COURSE_APP_KEY") or ("" if has_keys else "none")
        web = servers.run(partial(start_webapp, gateway.url, course.root, port=web_port, key=app_key))
        where = [f"For people:   {web.url}", f"For programs: {gateway.url}/v1"]
        if is_installed("prometheus"):
            targets = {"gateway": gateway.url, "model_server": model.url}
            if is_installed("prometheus-node-exporter"):
                targets["node"] = servers.run(partial(start_node_exporter, choose_port(LOOPBACK))).url
            start = partial(start_prometheus, prometheus_port, targets, key, course.root / "prometheus")
            where.append(f"Numbers:      {servers.run(start).url}")
        where += [f"Each request: {request_log(course)}", "Ctrl-C stops everything."]
        typer.echo("\n".join(where))
        servers.keep_running()


def is_installed(program: str) -> bool:
    """Whether a program is installed; if not, print what is missing without it and how to install it."""
    if found := shutil.which(program) is not None:
        return found
    typer.echo(WITHOUT[program])
    return False


class Redis(Server):
    """Redis on the loopback interface, with the limits of compose.yaml; it writes nothing to disk."""

    def __init__(self, port: int) -> None:
        program, *options = SERVICES["redis"]["command"]
        command = [program, *options, "--bind", LOOPBACK, "--port", str(port)]
        self._port = port
        super().__init__("Redis", "deploy.program", command, url=f"redis://{LOOPBACK}:{port}", health="")

    def answers(self) -> bool:
        """Whether Redis answers PING."""
        try:
            with socket.create_connection((LOOPBACK, self._port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def start_webapp(gateway_url: str, results: Path, *, port: int = 0, key: str = "") -> Server:
    """Start the web app on the loopback interface, on a free port if ``port`` is 0.

    ``results`` is ``artifacts/<profile>``, which holds the predictions to rate and takes the ratings. The app sends
    ``key`` to the gateway unless its user types another; a gateway without keys accepts any.

    Raises:
        MissingExtraError: A package for serving is not installed.
        ServiceError: The port is in use or the app does not start.
    """
    require("serve", "httpx", "prometheus_client", "streamlit")
    port = choose_port(LOOPBACK, port)
    script = DEPLOY / "webapp" / "__main__.py"
    options = ["run", str(script), "--server.address", LOOPBACK, "--server.port", str(port)]
    settings = {"GATEWAY_URL": gateway_url, "APP_RESULTS": str(results.absolute()), "APP_KEY": key}
    variables = {SETTINGS_PREFIX + name: value for name, value in settings.items()}
    url = f"http://{LOOPBACK}:{port}"
    return Server("web app", "streamlit", options, url=url, health="/_stcore/health", settings=variables)


def start_node_exporter(port: int) -> Server:
    """Start the exporter of this machine's metrics, such as free disk space, on the loopback interface."""
    command = ["prometheus-node-exporter", f"--web.listen-address={LOOPBACK}:{port}"]
    return Server("node exporter", "deploy.program", command, url=f"http://{LOOPBACK}:{port}", health="/")


def start_prometheus(port: int, targets: Mapping[str, str], key: str, folder: Path) -> Server:
    """Start Prometheus with the rules of its container; ``targets`` are URLs by job, the first asked with ``key``."""
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    del config["alerting"]  # no Alertmanager runs here; Prometheus' page /alerts shows what fires
    config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
    jobs: list[dict[str, Any]] = [
        {"job_name": name, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
        for name, url in {**targets, "prometheus": f"http://{LOOPBACK}:{port}"}.items()
    ]
    if key:
        jobs[0]["authorization"] = {"credentials": key}
    config["scrape_configs"] = jobs
    file = folder / "prometheus.yml"
    file.touch(0o600)  # it may hold the key
    file.write_text(yaml.safe_dump(config), "utf-8")
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    options += [f"--web.listen-address={LOOPBACK}:{port}", "--log.level=warn"]
    command, url = ["prometheus", *options], f"http://{LOOPBACK}:{port}"
    return Server("Prometheus", "deploy.program", command, url=url, health="/-/ready")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    app()
