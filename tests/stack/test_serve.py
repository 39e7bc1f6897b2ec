"""``make serve`` for real: every service answers, comes back when it dies, and is gone at the end."""

import os
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from course_utils.artifacts import Course
from course_utils.files import read_jsonl
from course_utils.processes import LOOPBACK, Server, choose_port
from deploy.serve import app, is_installed, prometheus_key
from tests.waiting import comes_true

PROGRAMS = ("redis-server", "nginx", "prometheus", "prometheus-alertmanager", "prometheus-node-exporter")
PORTS = ("port", "web-port", "proxy-port", "prometheus-port", "alertmanager-port")
DEADLINE_S = 120
pytestmark = pytest.mark.takes(25)


@contextmanager
def serving(course: Course, folder: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    ports = {name: choose_port(LOOPBACK) for name in PORTS}
    options = [f"--{name}={port}" for name, port in ports.items()]
    options += [f"--{name.lower()}={value}" for name, value in course.parameters.items()]
    urls = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
    settings = {"COURSE_KEYS_FILE": str(folder / "keys.sqlite"), "COURSE_MAX_TOKENS": "8"}
    where = {"url": urls["port"], "health": "/health/live", "log": folder / "serve.log"}
    with Server("serve", "deploy.serve", options, settings=settings, stop_timeout_s=60, **where) as server:  # type: ignore[arg-type]
        yield server, urls


def all_answer(*urls: str, verify: ssl.SSLContext | bool = True) -> bool:
    try:
        return all(httpx.get(url, verify=verify, timeout=5, trust_env=False).is_success for url in urls)
    except httpx.HTTPError:
        return False


@pytest.mark.skipif(not all(map(is_installed, PROGRAMS)), reason=f"not all of {', '.join(PROGRAMS)} are installed")
def test_all_services_answer_come_back_and_end(make_course: Callable[..., Course], tmp_path: Path) -> None:
    course = make_course()
    with serving(course, tmp_path) as (server, urls):
        app_health, ready = f"{urls['web-port']}/_stcore/health", f"{urls['port']}/health/ready"
        ready_pages = [f"{urls[name]}/-/ready" for name in ("prometheus-port", "alertmanager-port")]
        assert comes_true(lambda: all_answer(app_health, *ready_pages), DEADLINE_S)
        state = httpx.get(ready).json()
        assert (state["ready"], state["redis"]) == (True, "")

        with httpx.Client(base_url=f"{urls['prometheus-port']}/api/v1", trust_env=False) as prometheus:

            def states() -> dict[str, str]:
                targets = prometheus.get("/targets").json()["data"]["activeTargets"]
                return {each["scrapePool"]: each["health"] for each in targets}

            all_up = dict.fromkeys(("gateway", "model_server", "node", "alertmanager", "prometheus"), "up")
            assert comes_true(lambda: states() == all_up, DEADLINE_S)
            rules = [rule for group in prometheus.get("/rules").json()["data"]["groups"] for rule in group["rules"]]
            assert "GatewayDown" in {rule["name"] for rule in rules}
            assert len(prometheus.get("/alertmanagers").json()["data"]["activeAlertmanagers"]) == 1

        trusted = ssl.create_default_context(cafile=str(course.root / "proxy" / "certificate"))
        by_proxy = urls["proxy-port"].replace("http:", "https:")
        assert all_answer(f"{by_proxy}/health/live", f"{by_proxy}/_stcore/health", verify=trusted)
        assert httpx.get(f"{by_proxy}/v1/models?id=1' OR '1'='1", verify=trusted, trust_env=False).status_code == 403

        found = psutil.Process(server.process.pid).children(recursive=True)
        names = ("redis-server", "prometheus", "prometheus-alertmanager", "nginx")
        programs = [each for each in found if each.name() in names]
        assert {each.name() for each in programs} == {*names}
        gateway = server.find_process("deployment.gateway")
        for each in (*programs, gateway):
            each.kill()
        assert comes_true(lambda: all_answer(ready, *ready_pages), DEADLINE_S)
        assert comes_true(lambda: all_answer(f"{by_proxy}/health/live", verify=trusted), DEADLINE_S)
        assert comes_true(lambda: httpx.get(ready).json()["redis"] == "", DEADLINE_S)
        httpx.get(f"{urls['port']}/v1/models")
        restarted = ("Redis", "Prometheus", "Alertmanager", "proxy", "gateway")
        log = (tmp_path / "serve.log").read_text("utf-8")
        assert all(f"the {name} is gone; starting it again" in log for name in restarted)
        everything = psutil.Process(server.process.pid).children(recursive=True)
    assert server.process.returncode == 0
    rows = [row for row in read_jsonl(course.root / "requests.jsonl") if row["message"] == "request"]
    assert {(row["route"], row["status"]) for row in rows if row["status"] < 500} == {("/v1/models", 401)}
    assert psutil.wait_procs(everything, 10)[1] == []


def test_nothing_outlives_a_killed_parent(make_course: Callable[..., Course], tmp_path: Path) -> None:
    with serving(make_course(), tmp_path) as (server, _):
        everything = psutil.Process(server.process.pid).children(recursive=True)
        os.kill(server.process.pid, signal.SIGKILL)
        assert psutil.wait_procs(everything, 30)[1] == []


def test_a_refusal_is_one_sentence_and_exit_status_2_as_of_every_command(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["--artifacts", str(tmp_path)])
    assert refused.exit_code == 2
    assert "run notebooks/05_deployment.ipynb" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_prometheus_has_a_key_where_the_gateway_wants_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COURSE_API_KEY", "COURSE_KEYS_FILE", "COURSE_JWT_KEYS"):
        monkeypatch.delenv(name, raising=False)
    assert prometheus_key() == ""
    monkeypatch.setenv("COURSE_JWT_KEYS", "jwks.json")
    assert len({prometheus_key(), prometheus_key(), ""}) == 3, "each run has its own"
    monkeypatch.setenv("COURSE_API_KEY", "open-sesame")
    assert prometheus_key() == "open-sesame"


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_missing_is_said_with_how_to_get_it(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert not is_installed(program)
    assert f"apt install {program}" in capsys.readouterr().out
