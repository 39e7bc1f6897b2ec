"""What is wrong with this machine or installation, each finding with its remedy."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement

from course_utils.artifacts import PROJECT, Course, package_versions
from course_utils.errors import CourseError
from course_utils.finding import Finding, Severity
from course_utils.models import load_tokenizer
from course_utils.processes import choose_port
from course_utils.setup import probe_machine, recommend_profile
from course_utils.setup.install import PYTHONS
from course_utils.setup.recommend import reason_against

LOCKS = PROJECT / "requirements"
PORTS = {8888: "JupyterLab (make lab)", 8000: "the gateway (make serve)"}
REINSTALL = "remove .venv and call make course again"


def examine(course: Course) -> list[Finding]:
    """Look at everything that a run of the course needs; what is as it should be is a note."""
    return [_python(), _packages(), *_machine(course), _model(course), *map(_port, PORTS)]


def _python() -> Finding:
    found = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return Finding("Python", "note", found)
    wanted = " to ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    return Finding("Python", "error", f"{found} is not {wanted}", f"install one of those, then {REINSTALL}")


def _packages() -> Finding:
    locked, needed = locked_versions(LOCKS / "all.txt"), locked_versions(LOCKS / "course.txt")
    if not locked or not needed:
        return Finding("packages", "warning", f"{LOCKS}: the locks are missing, so versions cannot be compared")
    versions = package_versions(locked)
    wrong = [f"{name} is missing" for name in sorted(needed.keys() - versions.keys())]
    wrong += [
        f"{name} is {versions[name]} instead of {pinned}"
        for name, pinned in locked.items()
        if name in versions and versions[name].split("+")[0] != pinned
    ]
    if wrong:
        return Finding("packages", "error", ", ".join(wrong), REINSTALL)
    return Finding("packages", "note", f"{len(locked.keys() & versions.keys())} packages, all as locked")


def locked_versions(lock: Path) -> dict[str, str]:
    """Versions by package, as a lock file pins them for this machine; empty if there is no such file."""
    lines = lock.read_text("utf-8").splitlines() if lock.is_file() else []
    pins = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    return {
        pin.name: str(pin.specifier).removeprefix("==") for pin in pins if pin.marker is None or pin.marker.evaluate()
    }


def _machine(course: Course) -> Iterator[Finding]:
    folder = next(path for path in (course.root, *course.root.parents) if path.exists())
    free_gib = shutil.disk_usage(folder).free / 2**30
    machine = replace(probe_machine(check_hub=course.profile.needs_hub), disk_free_gib=free_gib)
    gpus = ", ".join(map(str, machine.gpus)) or "none"
    text = f"{machine.n_cores} cores, {machine.memory_gib} GiB, GPU: {gpus}, {free_gib:.0f} GiB free for artifacts"
    yield Finding("machine", "note", text)
    best = recommend_profile(machine)
    try:
        against = reason_against(course.profile, machine)
    except CourseError as error:
        against = str(error)
    if against:
        yield Finding(
            "profile", "error", f"PROFILE={course.profile.name}: {against}", f"choose another, such as {best.profile}"
        )
    severity: Severity = "note" if best.profile == course.profile.name else "warning"
    fix = "" if severity == "note" else f"to follow it: {best.next_step}"
    yield Finding("profile", severity, f"recommended: {best.profile}, {best.reason}", fix)


def _model(course: Course) -> Finding:
    if course.profile.needs_hub:
        return Finding("model", "note", f"{course.profile.base_model}, from the Hugging Face Hub")
    try:
        load_tokenizer(course.model)
    except CourseError as error:
        return Finding("model", "error", str(error))
    return Finding("model", "note", course.profile.base_model)


def _port(port: int) -> Finding:
    try:
        choose_port("127.0.0.1", port)
    except CourseError as error:
        return Finding(f"port {port}", "warning", f"{PORTS[port]} wants it: {error}")
    return Finding(f"port {port}", "note", f"free for {PORTS[port]}")
