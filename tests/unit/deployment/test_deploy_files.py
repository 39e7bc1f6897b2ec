import re
import shutil
import subprocess
import sys

import pytest
import yaml

from course_utils.artifacts import PROJECT
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.processes import SETTINGS_PREFIX

DEPLOY = PROJECT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"


def test_compose_fits_its_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gateway_gets_settings_that_exist_and_no_default_key() -> None:
    environment = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["gateway"]["environment"]
    assert environment.keys() <= {SETTINGS_PREFIX + name.upper() for name in GatewaySettings.model_fields}
    assert environment["COURSE_API_KEY"].startswith("${COURSE_API_KEY:?")


def test_only_the_loopback_interface_is_published() -> None:
    for service in yaml.safe_load(COMPOSE.read_text("utf-8"))["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_no_service_may_take_all_memory_or_processes() -> None:
    for name, service in yaml.safe_load(COMPOSE.read_text("utf-8"))["services"].items():
        assert service.keys() >= {"mem_limit", "pids_limit"}, name


def test_prometheus_scrapes_services_that_exist() -> None:
    services = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    targets = re.findall(r'"(\w+):\d+"', (DEPLOY / "prometheus.yml").read_text("utf-8"))
    assert targets
    assert set(targets) <= services.keys()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_accepts_its_configuration() -> None:
    command = ["promtool", "check", "config", str(DEPLOY / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
