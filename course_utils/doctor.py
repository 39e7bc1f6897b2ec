"""Diagnose this machine and installation; every problem comes with its remedy."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from course_utils.artifacts import Course, package_versions
from course_utils.errors import CourseError
from course_utils.files import PROJECT
from course_utils.finding import Finding, Findings, Severity
from course_utils.models import load_tokenizer
from course_utils.models.hub import WHEELS
from course_utils.processes import choose_port
from course_utils.profiles import Profile
from course_utils.setup import probe_machine, recommend_profile
from course_utils.setup.advisor import SMALL_CARD_GIB
from course_utils.setup.machine import SILENT, Machine
from course_utils.setup.memory import MACHINE_MARGIN_GIB, wanted_gib
from course_utils.setup.recommend import reason_against

LOCKS = PROJECT / "requirements"
PORTS = {8888: "JupyterLab (make lab)", 8000: "the gateway (make serve)"}
REINSTALL = "remove .venv and call make course again"
RENT = "train on Colab's T4 (PROFILE=gpu_16gb), or at a service: course export OUT --for together"


def examine(course: Course) -> list[Finding]:
    """Check packages, machine, model and ports for a run of the course; a check without a problem gives a note."""
    return [_packages(), *_machine(course), _model(course), *map(_port, PORTS)]


def _packages() -> Finding:
    locked, needed = locked_versions(LOCKS / "all.txt"), locked_versions(LOCKS / "course.txt")
    if not locked or not needed:
        return Finding("packages", "warning", f"{LOCKS}: the locks are missing, so versions cannot be compared")
    locked.pop("pip", None)  # locked for pip-audit only; an environment brings its own version, which is fine
    versions = package_versions(locked)
    wrong = [f"{name} is missing" for name in sorted(needed.keys() - versions.keys())]
    other = [name for name, pinned in locked.items() if versions.get(name, pinned).split("+")[0] != pinned]
    wrong += [f"{name} is {versions[name]} instead of {locked[name]}" for name in other]
    if wrong:
        fix = REINSTALL + (", with PYTHONPATH unset" if os.environ.get("PYTHONPATH") else "")
        return Finding("packages", "error", ", ".join(wrong), fix)
    return Finding("packages", "note", f"{len(locked.keys() & versions.keys())} packages, all as locked")


def locked_versions(lock: Path) -> dict[str, str]:
    """The versions that a lock file pins for this machine, by package; empty if the file is missing."""
    lines = lock.read_text("utf-8").splitlines() if lock.is_file() else []
    pins = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in pins if not pin.marker or pin.marker.evaluate()}


def _machine(course: Course) -> Iterator[Finding]:
    machine = probe_machine(check_hub=course.profile.needs_hub, artifacts=course.root)
    yield from examine_machine(machine, course.profile)
    best = recommend_profile(machine)
    severity: Severity = "note" if best.profile == course.profile.name else "warning"
    fix = "" if severity == "note" else f"to follow it: {best.next_step}"
    yield Finding("profile", severity, f"recommended: {best.profile}, {best.reason}", fix)


def examine_machine(machine: Machine, profile: Profile) -> Findings:
    """List the machine's parts and programs that the course can use, with a remedy for what is wrong or too small."""
    reached = {True: "can be reached", False: "cannot be reached", None: "nobody asked whether it can be reached"}
    facts = {
        "system": f"{machine.os}, Python {machine.python}",
        "processor": f"{machine.cpu}, {machine.n_cores} cores",
        "vector instructions": ", ".join(machine.cpu_features) or "none known",
        "disk": f"{machine.disk_free_gib:.0f} GiB free for artifacts",
        "PyTorch": f"{machine.torch or 'not installed'}; Unsloth: {machine.unsloth or 'not installed'}",
        "Hugging Face Hub": reached[machine.hub_reachable],
    }
    found = [*(Finding(name, "note", text) for name, text in facts.items()), *_room(machine, profile), *_gpu(machine)]
    for name, version, use, start in (
        ("Docker", machine.docker, "deploy/compose.yaml", "Docker Desktop, or sudo systemctl start docker"),
        ("Ollama", machine.ollama, "the Modelfile of notebook 5", "ollama serve"),
    ):
        missing, running = f"not installed; only {use} wants it", f"runs, version {version}"
        reason = {None: missing, SILENT: f"installed, but its service {SILENT}"}.get(version, running)
        fix = {None: f"to install it: {name.lower()}.com", SILENT: f"start {start}"}.get(version, "")
        found.append(Finding(name, "note", reason, fix))
    return Findings(found)


def _gpu(machine: Machine) -> Iterator[Finding]:
    for gpu in machine.gpus:
        is_small = gpu.memory_gib < SMALL_CARD_GIB
        fix = f"too little for the GPU profiles: {RENT}" if is_small else ""
        yield Finding("GPU", "warning" if is_small else "note", str(gpu), fix)
    if machine.driver == SILENT:
        remedy = "restart the machine, or install NVIDIA's driver again"
        yield Finding("driver", "error", f"nvidia-smi {SILENT}", remedy)
    elif not machine.gpus:
        hidden = "CUDA_VISIBLE_DEVICES hides what there is" if "CUDA_VISIBLE_DEVICES" in os.environ else ""
        why = f": {hidden or 'the driver lists none with a compute capability'}" if machine.driver else ""
        yield Finding("GPU", "note", f"none{why}; smoke and laptop want none", f"for larger models: {RENT}")
    if machine.driver in (None, SILENT):
        return
    text = f"version {machine.driver}, CUDA up to {machine.cuda or 'an unknown version'}"
    if (machine.torch or "").endswith("+cpu"):
        yield Finding("CUDA", "error", f"{text}, but PyTorch {machine.torch} ignores every GPU", REINSTALL)
    elif (built := re.search(r"\+cu(\d+)(\d)$", machine.torch or "")) and machine.cuda:
        is_old = int(machine.cuda.split(".")[0]) < int(built[1])  # drivers run all minor versions of their major one
        fix = f"PyTorch is built for CUDA {built[1]}.{built[2]}: install a newer NVIDIA driver" if is_old else ""
        yield Finding("CUDA", "error" if is_old else "note", text, fix)
    else:
        yield Finding("CUDA", "note", text)


def _room(machine: Machine, profile: Profile) -> Iterator[Finding]:
    """Compare a profile's needs with the machine, and with the memory that is free now, within a container's limit."""
    import psutil

    try:
        against, wanted = reason_against(profile, machine), wanted_gib(profile)
    except CourseError as error:
        against, wanted = str(error), 0
    if against:
        remedy = f"choose another, such as {(best := recommend_profile(machine).profile)}"
        if best == profile.name:  # no profile needs less
            remedy = "free as much, or set ARTIFACTS to another disk" if "disk" in against else "use a larger machine"
        yield Finding("profile", "error", f"PROFILE={profile.name}: {against}", remedy)
    free_gib = min(psutil.virtual_memory().available / 2**30, machine.memory_gib)
    text = f"{machine.memory_gib} GiB, up to {free_gib:.1f} GiB of them free"
    if profile.n_gpus or free_gib >= min(wanted, machine.memory_gib) - MACHINE_MARGIN_GIB:
        yield Finding("memory", "note", text)
    else:
        yield Finding("memory", "warning", f"{text}; this profile wants {wanted} GiB", "close other programs")


def _model(course: Course) -> Finding:
    if course.profile.needs_hub:
        wheel = WHEELS.get(course.profile.base_model)
        instead = f"; where that cannot be reached, from {wheel.requirement} of a package index" if wheel else ""
        return Finding("model", "note", f"{course.profile.base_model}, from the Hugging Face Hub{instead}")
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
