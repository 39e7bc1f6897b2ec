"""The images are built from their own Dockerfiles, and what is in them runs.

buildah needs no engine: it builds in a chroot. Where no registry can be reached, debootstrap makes the images that
ours begin with, of the Debian packages that they consist of.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from course_utils.artifacts import PROJECT

BUILD_S = 1500
pytestmark = [
    pytest.mark.timeout(2 * BUILD_S),
    pytest.mark.skipif(not os.environ.get("COURSE_TEST_IMAGES"), reason="COURSE_TEST_IMAGES=1 builds the images"),
    pytest.mark.skipif(
        not (shutil.which("buildah") and shutil.which("debootstrap") and os.geteuid() == 0),
        reason="Debian's buildah and debootstrap are not both installed, or this is not root",
    ),
]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_S)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout.strip()


def have_base(name: str, packages: str, folder: Path) -> None:
    """Pull an image, or make it of the release that its name ends with."""
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


def test_the_proxys_image_holds_the_rules_that_it_names(tmp_path: Path) -> None:
    have_base("debian:bookworm-slim", "ca-certificates", tmp_path)
    build("course-proxy-test", PROJECT / "deploy" / "proxy")
    with container_of("course-proxy-test") as container:
        assert "nginx version" in run_inside(container, "nginx", "-v")
        assert run_inside(container, "ls", "/etc/course").split() == ["nginx.conf", "waf.conf"]
        assert "REQUEST-942" in run_inside(container, "ls", "/usr/share/modsecurity-crs/rules")


def test_the_courses_image_runs_its_first_notebook(tmp_path: Path) -> None:
    have_base("python:3.11-slim-bookworm", "python3,python3-venv,ca-certificates", tmp_path)
    # pip and uv trust what this machine trusts, which may be behind a proxy; an image keeps nothing of what is mounted.
    volumes = ["--volume=/etc/ssl/certs:/etc/ssl/certs:ro"]
    for place, text in {
        "/etc/pip.conf": f"[global]\ncert = {CERTIFICATES}\n",
        "/etc/uv/uv.toml": "native-tls = true\n",
    }.items():
        file = tmp_path / Path(place).name
        file.write_text(text, "utf-8")
        volumes.append(f"--volume={file}:{place}:ro")
    build("course-test", PROJECT, *volumes)
    with container_of("course-test") as container:
        assert run_inside(container, "id", "-u") == "1000"
        assert "jupyterlab" in run_inside(container, "jupyter", "--version")
        assert "01_setup.ipynb: done" in run_inside(container, "course", "run", "--until", "setup")
