"""The services of compose.yaml that are no part of the package, each as a plain process on the loopback interface."""

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from course_utils.errors import require
from course_utils.files import PROJECT
from course_utils.processes import LOOPBACK, SETTINGS_PREFIX, Server, choose_port

DEPLOY = PROJECT / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
RULES = Path("/usr/share/modsecurity-crs/rules")
MODSECURITY = Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
OPENSSL = Path("/usr/bin/openssl")
_CERTIFICATE = [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=localhost"]
_CERTIFICATE += ["-addext", f"subjectAltName=DNS:localhost,IP:{LOOPBACK}"]


class Redis(Server):
    """Redis, with the limits of compose.yaml; it writes nothing to disk."""

    def __init__(self, port: int) -> None:
        program, *options = SERVICES["redis"]["command"]
        command = [program, *options, "--bind", LOOPBACK, "--port", str(port)]
        self._port = port
        super().__init__("Redis", "deploy.program", command, url=f"redis://{LOOPBACK}:{port}", health="")

    def answers(self) -> bool:
        """Whether Redis answers PING."""
        return _reply(self._port, b"PING\r\n").startswith(b"+PONG")


class Proxy(Server):
    """nginx with TLS and the OWASP Core Rule Set, as in its container, before ``gateway`` and ``web``, two URLs.

    ``folder`` takes its configuration, ``access.log``, which begins anew, and a certificate for localhost, made once
    and signed by its own key, so that browsers warn. Who calls ``plain_port`` is sent to TLS.
    """

    def __init__(self, gateway: str, web: str, folder: Path, port: int, plain_port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "access.log").unlink(missing_ok=True)
        certificate, key = folder / "certificate", folder / "key"
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except OSError:  # there is none, or it is incomplete: on a full disk openssl leaves empty files, and no error
            subprocess.run([*_CERTIFICATE, "-keyout", key, "-out", certificate], capture_output=True, check=False)
        # Paths are relative to the folder, whose name may have characters to which nginx gives a meaning.
        here = {
            "listen 8080": f"listen {LOOPBACK}:{plain_port}",
            "listen 8443": f"listen {LOOPBACK}:{port}",
            "/run/secrets/tls_": "",
            "/dev/stdout": "access.log",
            " /tmp/": " ",
            "/etc/course/": "",
            # Without a variable, nginx looks a name up once and as this machine does, not by Docker's name server.
            "set $gateway http://gateway:8000;": "",
            "set $web http://web:8501;": "",
            "$gateway": gateway,
            "$web": web,
        }
        for name in ("nginx.conf", "waf.conf"):
            text = (DEPLOY / "proxy" / name).read_text("utf-8")
            text = re.sub("|".join(map(re.escape, here)), lambda found: here[found[0]], text)
            (folder / name).write_text(text, "utf-8")
        # As root nginx would give its workers to another user, who may not enter this folder.
        directives = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
        options = ["-e", "stderr", "-p", "./", "-c", "nginx.conf", "-g", directives]
        command = ["env", f"--chdir={folder}", "nginx", *options]
        self._plain_port = plain_port
        super().__init__("proxy", "deploy.program", command, url=f"https://{LOOPBACK}:{port}", health="")

    def answers(self) -> bool:
        """Whether nginx itself answers, even while the gateway does not."""
        return b" 308 " in _reply(self._plain_port, b"HEAD / HTTP/1.0\r\n\r\n")


def _reply(port: int, request: bytes) -> bytes:
    """The first bytes that a port of this machine sends after ``request``; none if it is closed or silent."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), 1) as connection:
        connection.settimeout(1)
        connection.sendall(request)
        return connection.recv(64)
    return b""


def start_webapp(gateway_url: str, results: Path, *, port: int = 0, key: str = "") -> Server:
    """Start the web app, on a free port if ``port`` is 0.

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
    for name in (LOOPBACK, "localhost"):  # no page's own name made to point here (DNS rebinding), which had our key
        options += ["--server.allowedHosts", name]
    settings = {"GATEWAY_URL": gateway_url, "APP_RESULTS": str(results.absolute()), "APP_KEY": key}
    variables = {SETTINGS_PREFIX + name: value for name, value in settings.items()}
    url = f"http://{LOOPBACK}:{port}"
    return Server("web app", "streamlit", options, url=url, health="/_stcore/health", settings=variables)


def start_node_exporter(port: int) -> Server:
    """Start the exporter of this machine's metrics, such as free disk space."""
    return _start_monitor("node exporter", "prometheus-node-exporter", port, [], health="/")


def start_alertmanager(port: int, folder: Path) -> Server:
    """Start Alertmanager as in its container; without ``deploy/secrets/alert_webhook`` its page alone shows alerts."""
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text("utf-8"))
    webhook = DEPLOY / "secrets" / "alert_webhook"
    for receiver in config["receivers"]:
        receiver["slack_configs"] = [
            {**each, "api_url_file": str(webhook)} for each in receiver["slack_configs"] if webhook.exists()
        ]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config), "utf-8")
    options = [f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}"]
    options.append("--cluster.listen-address=")  # it works alone
    options.append(f"--web.external-url=http://{LOOPBACK}:{port}")  # or links of messages name this machine's host name
    return _start_monitor("Alertmanager", "prometheus-alertmanager", port, options, health="/-/ready")


def start_prometheus(port: int, targets: Mapping[str, str], key: str, folder: Path) -> Server:
    """Start Prometheus with the rules of its container; ``targets`` are URLs by job, ``gateway`` asked with ``key``."""
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
    jobs: dict[str, dict[str, Any]] = {
        name: {"job_name": name, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
        for name, url in {**targets, "prometheus": f"http://{LOOPBACK}:{port}"}.items()
    }
    alertmanagers = [{"static_configs": jobs[name]["static_configs"]} for name in jobs if name == "alertmanager"]
    config["alerting"]["alertmanagers"] = alertmanagers
    if key:
        jobs["gateway"]["authorization"] = {"credentials": key}
    config["scrape_configs"] = [*jobs.values()]
    file = folder / "prometheus.yml"
    file.touch(0o600)  # it may hold the key
    file.write_text(yaml.safe_dump(config), "utf-8")
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    options.append(f"--web.external-url=http://{LOOPBACK}:{port}")  # or links of alerts name this machine's host name
    return _start_monitor("Prometheus", "prometheus", port, options, health="/-/ready")


def _start_monitor(name: str, program: str, port: int, options: list[str], health: str) -> Server:
    """Start one of Prometheus' programs, which share these options."""
    command = [program, *options, f"--web.listen-address={LOOPBACK}:{port}", "--log.level=warn"]
    return Server(name, "deploy.program", command, url=f"http://{LOOPBACK}:{port}", health=health)
