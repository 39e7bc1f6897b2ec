"""Our own rules for the manifests, and Kubernetes' schemas where their package is installed."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.files import PROJECT
from course_utils.processes import SETTINGS_PREFIX
from deploy.kubernetes import rules

FOLDER = PROJECT / "deploy" / "kubernetes"
Manifest = dict[str, Any]
KUSTOMIZATION: Manifest = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
MANIFESTS: list[Manifest] = [
    manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
]


FILL: Manifest = yaml.safe_load((FOLDER / "fill.yaml").read_text("utf-8"))


def of_kind(kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


DEPLOYMENTS = of_kind("Deployment")
each_deployment = pytest.mark.parametrize(
    "deployment", [pytest.param(each, id=name) for name, each in DEPLOYMENTS.items()]
)


def pod_of(deployment: Manifest) -> Manifest:
    pod: Manifest = deployment["spec"]["template"]["spec"]
    return pod


def labels_of(deployment: Manifest) -> dict[str, str]:
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


def ports_of(deployment: Manifest) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for each in pod_of(deployment)["containers"] for port in each["ports"]}


def selected(labels: dict[str, str]) -> Iterator[str]:
    return (name for name, each in DEPLOYMENTS.items() if labels.items() <= labels_of(each).items())


def test_every_manifest_is_applied() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "fill.yaml"}
    assert files == {*KUSTOMIZATION["resources"]}


OPERATORS = ("ScaledObject", "PodMonitor", "PrometheusRule")


def test_kubernetes_knows_every_field() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for manifest in [*MANIFESTS, FILL]:
        if manifest["kind"] not in OPERATORS:
            validate.validate(manifest, "1.34", strict=True)


# Models of the operators' own schemas, of KEDA 2.16 and the Prometheus operator 0.80: newer ones need Python 3.14. They
# are no part of the course, so uv installs them for this check. They drop what they do not know.
PACKAGES = ("cloudcoil-models-keda==2.16.1.0", "cloudcoil-models-prometheus-operator==0.80.1.0")
CHECK = """
import json, sys
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule

for manifest in json.load(sys.stdin):
    try:
        read = globals()[manifest["kind"]].model_validate(manifest)
        print(read.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest)
    except ValueError as error:
        print(error, file=sys.stderr)
        print(False)
"""
FAULTS: dict[str, Callable[[Manifest], object]] = {
    "ScaledObject": lambda spec: spec["triggers"][0].update(threshhold="1"),
    "PodMonitor": lambda spec: spec["podMetricsEndpoints"][0].update(interval="soon"),
    "PrometheusRule": lambda spec: spec["groups"][0]["rules"][0].pop("expr"),
}


@pytest.mark.slow
def test_the_operators_know_every_field_and_a_wrong_one_is_noticed() -> None:
    theirs = [manifest for manifest in MANIFESTS if manifest["kind"] in OPERATORS]
    wrong = [*copy.deepcopy({each["kind"]: each for each in theirs}).values()]
    for manifest in wrong:
        FAULTS[manifest["kind"]](manifest["spec"])
    command = [Path(sys.executable).parent / "uv", "run", "--quiet", "--isolated", "--no-project"]
    given = [part for package in PACKAGES for part in ("--with", package)]
    options: Any = {
        "input": json.dumps(theirs + wrong),
        "cwd": "/",
        "capture_output": True,
        "text": True,
        "timeout": 280,
    }
    done = subprocess.run([*command, *given, "python", "-W", "ignore", "-c", CHECK], **options)
    assert done.stdout.split() == ["True"] * len(theirs) + ["False"] * len(FAULTS), done.stderr


@each_deployment
def test_a_pod_may_do_no_more_than_it_must(deployment: Manifest) -> None:
    pod = pod_of(deployment)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"].keys() >= {"cpu", "memory"}
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert container.keys() >= {"readinessProbe", "livenessProbe"}
        assert container["image"] == "small-model-course" or "@sha256:" in container["image"]


@each_deployment
def test_what_a_pod_mounts_is_there_and_writable_parts_are_bounded(deployment: Manifest) -> None:
    claims = of_kind("PersistentVolumeClaim")
    volumes = {volume["name"]: volume for volume in pod_of(deployment)["volumes"]}
    mounted = {mount["name"] for each in pod_of(deployment)["containers"] for mount in each["volumeMounts"]}
    assert mounted == volumes.keys()
    for volume in volumes.values():
        assert volume.get("persistentVolumeClaim", {}).get("claimName", "model") in claims
        assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""})


def test_every_deployment_is_reached_by_its_service_and_by_those_alone_who_may() -> None:
    for name, deployment in DEPLOYMENTS.items():
        service = of_kind("Service")[name]["spec"]
        assert [*selected(service["selector"])] == [name]
        assert {port["targetPort"] for port in service["ports"]} <= ports_of(deployment).keys()
        policy = of_kind("NetworkPolicy")[name]["spec"]
        assert [*selected(policy["podSelector"]["matchLabels"])] == [name]
        opened = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        assert opened == {*ports_of(deployment).values()}
    everybody = of_kind("NetworkPolicy")["deny-all"]["spec"]
    assert (everybody["podSelector"], everybody["policyTypes"]) == ({}, ["Ingress", "Egress"])
    assert "ingress" not in everybody


def test_one_controller_scales_a_deployment_and_a_drained_machine_does_not_end_it() -> None:
    scaled = {each["spec"]["scaleTargetRef"]["name"]: each for each in of_kind("HorizontalPodAutoscaler").values()}
    by_keda = {each["spec"]["scaleTargetRef"]["name"]: each for each in of_kind("ScaledObject").values()}
    assert not scaled.keys() & by_keda.keys()
    assert {*scaled, *by_keda} <= DEPLOYMENTS.keys()
    for name, scaler in (scaled | by_keda).items():
        spec = scaler["spec"]
        assert (
            2
            <= spec.get("minReplicas", spec.get("minReplicaCount"))
            < spec.get("maxReplicas", spec.get("maxReplicaCount"))
        )
        assert "replicas" not in DEPLOYMENTS[name]["spec"]
        budget = of_kind("PodDisruptionBudget")[name]["spec"]
        assert budget["selector"]["matchLabels"].items() <= labels_of(DEPLOYMENTS[name]).items()


def test_the_load_of_a_model_server_is_relative_to_its_places() -> None:
    (container,) = pod_of(DEPLOYMENTS["model"])["containers"]
    n_places = container["args"][container["args"].index("--max-num-seqs") + 1]
    queries = {each["name"]: each["metadata"]["query"] for each in of_kind("ScaledObject")["model"]["spec"]["triggers"]}
    assert queries["busy"] == f"100 * sum(vllm:num_requests_running) / {n_places}"


def test_excess_requests_wait_where_the_autoscalers_look() -> None:
    """At the model servers; and by the CPU time per request that the benchmark measured, a full gateway is scaled."""
    gateways, models = of_kind("HorizontalPodAutoscaler")["gateway"]["spec"], of_kind("ScaledObject")["model"]["spec"]
    (model,), (gateway,) = (pod_of(DEPLOYMENTS[name])["containers"] for name in ("model", "gateway"))
    n_places = int(model["args"][model["args"].index("--max-num-seqs") + 1])
    wait = int(next(each["metadata"]["threshold"] for each in models["triggers"] if each["name"] == "queue"))
    at_once = int(of_kind("ConfigMap")["gateway"]["data"]["COURSE_MAX_CONCURRENT"])
    assert at_once * gateways["minReplicas"] > models["maxReplicaCount"] * (n_places + wait)

    measured = json.loads((PROJECT / "benchmarks" / "results" / "gateway.json").read_text("utf-8"))["model_servers"]
    milliseconds = min(each["gateway"]["cpu_ms"] for each in measured.values())
    requested = float(gateway["resources"]["requests"]["cpu"].removesuffix("m"))
    (metric,) = gateways["metrics"]
    assert at_once * milliseconds > requested * metric["resource"]["target"]["averageUtilization"] / 100


@pytest.mark.parametrize(("name", "n_queries"), [("gateway", 2), ("model", 0)])
def test_a_pod_that_ends_has_time_for_the_requests_that_it_has(name: str, n_queries: int) -> None:
    fields = GatewaySettings.model_fields
    drain_s = fields["model_timeout_s"].default + n_queries * fields["query_timeout_s"].default
    (container,) = pod_of(DEPLOYMENTS[name])["containers"]
    if name == "model":  # by default, vLLM ends them at once
        args = container["args"]
        assert drain_s < (drain_s := int(args[args.index("--shutdown-timeout") + 1]))
    in_vain = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert in_vain + drain_s < pod_of(DEPLOYMENTS[name])["terminationGracePeriodSeconds"]


def test_a_model_server_holds_as_much_as_that_of_compose() -> None:
    (container,) = pod_of(DEPLOYMENTS["model"])["containers"]
    services = yaml.safe_load((FOLDER.parent / "compose.yaml").read_text("utf-8"))["services"]
    command, settings = services["model"]["command"], of_kind("ConfigMap")["gateway"]["data"]
    length = container["args"][container["args"].index("--max-model-len") + 1]
    assert length == command[command.index("--context") + 1]
    assert settings["COURSE_MAX_TOKENS"] == services["gateway"]["environment"]["COURSE_MAX_TOKENS"]


def test_settings_exist_and_lead_to_services() -> None:
    settings = of_kind("ConfigMap")["gateway"]["data"]
    assert settings.keys() <= {SETTINGS_PREFIX + name.upper() for name in GatewaySettings.model_fields}
    services = {
        f"{name}:{port['port']}" for name, service in of_kind("Service").items() for port in service["spec"]["ports"]
    }
    addresses = [value.split("//")[1].split("/")[0] for value in settings.values() if "://" in value]
    assert addresses
    assert {*addresses} <= services
    assert not [name for name in settings if "SECRET" in name or name.endswith("KEY")]


def test_what_the_gateway_writes_is_on_a_volume_and_each_pod_has_an_audit_log_of_its_own() -> None:
    (container,) = pod_of(DEPLOYMENTS["gateway"])["containers"]
    env = {each["name"]: each for each in container["env"]}
    assert env["HOSTNAME"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert "$(HOSTNAME)" in env["COURSE_AUDIT_FILE"]["value"]
    files = [env["COURSE_AUDIT_FILE"]["value"], of_kind("ConfigMap")["gateway"]["data"]["COURSE_FEEDBACK_FILE"]]
    writable = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert {file.rpartition("/")[0] for file in files} <= writable - {"/tmp"}


def test_the_web_app_has_the_settings_that_compose_gives_it_and_reaches_the_gateway() -> None:
    (container,) = pod_of(DEPLOYMENTS["web"])["containers"]
    compose = yaml.safe_load((FOLDER.parent / "compose.yaml").read_text("utf-8"))["services"]["web"]
    settings = {each["name"]: each["value"] for each in container["env"]}
    assert settings.keys() == compose["environment"].keys()
    assert settings["COURSE_GATEWAY_URL"] == compose["environment"]["COURSE_GATEWAY_URL"]
    assert (container["command"], container["args"]) == (compose["entrypoint"], compose["command"])
    (allowed,) = of_kind("NetworkPolicy")["web"]["spec"]["egress"]
    assert [*selected(allowed["to"][0]["podSelector"]["matchLabels"])] == ["gateway"]
    assert {"podSelector": {"matchLabels": {"app": "web"}}} in of_kind("NetworkPolicy")["gateway"]["spec"]["ingress"][
        0
    ]["from"]


def test_the_world_reaches_services_that_exist_and_lets_it_in() -> None:
    (rule,) = of_kind("Ingress")["course"]["spec"]["rules"]
    paths = {each["path"]: each["backend"]["service"]["name"] for each in rule["http"]["paths"]}
    assert paths == {"/v1": "gateway", "/": "web"}
    controller = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
    let_in = {
        name
        for name, each in of_kind("NetworkPolicy").items()
        for rule in each["spec"].get("ingress", ())
        if controller in rule["from"]
    }
    assert let_in == {*paths.values()}


def test_the_readme_makes_every_secret_and_fills_what_is_mounted_read_only_before_it_serves() -> None:
    pods = {name: pod_of(each) for name, each in DEPLOYMENTS.items()}
    read_only = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods.values()
        for volume in pod["volumes"]
        if volume.get("persistentVolumeClaim", {}).get("readOnly")
    }
    filled = {mount["name"]: mount["mountPath"] for mount in FILL["spec"]["containers"][0]["volumeMounts"]}
    assert (
        read_only <= filled.keys() == {each["persistentVolumeClaim"]["claimName"] for each in FILL["spec"]["volumes"]}
    )
    claims = of_kind("PersistentVolumeClaim")
    assert not [name for name, each in claims.items() if "ReadOnlyMany" in each["spec"]["accessModes"]]
    assert FILL["metadata"]["namespace"] == KUSTOMIZATION["namespace"]
    for part in ("securityContext", "automountServiceAccountToken"):  # the namespace lets no other pod in
        assert FILL["spec"][part] == pods["gateway"][part]
    assert FILL["spec"]["containers"][0]["securityContext"] == pods["gateway"]["containers"][0]["securityContext"]

    text = (FOLDER.parent / "README.md").read_text("utf-8").partition("## On Kubernetes")[2]
    script = text.split("```bash\n")[1].split("```")[0]
    before, _, after = script.partition("delete pod fill")
    assert "apply -k deploy/kubernetes" in after
    assert all(f" {path}" in before for path in filled.values())
    tls = {each["secretName"] for each in of_kind("Ingress")["course"]["spec"]["tls"]}
    mounted = {each["secret"]["secretName"] for pod in pods.values() for each in pod["volumes"] if "secret" in each}
    assert all(f"secret tls {name} " in before for name in tls)
    assert all(f"secret generic {name} " in before for name in mounted)
    assert of_kind("Ingress")["course"]["spec"]["ingressClassName"]


def test_the_operators_rules_are_those_of_prometheus() -> None:
    rule = of_kind("PrometheusRule")["course"]
    files = [
        yaml.safe_load((FOLDER.parent / "prometheus" / f"{name}.yml").read_text()) for name in ("recording", "alerts")
    ]
    assert rule["spec"] == {"groups": [group for file in files for group in file["groups"]]}, "run rules.py beside it"
    assert rules.prometheus_rule() == rules.RULES.read_text("utf-8"), "run rules.py beside it"
    (labels,) = KUSTOMIZATION["labels"]
    assert not labels.keys() & {"includeSelectors", "includeTemplates"}  # or no pod were selected any more


def test_keda_asks_the_service_that_the_operator_makes() -> None:
    triggers = of_kind("ScaledObject")["model"]["spec"]["triggers"]
    assert {each["metadata"]["serverAddress"] for each in triggers} == {"http://prometheus-operated.monitoring:9090"}


def test_prometheus_finds_the_jobs_that_the_alerts_name() -> None:
    for name, monitor in of_kind("PodMonitor").items():
        (deployment,) = selected(monitor["spec"]["selector"]["matchLabels"])
        assert f'job="{labels_of(DEPLOYMENTS[name])["job"]}"' in (FOLDER.parent / "prometheus/alerts.yml").read_text()
        assert deployment == name
        assert all(each["port"] in ports_of(DEPLOYMENTS[name]) for each in monitor["spec"]["podMetricsEndpoints"])
