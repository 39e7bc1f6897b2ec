"""What is wrong with this machine or installation, each finding with its remedy."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from packaging.markers import Marker
from rich.table import Table

from course_utils.artifacts import PROJECT, Course
from course_utils.deployment.processes import choose_port
from course_utils.errors import CourseError
from course_utils.models import load_tokenizer
from course_utils.setup import probe_machine, recommend_profile
from course_utils.setup.install import PYTHONS
from course_utils.setup.recommend import reason_against

Verdict = Literal["good", "look", "wrong"]
LOCKS = PROJECT / "requirements"
PORTS = {8888: "JupyterLab (make lab)", 8000: "the gateway (make serve)"}
_PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)(?: ;(?P<marker>[^\n\\]+))?", re.MULTILINE
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``look`` works but deserves a look; ``wrong`` stops the course."""

    subject: str
    verdict: Verdict
    text: str


def examine(course: Course) -> list[Finding]:
    """Look at everything that a run of the course needs."""
    return [_python(), _packages(), *_machine(course), _model(course), *_ports()]


def render_findings(findings: list[Finding]) -> Table:
    """The findings as a table."""
    marks = {"good": "[green]good[/]", "look": "[yellow]look[/]", "wrong": "[red]wrong[/]"}
    table = Table(show_header=False, box=None)
    for finding in findings:
        table.add_row(marks[finding.verdict], finding.subject, finding.text)
    return table


def _python() -> Finding:
    found, (oldest, newest) = sys.version_info[:2], PYTHONS
    text = f"{found[0]}.{found[1]}"
    if oldest <= found <= newest:
        return Finding("Python", "good", text)
    wanted = " to ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    return Finding("Python", "wrong", f"{text}; install Python {wanted}, remove .venv and call make again")


def _packages() -> Finding:
    locked, needed = locked_versions(LOCKS / "all.txt"), locked_versions(LOCKS / "course.txt")
    if not locked or not needed:
        return Finding("packages", "look", f"{LOCKS}: the locks are missing, so versions cannot be compared")
    versions = {name: found for name in locked if (found := _installed(name)) is not None}
    problems = [f"{name} is missing" for name in sorted(needed.keys() - versions.keys())]
    for name, found in versions.items():
        if found.split("+")[0] != locked[name]:
            problems.append(f"{name} is {found} instead of {locked[name]}")
    if problems:
        return Finding("packages", "wrong", f"{', '.join(problems)}; remove .venv and call make course again")
    return Finding("packages", "good", f"{len(versions)} packages, all as locked")


def locked_versions(lock: Path) -> dict[str, str]:
    """Versions by package, as a lock file pins them for this machine; empty if there is no such file."""
    text = lock.read_text("utf-8") if lock.is_file() else ""
    return {
        found["name"]: found["version"]
        for found in _PINNED.finditer(text)
        if found["marker"] is None or Marker(found["marker"].strip()).evaluate()
    }


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _machine(course: Course) -> Iterator[Finding]:
    free_gib = shutil.disk_usage(_existing(course.root)).free / 2**30
    machine = replace(probe_machine(check_hub=course.profile.needs_hub), disk_free_gib=free_gib)
    gpus = ", ".join(map(str, machine.gpus)) or "none"
    text = f"{machine.n_cores} cores, {machine.memory_gib} GiB, GPU: {gpus}, {free_gib:.0f} GiB free for artifacts"
    yield Finding("machine", "good", text)
    try:
        against = reason_against(course.profile, machine)
    except CourseError as error:
        against = str(error)
    if against:
        yield Finding("profile", "wrong", f"PROFILE={course.profile.name}: {against}")
    best = recommend_profile(machine)
    verdict: Verdict = "good" if best.profile == course.profile.name else "look"
    yield Finding("profile", verdict, f"recommended: {best.profile}, {best.reason}")


def _existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _model(course: Course) -> Finding:
    if course.profile.needs_hub:
        return Finding("model", "good", f"{course.profile.base_model}, from the Hugging Face Hub")
    try:
        load_tokenizer(course.model)
    except CourseError as error:
        return Finding("model", "wrong", str(error))
    return Finding("model", "good", course.profile.base_model)


def _ports() -> Iterator[Finding]:
    for port, user in PORTS.items():
        try:
            choose_port("127.0.0.1", port)
        except CourseError as error:
            yield Finding(f"port {port}", "look", f"{user} wants it: {error}")
        else:
            yield Finding(f"port {port}", "good", f"free for {user}")
