"""Every expression of every panel and rule returns data: Debian's Prometheus scrapes real servers under traffic."""

import json
import math
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from course_utils.deployment import start_gateway
from course_utils.processes import LOOPBACK, Server, choose_port
from deploy import services
from deploy.services import DEPLOY, start_alertmanager, start_node_exporter
from tests.http_servers import JsonHandler, LocalServer, serve
from tests.programs import run_program
from tests.stack.test_gateway import CHAT, SQL
from tests.stack.test_model_failures import Script
from tests.waiting import comes_true

PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter")
DEADLINE_S = 90
SELECTOR = re.compile(r"\b(?:up|course_\w+|node_\w+|service:[\w:]+|route:[\w:]+)\b(?:{[^}]*})?")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason=f"not all of {', '.join(PROGRAMS)} are installed"
)


@pytest.fixture(scope="module")
def script() -> Iterator[LocalServer]:
    """A model server that does what it is told, for the real one writes no query that runs, and does not fail."""
    with serve(Script) as server:
        yield server


@pytest.fixture(scope="module")
def scripted_gateway(script: LocalServer, databases: Path) -> Iterator[Server]:
    with start_gateway(script.url, databases) as server:
        yield server


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_alertmanager(choose_port(LOOPBACK), tmp_path_factory.mktemp("alertmanager")) as server:
        yield server


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    with start_node_exporter(choose_port(LOOPBACK)) as server:
        yield server


@pytest.fixture(scope="module")
def prometheus(
    gateway: Server,
    scripted_gateway: Server,
    model_server: Server,
    node: Server,
    alertmanager: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """Prometheus with the project's configuration and rules, except the addresses and the scrape interval."""
    folder, port = tmp_path_factory.mktemp("prometheus"), choose_port(LOOPBACK)
    targets = {
        "gateway": [address_of(server) for server in (gateway, scripted_gateway)],
        "model_server": [address_of(model_server)],
        "node": [address_of(node)],
        "prometheus": [f"{LOOPBACK}:{port}"],
        "alertmanager": [address_of(alertmanager)],
    }
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    assert [job["job_name"] for job in config["scrape_configs"]] == [*targets]
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": targets["alertmanager"]}]}]
    config["scrape_configs"] = [
        {"job_name": name, "static_configs": [{"targets": each}]} for name, each in targets.items()
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (
        run_program(["prometheus", *options, f"--web.listen-address={LOOPBACK}:{port}"], port, folder),
        httpx.Client(base_url=f"http://{LOOPBACK}:{port}/api/v1", timeout=30, trust_env=False) as client,
    ):
        yield client


def address_of(server: Server) -> str:
    return server.url.removeprefix("http://")


def send_traffic(gateway: str, scripted: str, script: LocalServer) -> None:
    with httpx.Client(timeout=60, trust_env=False) as client:
        assert client.post(f"{gateway}/v1/sql", json=SQL).status_code == 200
        assert client.post(f"{gateway}/v1/chat/completions", json=CHAT | {"stream": True}).status_code == 200
        for rating in ("up", "down"):
            assert client.post(f"{gateway}/v1/feedback", json={"id": "x", "rating": rating}).status_code == 201
        for script.plan, status in ((("says", "SELECT name FROM singer"), 200), ((500, b"{}"), 502)):
            assert client.post(f"{scripted}/v1/sql", json=SQL).status_code == status


def panel_expressions() -> dict[str, str]:
    """Each expression as Grafana sends it, its variables at their default values."""
    found = {}
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        board = json.loads(path.read_text("utf-8"))
        values = {"__rate_interval": "1m", **{each["name"]: each["query"] for each in board["templating"]["list"]}}
        for panel in board["panels"]:
            for target in panel["targets"]:
                expression = target["expr"]
                for name, value in values.items():
                    expression = expression.replace(f"${name}", value)
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = expression
    return found


def rule_expressions() -> dict[str, str]:
    """Recording rules, and the series that each alert compares, because a silent alert returns no data."""
    found = {}
    for name in ("recording", "alerts"):
        loaded = yaml.safe_load((DEPLOY / "prometheus" / f"{name}.yml").read_text("utf-8"))
        for rule in [rule for group in loaded["groups"] for rule in group["rules"]]:
            if name == "recording":
                found[rule["record"]] = rule["record"]
            selectors = SELECTOR.findall(rule["expr"])
            assert selectors, rule
            found |= {f"{rule.get('alert', rule.get('record'))}: {selector}": selector for selector in selectors}
    return found


def has_data(prometheus: httpx.Client, expression: str) -> bool:
    answer: dict[str, Any] = prometheus.get("/query", params={"query": expression}).json()
    assert answer["status"] == "success", f"{expression}: {answer}"
    return any(math.isfinite(float(sample["value"][1])) for sample in answer["data"]["result"])


def test_every_expression_of_every_panel_and_rule_returns_data(
    prometheus: httpx.Client, gateway: Server, scripted_gateway: Server, script: LocalServer
) -> None:
    silent = panel_expressions() | rule_expressions()
    assert len(silent) > 50
    deadline = time.monotonic() + DEADLINE_S
    while silent and time.monotonic() < deadline:
        send_traffic(gateway.url, scripted_gateway.url, script)
        time.sleep(1)
        silent = {name: expression for name, expression in silent.items() if not has_data(prometheus, expression)}
    assert silent == {}


def find_faults(prometheus: httpx.Client) -> list[str]:
    targets = prometheus.get("/targets").json()["data"]["activeTargets"]
    faults = [f"{each['scrapePool']}: {each['lastError']}" for each in targets if each["health"] != "up"]
    groups = prometheus.get("/rules").json()["data"]["groups"]
    faults += [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    n_alertmanagers = len(prometheus.get("/alertmanagers").json()["data"]["activeAlertmanagers"])
    return faults if n_alertmanagers == 1 else [*faults, f"{n_alertmanagers} Alertmanagers"]


def test_every_target_and_rule_is_well_and_alertmanager_is_found(prometheus: httpx.Client) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (faults := find_faults(prometheus)) and time.monotonic() < deadline:
        time.sleep(1)  # a busy machine keeps a target from answering within its second
    assert faults == []


class Webhook(JsonHandler):
    """Takes messages as Slack does."""

    def do_POST(self) -> None:
        self.server.messages.append(self.read_json())
        self.answer(b"ok")


def test_an_alert_reaches_people_with_links_that_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text("utf-8")
    for name in ("alertmanager", "secrets"):
        (tmp_path / name).mkdir()
    (tmp_path / "alertmanager" / "alertmanager.yml").write_text(config.replace("group_wait: 30s", "group_wait: 1s"))
    monkeypatch.setattr(services, "DEPLOY", tmp_path)
    alert = {
        "labels": {"alertname": "GatewayDown", "severity": "page"},
        "annotations": {"summary": "No gateway answers", "runbook_url": "runbook.md#gatewaydown"},
    }
    with serve(Webhook, messages=[]) as webhook:
        (tmp_path / "secrets" / "alert_webhook").write_text(f"{webhook.url}/hook\n")
        with (
            start_alertmanager(choose_port(LOOPBACK), tmp_path / "data") as server,
            httpx.Client(trust_env=False) as client,
        ):
            assert client.post(f"{server.url}/api/v2/alerts", json=[alert]).status_code == httpx.codes.OK
            assert comes_true(lambda: webhook.messages, 30)  # type: ignore[attr-defined]
            (message,) = webhook.messages[0]["attachments"]  # type: ignore[attr-defined]
            assert message["title"] == "GatewayDown"
            assert message["text"].strip() == "No gateway answers runbook.md#gatewaydown"
            assert message["title_link"].startswith(f"{server.url}/#/alerts")


CAUSES, CONSEQUENCES = {"GatewayDown", "ModelDown"}, ("ErrorBudgetBurns", "LatencyBudgetBurns")


@pytest.mark.parametrize(
    "causes", [{"GatewayDown"}, {"ModelDown"}, CAUSES, set()], ids=lambda each: "-".join(sorted(each))
)
def test_a_cause_silences_its_consequences_and_no_other_cause(tmp_path: Path, causes: set[str]) -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))["groups"]
    fired = {rule["alert"] for group in groups for rule in group["rules"]} - (CAUSES - causes)
    alerts = [{"labels": {"alertname": name}} for name in fired]
    expected = {name for name in fired if causes and name.startswith(CONSEQUENCES)}
    with (
        start_alertmanager(choose_port(LOOPBACK), tmp_path) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        assert client.post("/api/v2/alerts", json=alerts).status_code == httpx.codes.OK

        def read_silent() -> set[str]:
            found = client.get("/api/v2/alerts").json()
            status = {alert["labels"]["alertname"]: alert["status"] for alert in found}
            assert status.keys() == fired
            return {name for name, each in status.items() if each["inhibitedBy"]}

        # Alertmanager takes alerts in first and looks for their causes a moment later.
        assert comes_true(lambda: read_silent() == expected), read_silent()
