"""``make serve``: the services of compose.yaml as plain processes, as far as their programs are installed.

``course serve`` runs the model server and the gateway; this adds the web app, Redis, the proxy and what watches them.
It runs until Ctrl-C, restarts a service that ends or stops answering, and leaves no process behind. Grafana alone is
for containers only.
"""

import logging
import os
import secrets
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from course_utils.artifacts import Course
from course_utils.cli import CourseCommands, with_course
from course_utils.deployment.stack import request_log, start_stack
from course_utils.processes import LOOPBACK, SETTINGS_PREFIX, choose_port
from course_utils.supervision import Servers
from deploy import services

WITHOUT = {
    "redis-server": "Redis is not installed, so the gateway counts usage and caches replies in its own memory. "
    "To get it: apt install redis-server, or brew install redis.",
    "nginx": "nginx with ModSecurity's rules is not installed, so nothing encrypts or filters requests. "
    "To get it: apt install nginx libnginx-mod-http-modsecurity modsecurity-crs openssl.",
    "prometheus": "Prometheus is not installed, so no metrics are kept and no alerts are raised. "
    "To get it: apt install prometheus, or brew install prometheus.",
    "prometheus-alertmanager": "Alertmanager is not installed, so Prometheus' page alone shows alerts. "
    "To get it: apt install prometheus-alertmanager.",
    "prometheus-node-exporter": "Prometheus' node exporter is not installed, so no alert says that a disk is full. "
    "To get it: apt install prometheus-node-exporter.",
}
FILES = {"nginx": (services.MODSECURITY, services.RULES, services.OPENSSL)}
app = typer.Typer(cls=CourseCommands, subcommand_metavar="", add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
@with_course
def serve(
    course: Course,
    host: Annotated[str, typer.Option(help="Address that the gateway listens on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="The gateway's port; 0 takes a free one, as for the other ports.")] = 8000,
    web_port: Annotated[int, typer.Option(help="The web app's port, for this machine alone.")] = 8501,
    proxy_port: Annotated[int, typer.Option(help="The proxy's port, for this machine alone.")] = 8443,
    prometheus_port: Annotated[int, typer.Option(help="Prometheus' port, for this machine alone.")] = 9090,
    alertmanager_port: Annotated[int, typer.Option(help="Alertmanager's port, for this machine alone.")] = 9093,
) -> None:
    """Serve the tuned model with the web app, Redis, the proxy, Prometheus and Alertmanager until Ctrl-C."""
    chosen = (choose_port(LOOPBACK, each) for each in (web_port, proxy_port, prometheus_port, alertmanager_port))
    web_port, proxy_port, prometheus_port, alertmanager_port = chosen
    key = prometheus_key()
    settings = {"COURSE_API_KEY": key}
    with suppress(KeyboardInterrupt), Servers() as servers:
        if is_installed("redis-server"):
            redis = servers.run(partial(services.Redis, choose_port(LOOPBACK)))
            cache_s = services.SERVICES["gateway"]["environment"]["COURSE_CACHE_S"]
            settings |= {"COURSE_REDIS_URL": redis.url, "COURSE_CACHE_S": cache_s}
        model, gateway = start_stack(servers, course, host, port, settings)
        app_key = os.environ.get("COURSE_APP_KEY") or ("" if _wants_keys() else "none")  # empty: its users type one
        web = servers.run(partial(services.start_webapp, gateway.url, course.root, port=web_port, key=app_key))
        where = [f"For people:   {web.url}", f"For programs: {gateway.url}/v1"]
        if is_installed("nginx"):
            folder = (course.root / "proxy").absolute()
            ports = proxy_port, choose_port(LOOPBACK)
            proxy = servers.run(partial(services.Proxy, gateway.url, web.url, folder, *ports))
            where.append(f"Both by TLS:  {proxy.url}")
        if is_installed("prometheus"):
            targets = {"gateway": gateway.url, "model_server": model.url}
            where += watch(servers, targets, key, course.root, prometheus_port, alertmanager_port)
        where += [f"Each request: {request_log(course)}", "Ctrl-C stops everything."]
        typer.echo("\n".join(where))
        servers.keep_running()


def _wants_keys() -> bool:
    """Whether the gateway lets in only who has a key or a token."""
    return any(os.environ.get(SETTINGS_PREFIX + name) for name in ("API_KEY", "KEYS_FILE", "JWT_KEYS"))


def prometheus_key() -> str:
    """The key by which Prometheus asks the gateway: ``COURSE_API_KEY``, or one for this run where it needs one."""
    return os.environ.get("COURSE_API_KEY") or (secrets.token_hex(32) if _wants_keys() else "")


def watch(
    servers: Servers, targets: dict[str, str], key: str, root: Path, port: int, alertmanager_port: int
) -> list[str]:
    """Start Prometheus on ``targets``, with what is installed beside it; returns lines that say where they are."""
    alerts = list[str]()
    if is_installed("prometheus-node-exporter"):
        targets["node"] = servers.run(partial(services.start_node_exporter, choose_port(LOOPBACK))).url
    if is_installed("prometheus-alertmanager"):
        start = partial(services.start_alertmanager, alertmanager_port, root / "alertmanager")
        targets["alertmanager"] = servers.run(start).url
        alerts = [f"Alerts:       {targets['alertmanager']}"]
    prometheus = servers.run(partial(services.start_prometheus, port, targets, key, root / "prometheus"))
    return [f"Numbers:      {prometheus.url}", *alerts]


def is_installed(program: str) -> bool:
    """Whether a program is installed; if not, print what is missing without it and how to install it."""
    if found := shutil.which(program) is not None and all(file.exists() for file in FILES.get(program, ())):
        return found
    typer.echo(WITHOUT[program])
    return False


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    app()
