"""Our own rules for the containers: each has limits, and no more rights than it needs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from course_utils.deployment import context_length
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.files import PROJECT
from course_utils.processes import SETTINGS_PREFIX
from course_utils.profiles import PROFILES
from deploy.webapp import gateway_client

DEPLOY = PROJECT / "deploy"
Service = dict[str, Any]


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text("utf-8"))
    return loaded


COMPOSE, PRODUCTION = read("compose.yaml"), read("compose.prod.yaml")
SERVICES: dict[str, Service] = COMPOSE["services"]
each_service = pytest.mark.parametrize("service", [pytest.param(each, id=name) for name, each in SERVICES.items()])


def test_compose_fits_its_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    files = [DEPLOY / name for name in ("compose.yaml", "compose.prod.yaml")]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@each_service
def test_a_service_has_limits_and_tells_its_health(service: Service) -> None:
    assert service.keys() >= {"cpus", "mem_limit", "pids_limit", "healthcheck", "networks", "restart", "logging"}


@each_service
def test_a_service_can_change_nothing_but_its_own_volumes(service: Service) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "pid", "network_mode", "devices"}
    for volume in service.get("volumes", ()):
        source, *_, last = volume.split(":")
        assert last == "ro" or source in COMPOSE["volumes"], volume  # rslave fails where / is private: Docker Desktop


def test_no_service_is_root_unless_its_image_has_no_other_user() -> None:
    root = {name for name, service in SERVICES.items() if service.get("user", "0").split(":")[0] == "0"}
    assert root == {"ollama"}


@each_service
def test_an_image_is_pinned_by_digest_or_built_here(service: Service) -> None:
    name, _, digest = service["image"].partition("@sha256:")
    assert "build" in service or (len(digest) == 64 and name.rpartition(":")[2][-1].isalnum() and ":" in name)


def test_a_service_waits_until_what_it_needs_is_well() -> None:
    started: set[str] = set()
    while left := SERVICES.keys() - started:
        ready = {name for name in left if SERVICES[name].get("depends_on", {}).keys() <= started}
        assert ready, f"{left} wait for each other"
        started |= ready
    conditions = [each for service in SERVICES.values() for each in service.get("depends_on", {}).values()]
    assert conditions
    assert all(each == {"condition": "service_healthy"} for each in conditions)


def test_the_proxy_alone_is_open_to_the_world_and_only_in_production() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert {name for name, service in PRODUCTION["services"].items() if "ports" in service} == {"proxy"}
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("model", "gateway", "web", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_secrets_are_files_that_git_and_images_leave_out_and_the_readme_makes(tmp_path: Path) -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert used == COMPOSE["secrets"].keys()
    script = (DEPLOY / "README.md").read_text("utf-8").split("```bash\n")[1].split("```")[0]
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {f"./{path.relative_to(tmp_path)}" for path in tmp_path.glob("secrets/*")} == {
        secret["file"] for secret in COMPOSE["secrets"].values()
    }
    assert (tmp_path / "secrets").stat().st_mode & 0o77 == 0
    assert all("deploy/secrets" in (PROJECT / name).read_text("utf-8") for name in (".gitignore", ".dockerignore"))
    for service in SERVICES.values():
        loose = {name for name in service.get("environment", {}) if "PASSWORD" in name or name.endswith("KEY")}
        assert all(name.endswith("__FILE") for name in loose)


def test_the_gateway_gets_settings_that_exist() -> None:
    known = {SETTINGS_PREFIX + name.upper() for name in GatewaySettings.model_fields}
    gateway = SERVICES["gateway"]
    assert gateway["environment"].keys() | set(gateway["secrets"]) <= known


def test_what_the_gateway_writes_is_on_a_volume_and_each_container_has_an_audit_log_of_its_own() -> None:
    gateway = SERVICES["gateway"]
    targets = {volume.split(":")[1] for volume in gateway["volumes"] if not volume.endswith(":ro")}
    written = {name: value for name, value in gateway["environment"].items() if name.endswith("_FILE")}
    assert {value.rpartition("/")[0] for value in written.values()} == targets
    assert "$$HOSTNAME" in written["COURSE_AUDIT_FILE"]  # compose passes it on as $HOSTNAME


def test_files_that_are_mounted_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            if volume.startswith("./"):
                assert (DEPLOY / volume.split(":")[0]).exists(), volume


def test_no_option_is_for_swarm_only() -> None:
    for services in (SERVICES, PRODUCTION["services"]):
        assert all(service.get("deploy", {}).keys() <= {"replicas"} for service in services.values())


def test_production_takes_images_of_a_registry_and_changes_services_that_exist() -> None:
    for name, service in PRODUCTION["services"].items():
        assert name in SERVICES
        assert service["restart"] == "always"
        if "build" in SERVICES[name]:
            assert service["image"].startswith("${COURSE_")
            assert ":?" in service["image"]
            assert service["pull_policy"] == "always"


def seconds(limit: str) -> float:
    return float(limit[:-1]) * {"s": 1, "m": 60, "h": 3600}[limit[-1]]


def test_clients_wait_longer_than_the_gateway_takes() -> None:
    takes = {name: GatewaySettings.model_fields[f"{name}_timeout_s"].default for name in ("model", "query")}
    longest = 2 * (2 * takes["model"] + 2 * takes["query"])  # for a place and for the answer, twice if a canary fails
    proxy = (DEPLOY / "proxy" / "nginx.conf").read_text("utf-8")
    (limit,) = re.findall(r"location @gateway {[^}]*proxy_read_timeout (\w+);", proxy)
    assert longest < seconds(limit) == gateway_client._TIMEOUT_S


def test_a_stopped_service_may_finish_its_requests() -> None:
    takes = {name: GatewaySettings.model_fields[f"{name}_timeout_s"].default for name in ("model", "query")}
    drain_s = takes["model"] + 2 * takes["query"]
    proxy = (DEPLOY / "proxy" / "nginx.conf").read_text("utf-8")
    (limit,) = re.findall(r"^worker_shutdown_timeout (\w+);", proxy, re.MULTILINE)
    assert SERVICES["proxy"]["stop_signal"] == "SIGQUIT"
    assert drain_s < seconds(SERVICES["gateway"]["stop_grace_period"])
    assert drain_s < seconds(limit) < seconds(SERVICES["proxy"]["stop_grace_period"])


def test_a_model_server_holds_the_longest_prompt_and_reply_of_any_profile() -> None:
    command, environment = SERVICES["model"]["command"], SERVICES["gateway"]["environment"]
    assert command[command.index("--context") + 1] == str(max(map(context_length, PROFILES.values())))
    assert environment["COURSE_MAX_TOKENS"] == str(max(each.max_new_tokens for each in PROFILES.values()))
