"""The files that cannot run here are checked by the tools that read them."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from course_utils.processes import LOOPBACK, choose_port

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SCHEMA = "tests/environments/devcontainer.schema.json"


def run(*command, **options):
    return subprocess.run([*command], cwd=ROOT, capture_output=True, text=True, timeout=120, **options)


def test_the_dockerfiles_pass_hadolint():
    found = run(BIN / "hadolint", "Dockerfile", "deploy/proxy/Dockerfile")
    assert found.returncode == 0, found.stdout


def test_the_dockerfile_opens_jupyterlab_for_an_ordinary_user_with_a_token():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")][-1] == "USER 1000"
    assert "EXPOSE 8888" in lines
    command = json.loads(next(line for line in lines if line.startswith("CMD")).removeprefix("CMD"))
    assert command[:2] == ["jupyter", "lab"]
    # Jupyter reads JUPYTER_TOKEN, and makes a token where it is unset or empty; nothing here switches that off.
    assert not [option for option in command if "token" in option or "password" in option]
    assert not [line for line in lines if line.startswith("ENV") and "TOKEN" in line]


def test_everything_the_dockerfile_copies_is_in_the_context():
    copies = [line.split() for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY")]
    sources = [source for words in copies for source in words[1:-1] if not source.startswith("--")]
    assert all((ROOT / source).exists() for source in sources)
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {source.split("/")[0] for source in sources} & set(ignored)


def test_the_devcontainer_fits_its_schema():
    found = run(BIN / "check-jsonschema", "--schemafile", SCHEMA, ".devcontainer/devcontainer.json")
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_devcontainer_schema_refuses_what_the_specification_does(tmp_path):
    wrong = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    wrong["hostRequirements"]["gpu"] = "maybe"
    wrong["forwardPort"] = [8888]
    (tmp_path / "devcontainer.json").write_text(json.dumps(wrong))
    found = run(BIN / "check-jsonschema", "--schemafile", SCHEMA, str(tmp_path / "devcontainer.json"))
    assert found.returncode == 1
    assert "maybe" in found.stdout
    assert "forwardPort" in found.stdout


def test_the_devcontainer_calls_a_target_that_exists():
    command = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())["postCreateCommand"]
    assert run("make", "--dry-run", *command.split()[1:]).returncode == 0


def test_pre_commit_reads_its_configuration():
    assert run(BIN / "pre-commit", "validate-config").returncode == 0


@pytest.fixture
def hooks():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    return {hook["id"]: hook for hook in local["hooks"]}


def test_pre_commit_runs_tools_that_are_installed(hooks):
    programs = {hook["entry"].split()[0] for hook in hooks.values()}
    assert all((BIN / Path(program).name).exists() for program in programs)


def test_pre_commit_checks_the_types_of_what_mypy_is_told_to(hooks):
    places = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]["files"]
    listed = run("git", "ls-files", *places).stdout.split()
    typed = [name for name in listed if name.endswith(".py")]
    assert typed
    assert [name for name in typed if not re.search(hooks["mypy"]["files"], name)] == []


def test_every_yaml_is_read_by_a_test_here():
    known = {"environment.yml", ".pre-commit-config.yaml"}
    known |= {"deploy/compose.yaml", "deploy/compose.prod.yaml"}  # unit/deployment/test_deploy_files.py
    known |= {"deploy/alertmanager/alertmanager.yml"}  # unit/deployment/test_alerts.py
    known |= {f"deploy/prometheus/{name}.yml" for name in ("prometheus", "recording", "alerts")}
    known |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob("deploy/kubernetes/*.yaml")}  # test_kubernetes.py
    known |= {f"deploy/grafana/provisioning/{name}.yml" for name in ("dashboards/course", "datasources/prometheus")}
    known |= {f"deploy/accelerate/{name}.yaml" for name in ("ddp", "fsdp", "zero2", "zero3")}  # test_accelerate.py
    known |= {f"deploy/cloud/{name}.yaml" for name in ("kubeflow-trainjob", "vertex", "azureml")}  # test_cloud_jobs.py
    listed = run("git", "ls-files", "*.yml", "*.yaml").stdout.split()
    assert set(listed) <= known, "give the new file a schema check"


def test_the_environment_names_conda_packages_and_one_pip_list():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment.keys() == {"name", "channels", "dependencies"}
    assert [type(part) for part in environment["dependencies"]].count(dict) == 1


def test_make_knows_every_target_that_its_help_or_the_readme_names():
    named = set(re.findall(r"\bmake ([a-z][\w-]+)", run("make", "help").stdout))
    named |= set(re.findall(r"`make\s([a-z][\w-]+)", (ROOT / "README.md").read_text("utf-8")))
    assert named >= {"course", "test", "lab", "check", "notebooks", "serve", "bench", "clean", "gpu-check"}
    done = {target: run("make", "--dry-run", target).stderr for target in named}
    assert done == dict.fromkeys(named, "")


@pytest.mark.parametrize("data", ["a b", "it's", 'say "a"', "`id`", "$(id)", "a\\b", "東京"])
def test_make_passes_its_options_to_the_course(tmp_path, data):
    (tmp_path / "course").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')  # stands in, and says what it is given
    (tmp_path / "course").chmod(0o755)
    chosen = {"PROFILE": "laptop", "DATA": data, "MODEL": "m", "ARTIFACTS": "out", "FROM": "training"}
    options = [f"{name}={value.replace('$', '$$')}" for name, value in chosen.items()]
    given = run("make", "--silent", "course", "INSTALL=true", f"BIN={tmp_path}", *options).stdout.splitlines()
    assert given == ["run", *(word for name, value in chosen.items() for word in (f"--{name.lower()}", value))]


def test_make_keeps_the_packages_of_another_python_out(tmp_path):
    (tmp_path / "course").write_text('#!/bin/sh\necho "${PYTHONPATH-none} ${PYTHONHOME-none}"\n')  # stands in
    (tmp_path / "course").chmod(0o755)
    options = ("course", "INSTALL=true", f"BIN={tmp_path}")
    said = run("make", "--silent", *options, env=os.environ | {"PYTHONPATH": "/opt/ros", "PYTHONHOME": "/opt"}).stdout
    assert said == "none none\n"


def test_make_opens_jupyterlab_for_whoever_calls_it(tmp_path):
    settings = {"ServerApp": {"ip": LOOPBACK, "port": choose_port(LOOPBACK), "open_browser": False}}
    (tmp_path / "jupyter_server_config.json").write_text(json.dumps(settings))
    places = {f"JUPYTER_{name}_DIR": str(tmp_path) for name in ("CONFIG", "RUNTIME", "DATA")}
    options = {"env": os.environ | places, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = ["make", "lab", "INSTALL=true", f"BIN={BIN}"]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, **options) as lab:
        has_started = any("is running at" in line for line in lab.stdout)
        os.killpg(lab.pid, signal.SIGTERM)
    assert has_started


def test_make_takes_the_next_python_where_the_first_is_too_old(tmp_path):
    for name, ending in {"python3": "exit 1", "python3.12": "exit 0"}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{ending}\n")
        program.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    planned = run("make", "--dry-run", "install", env={"PATH": path}).stdout
    assert planned.startswith(("python3.12 ", "python3.13 ")), planned


def test_continuous_integration_is_a_valid_script_that_calls_the_readmes_command():
    assert run("bash", "-n", ".ci/run").returncode == 0
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
