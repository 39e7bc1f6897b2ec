"""Installs what the course needs, from the locks in ``requirements/``, and nothing when it is there already.

``make``, the Dockerfile, the devcontainer and the Colab cell run this file with any ``python3``: it uses the standard
library only, and parses on Python 3.8 so that it can say which Python is needed. It chooses no versions:
``pyproject.toml`` names torch's, ``requirements/`` all others.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ((3, 11), (3, 13))  # oldest and newest that the locks are made for
SETS = ("course", "dev", "gpu")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
REACHABLE_WITHIN_S = 5
# Packages and the tools' temporary copies, with a margin; measured 2.3 GiB on Linux without CUDA.
DISK_GIB = {"cpu": 3, "cuda": 14}
DISK_AFTER_TORCH_GIB = 1
AGAIN = "then run the same command again: it continues where it stopped"


class InstallError(Exception):
    """An installation cannot go on; the message is one sentence with what to do next."""


def say(text: str) -> None:
    """Write progress at once, also where the output is a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()


def check_python(version: tuple[int, int, int]) -> None:
    """Refuse a Python that the locks are not made for.

    Raises:
        InstallError: The version is outside the range.
    """
    if PYTHONS[0] <= version[:2] <= PYTHONS[1]:
        return
    raise InstallError(
        "Python 3.{}-3.{} is needed, this is {}; ".format(PYTHONS[0][1], PYTHONS[1][1], ".".join(map(str, version)))
        + "install one and run make PYTHON=python3.12 (or whichever you installed)."
    )


def has_nvidia_gpu() -> bool:
    """Say whether an NVIDIA driver is here, on Linux, WSL or Windows."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def choose_sets(wanted: list[str], flavour: str) -> list[str]:
    """Turn ``auto`` into the set for this machine, and leave out ``course`` where a larger set contains it."""
    chosen = {("gpu" if flavour == "cuda" else "course") if name == "auto" else name for name in wanted}
    return sorted(chosen - {"course"}) or ["course"]


def explain(output: str, what: str) -> str:
    """Turn what a tool printed before it failed into one sentence: what happened, what to do."""
    named = re.search(r"(?:`|\()([\w.-]+==[\w.]+)(?:`|\))|/simple/([\w.-]+)/", output)
    package = next(filter(None, named.groups())) if named else what
    what = what if package in what else f"{what} ({package})"
    if re.search(r"No space left on device|os error 28|Errno 28", output):
        return f"The disk is full while installing {what}: free some space, {AGAIN}."
    if re.search(r"Hash mismatch|DO NOT MATCH THE HASHES|BadZipFile|invalid (?:zip|gzip)|Bad CRC", output):
        return f"The download of {what} is damaged and was thrown away: check the connection, {AGAIN}."
    if re.search(r"Retrying|Connection|[Tt]imed? ?out|name resolution|dns error|Failed to fetch|HTTPError", output):
        return f"The download of {what} failed: check the network (or the proxy), {AGAIN}."
    if re.search(r"No matching distribution|no wheels? with a matching|not a supported wheel", output):
        machine = f"{platform.system()} {platform.machine()} with Python {platform.python_version()}"
        return f"There is no build of {what} for {machine}: use another Python in the range, or another machine."
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it printed nothing"]
    cause = next((line for line in reversed(lines) if re.search(r"[Ee]rror\b|ERROR|cause:", line)), lines[-1])
    return f"Installing {what} failed ({cause}): mend that, {AGAIN}."


def run_step(what: str, command: list[str]) -> None:
    """Run one tool quietly, with its name before and its seconds after.

    Raises:
        InstallError: The tool failed; says why in a sentence.
    """
    say(f"  {what} ... ")
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        say("failed\n")
        raise InstallError(explain(done.stdout, what.split(",")[0]))
    say(f"{time.monotonic() - began:.1f} s\n")


class Progress:
    """Which steps are done, in a file inside the environment: a later run skips them and mends a half-done one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def run(self, step: str, state: str, action: Callable[[bool], None]) -> None:
        """Mark the step started, do it (``action(True)``: mend what an interrupted run left), mark it done."""
        interrupted = self.steps.get(step) == "started"
        self.write(step, "started")
        action(interrupted)
        self.write(step, state)

    def write(self, step: str, state: str) -> None:
        """Replace the file in one move, so that it is never half written."""
        self.steps[step] = state
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(self.steps, indent=1, sort_keys=True), encoding="utf-8")
        temporary.replace(self.path)


def fingerprint(flavour: str, name: str) -> str:
    """Hash what decides the content of a set: its lock, the project's metadata, torch's build."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parts = [
        json.dumps(project, sort_keys=True),
        (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8"),
        flavour,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def torch_requirement() -> str:
    """Read the one place that names torch's version, ``pyproject.toml``."""
    import tomllib

    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return str(next(name for name in dependencies if name.startswith("torch==")))


def make_environment(folder: Path) -> Path:
    """Create a virtual environment, keep a working one, replace a broken one; returns its Python.

    Raises:
        InstallError: The Python here has no working ``venv``.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    works = f"import pip, sys; sys.exit(not {PYTHONS[0]} <= sys.version_info[:2] <= {PYTHONS[1]})"
    if python.exists() and subprocess.run([str(python), "-c", works], capture_output=True).returncode == 0:
        return python
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        raise InstallError(f"This Python has no venv module: run apt install {package} (Debian, Ubuntu), {AGAIN}.")
    run_step(f"virtual environment {folder.name}", [sys.executable, "-m", "venv", "--clear", str(folder)])
    return python


def check_disk(folder: Path, needed_gib: float) -> None:
    """Refuse to begin what cannot end for want of space.

    Raises:
        InstallError: Less is free than is needed.
    """
    free_gib = shutil.disk_usage(folder if folder.is_dir() else folder.parent).free / 2**30
    if free_gib < needed_gib:
        shortage = f"{free_gib:.1f} GiB free where about {needed_gib} GiB are needed"
        raise InstallError(f"The disk of {folder.name} is too full, {shortage}: free some space, {AGAIN}.")


def installed_version(python: Path, package: str) -> str:
    """Ask an environment for a package's version; empty if it is not there."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True).stdout.strip()


def cpu_index_answers() -> bool:
    """Try PyTorch's index of CPU builds once, briefly."""
    try:
        with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=REACHABLE_WITHIN_S):
            return True
    except OSError:
        return False


def install_torch(python: Path, flavour: str, afresh: bool) -> None:
    """Install torch alone, by pip: its CPU and CUDA builds share a version, and only pip is told where each is.

    Raises:
        InstallError: The download or the installation failed.
    """
    requirement = torch_requirement()
    here = installed_version(python, "torch")
    right_build = not (flavour == "cuda" and here.endswith("+cpu"))
    if here.split("+")[0] == requirement.split("==")[1] and right_build and not afresh:
        return
    command = [str(python), "-m", "pip", "install", "--quiet", "--retries", "2", requirement]
    what = f"{requirement.replace('==', ' ')}, {'CUDA build (gigabytes)' if flavour == 'cuda' else 'CPU build'}"
    if here:
        command.append("--force-reinstall")
    if flavour == "cpu" and sys.platform == "linux":
        if cpu_index_answers():
            command += ["--index-url", CPU_INDEX]
        else:
            what += " if pip finds one (PyTorch's index cannot be reached)"
    run_step(what, command)


def install_packages(python: Path, sets: list[str], afresh: bool) -> None:
    """Install the locked packages by uv, then the course itself in place.

    Raises:
        InstallError: A download or an installation failed.
    """
    locks = [str(ROOT / "requirements" / f"{name}.txt") for name in sets]
    lock = (ROOT / "requirements" / "uv.txt").read_text(encoding="utf-8")
    if f"uv=={installed_version(python, 'uv')} " not in lock:
        pip = [str(python), "-m", "pip", "install", "--quiet", "--retries", "2", "--require-hashes", "--requirement"]
        run_step("uv", [*pip, str(ROOT / "requirements" / "uv.txt")])
    uv = [str(python), "-m", "uv", "pip", "install", "--python", str(python), "--no-deps"]
    requirements = [part for lock in locks for part in ("--requirement", lock)]
    options = ["--compile-bytecode", "--require-hashes", *(["--reinstall"] if afresh else [])]
    run_step(f"packages of requirements/{', '.join(sets)}", [*uv, *options, *requirements])
    run_step("course_utils itself", [*uv, "--no-build-isolation", "--offline", "--editable", str(ROOT)])


def install(folder: Path, wanted: list[str], flavour: str) -> None:
    """Bring a virtual environment to the locked state, doing only what is missing.

    Raises:
        InstallError: A step failed; run again, it continues there.
    """
    sets = choose_sets(wanted, flavour)
    state = folder / "course-install.json"
    progress = Progress(state)
    done = [name for name in SETS if progress.steps.get(name) == fingerprint(flavour, name)]
    if all(name in done or (name == "course" and done) for name in sets):
        return
    began = time.monotonic()
    say(f"Installing for {'an NVIDIA GPU' if flavour == 'cuda' else 'a machine without NVIDIA GPU'}\n")
    check_disk(folder, DISK_AFTER_TORCH_GIB if progress.steps.get("torch") == flavour else DISK_GIB[flavour])
    python = make_environment(folder)
    progress = Progress(state)  # empty if the environment had to be made again
    progress.run("torch", flavour, lambda afresh: install_torch(python, flavour, afresh))
    progress.run("packages", "done", lambda afresh: install_packages(python, sets, afresh))
    for name in sets:
        progress.write(name, fingerprint(flavour, name))
    say(f"Ready in {time.monotonic() - began:.0f} s\n")


def install_here(flavour: str) -> None:
    """Install into the running Python, as Colab wants it; what is right already stays.

    Raises:
        InstallError: A step failed.
    """
    os.environ.update(PIP_BREAK_SYSTEM_PACKAGES="1", UV_BREAK_SYSTEM_PACKAGES="1")  # Colab's own Python is the place
    install_torch(Path(sys.executable), flavour, afresh=False)
    install_packages(Path(sys.executable), choose_sets(["auto"], flavour), afresh=False)
    say("Ready. If a package was imported before this cell, choose Runtime > Restart session and run on from here.\n")


def main(arguments: list[str] | None = None) -> int:
    """Read the options, install, and end a failure in one sentence and exit code 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", nargs="+", choices=("auto", *SETS), default=["auto"], help="auto: gpu or course")
    parser.add_argument("--torch", choices=("auto", "cpu", "cuda"), default="auto", help="auto: cuda with NVIDIA GPU")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="folder of the virtual environment")
    parser.add_argument("--colab", action="store_true", help="install into the running Python instead")
    options = parser.parse_args(arguments)
    try:
        check_python(sys.version_info[:3])
        flavour = options.torch if options.torch != "auto" else ("cuda" if has_nvidia_gpu() else "cpu")
        if options.colab:
            install_here(flavour)
        else:
            install(options.venv.absolute(), options.set, flavour)
    except InstallError as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(explain(str(error), "the course") + "\n")
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; run the same command again: it continues here.\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
