"""Install the packages of the course from the lock files beside this file; do nothing if all are installed.

``make``, the Dockerfile, the devcontainer and the Colab cell run this file with any ``python3``: it uses the standard
library only, and parses on Python 3.8 so that it can say which Python is needed. It chooses no versions, because the
lock files pin them.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ((3, 11), (3, 13))  # oldest and newest that the locks are made for
SETS = ("course", "dev", "gpu")
TORCH_INDEX = "https://download.pytorch.org/whl/cpu/torch/"
REACHABLE_WITHIN_S = 5
# Each is compiled for one version of torch; with another it breaks Transformers and PEFT, which import it if installed.
# Colab has all of them.
COMPILED_FOR_TORCH = ("torchvision", "torchaudio", "torchcodec", "torchao")
# Space for packages and the tools' temporary copies, with a margin; 2.9 GiB were measured on Linux without CUDA.
DISK_GIB = {"cpu": 4, "cuda": 14}
PIP = ("-m", "pip", "install", "--quiet", "--retries", "2")
UV = ("-m", "uv", "pip", "install")
AGAIN = "then run the same command again: it continues where it stopped"
# Patterns in the output of a failed pip or uv, and the message for each; the last pattern matches everything.
FAILURES = {
    "No space left on device|os error 28|Errno 28": "The disk is full while installing {what}: free some space",
    "Hash mismatch|DO NOT MATCH THE HASHES|BadZipFile|invalid (?:zip|gzip)|Bad CRC": (
        "The download of {what} is damaged and was thrown away: check the connection"
    ),
    "Retrying|Connection|[Tt]imed? ?out|name resolution|dns error|Failed to fetch|HTTPError": (
        "The download of {what} failed: check the network (or the proxy)"
    ),
    "CMAKE_CXX_COMPILER|CMAKE_C_COMPILER|No such file or directory: '(?:gcc|cc|g\\+\\+)'": (
        "There is no wheel of {what} for {machine} and no compiler to build it: install one (Debian: apt install g++)"
    ),
    "No matching distribution|no wheels? with a matching|not a supported wheel": (
        "There is no build of {what} for {machine}: take another Python in the range, or another machine"
    ),
    "": "Installing {what} failed ({cause}): mend that",
}


class InstallError(Exception):
    """An installation cannot continue; the message is one sentence that says what to do next."""


def explain(output: str, what: str) -> str:
    """Turn the output of a failed tool into one sentence: what happened, and what to do."""
    named = re.search(r"(?:`|\()([\w.-]+==[\w.]+)(?:`|\))|/simple/([\w.-]+)/", output)
    package = next(filter(None, named.groups())) if named else what
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it printed nothing"]
    sentence = next(text for pattern, text in FAILURES.items() if re.search(pattern, output)).format(
        what=what if package in what else f"{what} ({package})",
        machine=f"{platform.system()} {platform.machine()} with Python {platform.python_version()}",
        cause=next((line for line in reversed(lines) if re.search(r"[Ee]rror\b|ERROR|cause:", line)), lines[-1]),
    )
    return f"{sentence}, {AGAIN}."


def run_step(what: str, command: list[str]) -> None:
    """Run a command quietly, printing ``what`` before and its seconds after; InstallError if it fails."""
    print(f"  {what} ... ", end="", flush=True)
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    print("failed" if done.returncode else f"{time.monotonic() - began:.1f} s")
    if done.returncode:
        raise InstallError(explain(done.stdout, what.split(",")[0]))


def check_machine(system: str, version: tuple[int, int, int]) -> None:
    """Raise InstallError on Windows without WSL, or for a Python that the locks are not made for."""
    if system == "Windows":
        raise InstallError("Windows needs WSL (learn.microsoft.com/windows/wsl/install): run the same command there.")
    if not PYTHONS[0] <= version[:2] <= PYTHONS[1]:
        needed = f"Python 3.{PYTHONS[0][1]}-3.{PYTHONS[1][1]} is needed, this is {'.'.join(map(str, version))}"
        raise InstallError(f"{needed}; install one and run make PYTHON=python3.12 (or whichever you installed).")


def has_nvidia_gpu() -> bool:
    """Whether an NVIDIA driver is installed, on Linux or WSL."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def choose_sets(wanted: list[str], flavour: str) -> list[str]:
    """Replace ``auto`` by the set for this machine, and drop ``course`` if a larger set contains it."""
    chosen = {("gpu" if flavour == "cuda" else "course") if name == "auto" else name for name in wanted}
    return sorted(chosen - {"course"}) or ["course"]


def fingerprint(flavour: str, name: str) -> str:
    """Hash everything that determines a set's packages: its lock, the project's metadata and torch's build."""
    files = [ROOT / "pyproject.toml", ROOT / "requirements" / f"{name}.txt"]
    builds = " ".join([flavour, *torch_requirements(flavour)])
    return hashlib.sha256(b"".join(path.read_bytes() for path in files) + builds.encode()).hexdigest()


def take_turn(script: BinaryIO) -> None:
    """Lock this file against other installations, waiting for one that runs; no lock if the file system has none."""
    import fcntl  # here, because Windows has no such module and check_machine should explain that

    try:
        fcntl.flock(script, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another installation is at work; waiting for its end", flush=True)
        fcntl.flock(script, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return


def is_in_place(folder: Path) -> bool:
    """Whether a virtual environment exists and has not been moved, which would break its programs.

    ``pyvenv.cfg`` holds the command that created it, and so the original path.
    """
    notes = folder / "pyvenv.cfg"
    lines = notes.read_text("utf-8", "replace").splitlines() if notes.is_file() else []
    places = tuple(f" {path}" for path in (folder, folder.resolve()))
    is_here = any(line.startswith("command = ") and line.endswith(places) for line in lines)
    return is_here and (folder / "bin" / "python").exists()


def make_environment(folder: Path, needed_gib: float) -> Path:
    """Return the Python of a virtual environment: keep a working one, else create it, replacing a broken or moved one.

    Raises:
        InstallError: Too little disk is free, the Python here has no working ``venv``, or the folder holds other files.
    """
    python = folder / "bin" / "python"
    works = f"import pip, sys; sys.exit(not {PYTHONS[0]} <= sys.version_info[:2] <= {PYTHONS[1]})"
    if is_in_place(folder) and subprocess.run([str(python), "-c", works], capture_output=True).returncode == 0:
        return python
    if not (folder / "pyvenv.cfg").exists() and folder.is_dir() and any(folder.iterdir()):
        raise InstallError(f"{folder} would be emptied, but is no virtual environment: name another folder by --venv.")
    free_gib = shutil.disk_usage(folder.parent).free / 2**30
    if free_gib < needed_gib:
        shortage = f"{free_gib:.1f} GiB free where about {needed_gib} GiB are needed"
        raise InstallError(f"The disk of {folder.name} is too full, {shortage}: free some space, {AGAIN}.")
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        raise InstallError(f"This Python has no venv module: run apt install {package} (Debian, Ubuntu), {AGAIN}.")
    run_step(f"virtual environment {folder.name}", [sys.executable, "-m", "venv", "--clear", str(folder)])
    return python


def torch_index_answers() -> bool:
    """Whether PyTorch's own index answers within ``REACHABLE_WITHIN_S`` seconds; pip and uv would retry for longer."""
    try:
        with urllib.request.urlopen(TORCH_INDEX, timeout=REACHABLE_WITHIN_S):
            return True
    except OSError:
        return False


def torch_requirements(flavour: str) -> list[str]:
    """Requirements with one version for CPU and CUDA builds, which a lock cannot tell apart: torch, torchvision."""
    names = ("torch", "torchvision") if flavour == "cuda" else ("torch",)
    lock = (ROOT / "requirements" / "all.txt").read_text("utf-8")
    return [re.findall(rf"^{name}==[\w.]+", lock, re.MULTILINE)[0] for name in names]


def torch_version(python: Path, requirements: list[str]) -> str:
    """The version of torch in an environment; empty if a package of ``requirements`` cannot be imported there."""
    names = ", ".join(requirement.split("==")[0] for requirement in requirements)
    code = f"import {names}; print(torch.__version__)"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True).stdout.strip()


def install_torch(python: Path, flavour: str) -> None:
    """Install torch's build for this machine, and remove packages that are compiled for another version of torch.

    uv finds each build on PyTorch's index. If that cannot be reached, pip installs from its configured index. For CUDA
    without a driver, as when an image is built, pip is used too, because PyPI has the CUDA build.
    """
    requirements = torch_requirements(flavour)
    here = torch_version(python, requirements)
    if here.split("+")[0] == requirements[0].split("==")[1] and not (flavour == "cuda" and here.endswith("+cpu")):
        return
    uninstall = [str(python), "-m", "pip", "uninstall", "--yes", *COMPILED_FOR_TORCH]
    run_step("removing packages compiled for another torch", uninstall)
    what = f"{requirements[0].replace('==', ' ')}, {'CUDA build (gigabytes)' if flavour == 'cuda' else 'CPU build'}"
    backend = "cpu" if flavour == "cpu" else "auto" if has_nvidia_gpu() else ""
    if backend and torch_index_answers():
        reinstall = [f"--reinstall-package={requirement.split('==')[0]}" for requirement in requirements]
        uv = [str(python), *UV, "--python", str(python), "--torch-backend", backend]
        run_step(what, [*uv, *reinstall, *requirements])
        return
    what += " if pip finds one (PyTorch's index cannot be reached)" if backend else ""
    run_step(what, [str(python), *PIP, "--force-reinstall", *requirements])


def install_into(python: Path, sets: list[str], flavour: str, *, afresh: bool) -> None:
    """Install uv, torch, the locked packages and the course itself as editable; ``afresh`` reinstalls every package."""
    locks = ROOT / "requirements"
    run_step("uv", [str(python), *PIP, "--require-hashes", f"--requirement={locks / 'uv.txt'}"])
    install_torch(python, flavour)
    uv = [str(python), *UV, "--python", str(python), "--no-deps"]
    options = ["--compile-bytecode", "--require-hashes", *(["--reinstall"] if afresh else [])]
    requirements = [f"--requirement={locks / name}.txt" for name in sets]
    run_step(f"packages of requirements/{', '.join(sets)}", [*uv, *options, *requirements])
    run_step("course_utils itself", [*uv, "--no-build-isolation", "--offline", "--editable", str(ROOT)])


def install(folder: Path, wanted: list[str], flavour: str) -> None:
    """Bring a virtual environment to the locked state, doing only what is missing; InstallError if a step fails.

    A file in the environment holds the fingerprints of its sets. It is deleted while packages change: if an environment
    has none, an interrupted run may have left half a package, and all are reinstalled. A new environment needs no such
    repair, for which uv would build again what has no wheel (pyspark, 1.4 GB of its cache).
    """
    sets, stamp = choose_sets(wanted, flavour), folder / "course-install.txt"
    kept = is_in_place(folder)
    there = stamp.read_text("utf-8").split() if kept and stamp.exists() else []
    done = {name for name in SETS if fingerprint(flavour, name) in there}
    if done.issuperset(sets) or (done and sets == ["course"]):
        return
    began = time.monotonic()
    print(f"Installing for {'an NVIDIA GPU' if flavour == 'cuda' else 'a machine without NVIDIA GPU'}")
    python = make_environment(folder, DISK_GIB[flavour])
    stamp.unlink(missing_ok=True)
    install_into(python, sets, flavour, afresh=kept and not there)
    stamp.write_text("\n".join(fingerprint(flavour, name) for name in {*done, *sets}), "utf-8")
    print(f"Ready in {time.monotonic() - began:.0f} s")
    print(f"Its commands, such as course: source {shlex.quote(str(python.with_name('activate')))}")


def main(arguments: list[str] | None = None) -> int:
    """Read the options and install; a failure prints one sentence and returns exit code 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", nargs="+", choices=("auto", *SETS), default=["auto"], help="auto: gpu or course")
    parser.add_argument("--torch", choices=("auto", "cpu", "cuda"), default="auto", help="auto: cuda with NVIDIA GPU")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="folder of the virtual environment")
    parser.add_argument("--colab", action="store_true", help="install into the running Python instead")
    options = parser.parse_args(arguments)
    try:
        check_machine(platform.system(), sys.version_info[:3])
        flavour = options.torch if options.torch != "auto" else ("cuda" if has_nvidia_gpu() else "cpu")
        if options.colab:
            # Packages go into Colab's own Python; those of the right version are kept.
            os.environ.update(PIP_BREAK_SYSTEM_PACKAGES="1", UV_BREAK_SYSTEM_PACKAGES="1")
            install_into(Path(sys.executable), choose_sets(["auto"], flavour), flavour, afresh=False)
            print("Ready. If a package was imported before this cell, choose Runtime > Restart session.")
        else:
            with Path(__file__).open("rb") as script:
                take_turn(script)
                install(options.venv.absolute(), options.set, flavour)
    except InstallError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(explain(str(error), "the course"), file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped; run the same command again: it continues here.", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
