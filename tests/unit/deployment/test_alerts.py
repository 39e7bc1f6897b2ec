"""Prometheus' own unit tests of every rule: each fault raises its alert and no other, and health raises none."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from course_utils.files import PROJECT

DEPLOY = PROJECT / "deploy"
SCRAPE_MIN, EVALUATE_MIN = 4, 12
"""Coarse, because the longest windows are days; the shortest one, of 5 minutes, still has its two samples."""
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def groups(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus" / name).read_text("utf-8"))["groups"]
    return found


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in groups(name) for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}
RECORDS = {rule["record"] for rule in rules("recording.yml")}

ASKED = 'route="/v1/sql"'
HEALTHY: dict[str, float] = {
    'up{job="gateway",instance="a"}': 1,
    'up{job="gateway",instance="b"}': 1,
    'up{job="model_server"}': 1,
    'node_filesystem_avail_bytes{fstype="ext4"}': 60,
    'node_filesystem_size_bytes{fstype="ext4"}': 100,
    f'course_requests_total{{{ASKED},method="POST",status="200"}}': 59.88,
    f'course_requests_total{{{ASKED},method="POST",status="503"}}': 0.12,
    f'course_request_seconds_bucket{{{ASKED},le="1.0"}}': 30,
    f'course_request_seconds_bucket{{{ASKED},le="2.5"}}': 59.4,
    f'course_request_seconds_bucket{{{ASKED},le="5.0"}}': 60,
    f'course_request_seconds_bucket{{{ASKED},le="+Inf"}}': 60,
    f"course_request_seconds_count{{{ASKED}}}": 60,
    'course_queries_total{outcome="executed"}': 54,
    'course_queries_total{outcome="failed"}': 6,
    'course_feedback_total{rating="up"}': 0.9,
    'course_feedback_total{rating="down"}': 0.1,
}
"""Values of gauges, and growth of counters per minute."""
GAUGES = ("up", "node_")


def changed(**parts: float) -> dict[str, float | None]:
    """Faults: series, by a unique part of their name, and their values while the fault lasts; None for no series."""
    by_part = {
        "gateway_a": 'up{job="gateway",instance="a"}',
        "gateway_b": 'up{job="gateway",instance="b"}',
        "model": 'up{job="model_server"}',
        "disk": 'node_filesystem_avail_bytes{fstype="ext4"}',
        "answered": f'course_requests_total{{{ASKED},method="POST",status="200"}}',
        "unavailable": f'course_requests_total{{{ASKED},method="POST",status="503"}}',
        "quick": f'course_request_seconds_bucket{{{ASKED},le="2.5"}}',
        "very_quick": f'course_request_seconds_bucket{{{ASKED},le="1.0"}}',
        "timed": f"course_request_seconds_count{{{ASKED}}}",
        "executed": 'course_queries_total{outcome="executed"}',
        "failed": 'course_queries_total{outcome="failed"}',
        "up": 'course_feedback_total{rating="up"}',
        "down": 'course_feedback_total{rating="down"}',
    }
    return {by_part[part]: value for part, value in parts.items()}


GONE = dict.fromkeys([name for name in HEALTHY if name.startswith("course_")])
FAULTS: dict[str, tuple[dict[str, float | None], int, set[str]]] = {
    "none": ({}, 720, set()),
    "all gateways end": (GONE | changed(gateway_a=0, gateway_b=0), 24, {"GatewayDown"}),
    "one of two gateways ends": (changed(gateway_a=0), 48, set()),
    "the model server ends": (  # the second is its consequence, and Alertmanager keeps it silent
        changed(model=0, answered=0, unavailable=60, executed=0, failed=0),
        24,
        {"ModelDown", "ErrorBudgetBurnsFast"},
    ),
    "most requests fail": (changed(answered=15, unavailable=45), 24, {"ErrorBudgetBurnsFast"}),
    "a twentieth fails for long": (changed(answered=57, unavailable=3), 720, {"ErrorBudgetBurnsSlowly"}),
    "one in six fails where seven an hour ask": (changed(answered=0.1, unavailable=0.02), 720, set()),
    "all fail where fifteen an hour ask": (changed(answered=0, unavailable=0.25), 480, {"ErrorBudgetBurnsFast"}),
    "most are slow where six an hour ask": (changed(quick=0.01, very_quick=0, timed=0.1), 720, set()),
    "nearly all are slow": (changed(quick=3, very_quick=1), 60, {"LatencyBudgetBurnsFast"}),
    "a quarter is slow for long": (changed(quick=44), 720, {"LatencyBudgetBurnsSlowly"}),
    "the schema changes": (changed(executed=30, failed=30), 48, {"SqlFailuresRise"}),
    "answers become wrong": (changed(up=0.2, down=0.8), 480, {"FeedbackTurnsBad"}),
    "logs fill the disk": (changed(disk=5), 24, {"DiskFillsUp"}),
}
"""For each fault: the changed series, the minutes until the check, and the alerts that fire."""
HISTORY_MIN = dict.fromkeys(FAULTS, 24 * 60) | {"answers become wrong": 48 * 60}  # compared with a week
STEADY = {
    "service:request_errors:": 0.002,
    "service:slow_questions:": 0.01,
    "service:query_failures:": 0.1,
    "service:bad_ratings:": 0.1,
    "route:requests:": 1.0,
    "route:request_seconds:p95": 2.378,  # 1 + 1.5 * (0.95 - 0.5) / (0.99 - 0.5)
}
"""Values of recording rules for healthy traffic, computed by hand."""


def series(name: str, healthy: float, fault: float | None, history: int, minutes: int) -> dict[str, str]:
    n_before, n_after = history // SCRAPE_MIN, minutes // SCRAPE_MIN
    if name.startswith(GAUGES):
        values = f"{healthy}x{n_before}" + (f" {fault}x{n_after}" if fault is not None else "")
    else:
        gain = healthy * SCRAPE_MIN
        values = f"0+{gain}x{n_before}"
        if fault is not None:
            values += f" {gain * n_before + fault * SCRAPE_MIN}+{fault * SCRAPE_MIN}x{n_after}"
    return {"series": name, "values": values}


def unit_test(name: str, fault: dict[str, float | None], minutes: int, fires: set[str]) -> dict[str, Any]:
    """A test for promtool, which expects the alerts that fire, and silence of all others."""
    expected = {
        alert: {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]} for alert, rule in ALERTS.items()
    }
    history = HISTORY_MIN[name]
    return {
        "name": name,
        "interval": f"{SCRAPE_MIN}m",
        "input_series": [series(each, now, fault.get(each, now), history, minutes) for each, now in HEALTHY.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{history + minutes}m",
                "alertname": alert,
                "exp_alerts": [expected[alert]] if alert in fires else [],
            }
            for alert in ALERTS
        ],
        "promql_expr_test": [steady_value(record) for record in sorted(RECORDS)] if name == "none" else [],
    }


def steady_value(record: str) -> dict[str, Any]:
    (value,) = [value for start, value in STEADY.items() if record.startswith(start)]
    labels = f"{{{ASKED}}}" if record.startswith("route:") else "{}"
    sample = {"labels": labels, "value": value}
    return {"expr": f"round({record}, 0.001)", "eval_time": f"{HISTORY_MIN['none']}m", "exp_samples": [sample]}


@needs_promtool
def test_each_fault_raises_its_alert_and_no_other(tmp_path: Path) -> None:
    assert {alert for _, _, fires in FAULTS.values() for alert in fires} == ALERTS.keys(), "a rule without a fault"
    tests = {
        "rule_files": [str(DEPLOY / "prometheus" / name) for name in ("recording.yml", "alerts.yml")],
        "group_eval_order": [group["name"] for group in groups("recording.yml") + groups("alerts.yml")],
        "evaluation_interval": f"{EVALUATE_MIN}m",
        "tests": [unit_test(name, *fault) for name, fault in FAULTS.items()],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests), "utf-8")
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "tests.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_accepts_its_configuration() -> None:
    command = ["promtool", "check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_scrapes_services_that_exist() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8")
    targets = re.findall(r'"([a-z]+):\d+"|names: \[(\w+)\]', text)
    assert {name for pair in targets for name in pair if name} == {
        "gateway",
        "model",
        "node",
        "alertmanager",
    } & services.keys()


def test_every_alert_has_a_page_that_says_what_to_do() -> None:
    headings = re.findall(r"^## (\w+)$", (DEPLOY / "runbook.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"].endswith(f"/deploy/runbook.md#{name.lower()}")
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_runbooks_commands_name_services_that_exist() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    text = (DEPLOY / "runbook.md").read_text("utf-8")
    commands = re.findall(r"docker compose (?:ps|logs|restart|exec|cp|up|kill) [^`\n]+", text)
    assert len(commands) >= 10
    for command in commands:
        assert services.keys() & {*re.findall(r"[\w-]+", command)}, command


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
def test_alertmanager_accepts_its_configuration_and_wakes_people_for_pages_alone() -> None:
    config = DEPLOY / "alertmanager" / "alertmanager.yml"
    checked = subprocess.run(["amtool", "check-config", config], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for name, rule in ALERTS.items():
        severity = rule["labels"]["severity"]
        command = ["amtool", "config", "routes", "test", f"--config.file={config}", f"severity={severity}"]
        routed = subprocess.run([*command, f"alertname={name}"], capture_output=True, text=True, check=True)
        assert routed.stdout.strip() == f"{severity}s"


def test_what_silences_others_are_alerts_that_exist() -> None:
    text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text("utf-8")
    for pattern in re.findall(r'alertname!?=~?"([^"]+)"', text):
        parts = pattern.split("|")
        assert all(any(re.fullmatch(part, name) for name in ALERTS) for part in parts), pattern


@pytest.mark.parametrize("path", sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")), ids=lambda path: path.stem)
def test_a_dashboard_explains_every_panel_and_reads_the_provisioned_source(path: Path) -> None:
    board = json.loads(path.read_text("utf-8"))
    source = yaml.safe_load((DEPLOY / "grafana" / "provisioning/datasources/prometheus.yml").read_text("utf-8"))
    assert board["uid"] == path.stem
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == source["datasources"][0]["uid"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
