"""The images are built from their own Dockerfiles, and what is in them runs.

buildah needs no engine: it builds in a chroot. Where no registry can be reached, debootstrap makes the images that
ours begin with, of the Debian packages that they consist of.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from course_utils.files import PROJECT

BUILD_S = 1500
TORCH = os.environ.get("COURSE_TEST_IMAGES", "").replace("1", "cpu")
PROGRAMS = ("buildah", "debootstrap", "ip", "openssl", "unshare")
pytestmark = [
    pytest.mark.timeout(2 * BUILD_S),
    pytest.mark.skipif(not TORCH, reason="COURSE_TEST_IMAGES=cpu builds the images, =cuda the course's for a GPU"),
    pytest.mark.skipif(
        not (all(map(shutil.which, PROGRAMS)) and os.geteuid() == 0),
        reason=f"Debian's {', '.join(PROGRAMS)} are not all installed, or this is not root",
    ),
]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PIP_FINDS = (sys.executable, "-m", "pip", "config", "get", "global.find-links")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_S)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout.strip()


def have_base(name: str, packages: str, folder: Path) -> None:
    """Pull an image, or make it from the Debian release that its name ends with."""
    if subprocess.run(["buildah", "pull", "--quiet", f"docker.io/library/{name}"], capture_output=True).returncode:
        release, site = "bookworm", run("apt-get", "indextargets", "--format", "$(SITE)").splitlines()[0]
        run("debootstrap", "--variant=minbase", f"--include={packages}", release, folder / "system", site)
        container = run("buildah", "from", "scratch")
        run("buildah", "add", "--quiet", container, folder / "system", "/")
        run("buildah", "commit", "--quiet", "--rm", container, f"docker.io/library/{name}")


def build(name: str, context: Path, *options: str) -> None:
    run("buildah", "build", "--isolation", "chroot", "--pull=never", "--tag", name, *options, context)


@contextmanager
def container_of(image: str) -> Iterator[str]:
    container = run("buildah", "from", "--pull=never", image)
    try:
        yield container
    finally:
        run("buildah", "rm", container)
        run("buildah", "rmi", image)


def run_inside(container: str, *command: str) -> str:
    return run("buildah", "run", "--isolation", "chroot", container, "--", *command)


# What compose.yaml asks of an engine: a root that nobody writes to, a /tmp, volumes, a network of its own.
LIKE_COMPOSE = """
set -eu
root=$1 user=$2
shift 2
ip link set lo up
echo 127.0.0.1 localhost model gateway redis > "$root/etc/hosts"
mount --bind "$root" "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for volume in "$@"; do
    mkdir -p "$root${volume#*:}"
    mount --bind "${volume%%:*}" "$root${volume#*:}"
done
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" "$root" bash -eu
"""


def run_like_compose(container: str, user: str, volumes: dict[Path, str], script: str) -> list[str]:
    """The output lines of a script, run as a user in a container as compose.yaml describes it, then stopped."""
    alone = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-c", LIKE_COMPOSE, "-"]
    mounts = [f"{here}:{there}" for here, there in volumes.items()]
    command = [*alone, run("buildah", "mount", container), user, *mounts]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.splitlines()


ASK_PROXY = """
for path in /metrics "/?q=<script>alert(1)</script>"; do
    curl --insecure --silent --globoff --retry 30 --retry-delay 1 --retry-connrefused --output /dev/null \\
        --write-out "%{http_code}\\n" "https://127.0.0.1:8443$path"
done
"""


def test_the_proxys_image_starts_with_its_rules(tmp_path: Path) -> None:
    have_base("debian:bookworm-slim", "ca-certificates", tmp_path)
    build("course-proxy-test", PROJECT / "deploy" / "proxy")
    files = ["-keyout", tmp_path / "tls_key", "-out", tmp_path / "tls_certificate"]
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", *files)
    for path, mode in {tmp_path: 0o755, tmp_path / "tls_key": 0o644}.items():
        path.chmod(mode)
    (last,) = re.findall(r"^CMD (.*)", (PROJECT / "deploy" / "proxy" / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    script = f"{shlex.join(json.loads(last))} | cat >&2 &{ASK_PROXY}"
    with container_of("course-proxy-test") as container:
        said = run_like_compose(container, "33:33", {tmp_path: "/run/secrets"}, script)
    assert said == ["404", "403"]  # one is for operators alone, the other is refused by a rule


@pytest.fixture(scope="module")
def course_container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    have_base("python:3.11-slim-bookworm", "python3,python3-venv,ca-certificates", folder)
    # pip and uv trust what this machine trusts, which may be behind a proxy, and pip finds torch's CPU build where this
    # machine's does: PyPI's alone carries gigabytes of CUDA. An image keeps nothing of what is mounted.
    volumes = ["--volume=/etc/ssl/certs:/etc/ssl/certs:ro"]
    settings = f"[global]\ncert = {CERTIFICATES}\n"
    wheels = subprocess.run(PIP_FINDS, capture_output=True, text=True).stdout.strip()
    if Path(wheels).is_absolute() and TORCH == "cpu":  # else pip would prefer that build
        volumes.append(f"--volume={wheels}:{wheels}:ro")
        settings += f"find-links = {wheels}\n"
    for place, text in {"/etc/pip.conf": settings, "/etc/uv/uv.toml": "native-tls = true\n"}.items():
        file = folder / Path(place).name
        file.write_text(text, "utf-8")
        volumes.append(f"--volume={file}:{place}:ro")
    build("course-test", PROJECT, f"--build-arg=TORCH={TORCH}", *volumes)
    with container_of("course-test") as container:
        yield container


def test_the_courses_image_runs_its_first_notebook(course_container: str) -> None:
    assert run_inside(course_container, "id", "-u") == "1000"
    assert "jupyterlab" in run_inside(course_container, "jupyter", "--version")
    has_cuda = run_inside(course_container, "python", "-c", "import torch; print(torch.backends.cuda.is_built())")
    assert has_cuda == str(TORCH == "cuda")
    assert "01_setup.ipynb: done" in run_inside(course_container, "course", "run", "--until", "setup")


ASK = """
import json, urllib.request as r
print(b"Streamlit" in r.urlopen("http://127.0.0.1:8501").read())
headers = {"Authorization": "Bearer open-sesame", "Content-Type": "application/json"}
body = json.dumps({"database": "music", "question": "How many singers are there?"}).encode()
print(r.urlopen(r.Request("http://127.0.0.1:8000/v1/sql", body, headers)).read().decode())
"""


def start(service: dict[str, Any]) -> str:
    """A line of bash that starts what compose.yaml does, and one that waits until it is healthy."""
    filled = {
        key: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value).replace("$$", "$")
        for key, value in service.get("environment", {}).items()
    }
    variables = [f"{key}={value}" for key, value in filled.items()]
    healthy = shlex.join(service["healthcheck"]["test"][1:])
    wait = shlex.join(["timeout", "120", "bash", "-c", f"until {healthy} 2>/dev/null; do sleep 1; done"])
    return f"{shlex.join(['env', *variables, *service['entrypoint'], *service.get('command', [])])} &\n{wait}\n"


def test_the_courses_image_serves_as_compose_starts_it(
    course_container: str, tiny_gguf: Path, databases: Path, tmp_path: Path
) -> None:
    services = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text("utf-8"))["services"]
    home = "/home/learner/course"
    places = {"model": "/model", "databases": "/databases", "secrets": "/run/secrets", "kept": f"{home}/artifacts"}
    shutil.copytree(databases, tmp_path / "databases")
    for name in ("model", "secrets", "kept"):
        (tmp_path / name).mkdir()
    shutil.copy(tiny_gguf, tmp_path / "model" / "model.gguf")
    (tmp_path / "secrets" / "COURSE_API_KEY").write_text("open-sesame")
    for path in (tmp_path / "kept", tmp_path / "databases", *(tmp_path / "databases").iterdir()):
        path.chmod(0o755)
    os.chown(tmp_path / "kept", 1000, 1000)
    script = f'cd {home}\nexport PATH="{home}/.venv/bin:$PATH"\nif touch here; then exit 1; fi\n'
    script += "".join(start(services[name]) for name in ("model", "gateway", "web")) + shlex.join(["python", "-c", ASK])
    volumes = {tmp_path / name: place for name, place in places.items()}
    *_, page, answer = run_like_compose(course_container, "1000:1000", volumes, script)
    assert page == "True"
    assert json.loads(answer).keys() >= {"query", "rows"}
    assert {path.name for path in (tmp_path / "kept").iterdir()} >= {"keys.sqlite"}
