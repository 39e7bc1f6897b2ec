"""The result of a course run: what each stage measured, on which machine and how long it took."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table

from course_utils.artifacts import STAGES, Course, write_json
from course_utils.runner import RunState

HEADLINES = (
    "base_execution_accuracy",
    "tuned_execution_accuracy",
    "tuned_execution_accuracy_unseen",
    "n_test",
    "train_examples_per_s",
    "train_tokens_per_s",
    "peak_memory_gib",
    "gguf_parity",
)
"""Results that every report holds and that come first."""


def build_report(course: Course, state: RunState) -> dict[str, Any]:
    """Merge the six manifests and the wall-clock seconds of their notebooks.

    Raises:
        ArtifactError: A stage has not run or does not match.
    """
    manifests = [course.manifest(stage) for stage in STAGES]
    merged = {name: value for manifest in manifests for name, value in manifest.results.items()}
    merged["peak_memory_gib"] = max(manifest.results["peak_memory_gib"] for manifest in manifests)
    seconds = {stage: state.stages[stage].seconds for stage in STAGES}
    return {
        "profile": course.profile.name,
        "machine": describe_machine(),
        "seconds": {**seconds, "total": round(sum(seconds.values()), 1)},
        "results": {name: merged.pop(name) for name in HEADLINES if name in merged} | merged,
    }


def write_report(course: Course, state: RunState) -> dict[str, Any]:
    """Write ``report.json`` beside the stages' folders.

    Raises:
        ArtifactError: A stage has not run or does not match.
    """
    report = build_report(course, state)
    write_json(course.root / "report.json", report)
    return report


def describe_machine() -> dict[str, Any]:
    """The machine in the words that a reader needs to compare times; says nothing that names it."""
    return {
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": _gpu_name(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _gpu_name() -> str | None:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return ", ".join(found.split("\n")).strip(", ") or None


def render_report(report: dict[str, Any]) -> Table:
    """The report as a table: results first, then where the time went."""
    machine, seconds = report["machine"], report["seconds"]
    hardware = f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['gpu'] or 'no GPU'}"
    table = Table(title=f"Profile {report['profile']} on {hardware}", title_justify="left")
    table.add_column("result")
    table.add_column("value", justify="right")
    for name, value in report["results"].items():
        if isinstance(value, int | float | str):
            table.add_row(name.replace("_", " "), format_result(name, value))
    table.add_section()
    for name, value in seconds.items():
        table.add_row(f"{name} (wall clock)", f"{value:.1f} s")
    return table


def format_result(name: str, value: float | str) -> str:
    """A number with its unit, told from its name: shares as percent, counts as they are."""
    if isinstance(value, str | bool):
        return str(value)
    if "accuracy" in name or "parity" in name or name.endswith(("_rate", "_share")):
        return f"{value:.1%}"
    return f"{value:,d}" if isinstance(value, int) else f"{value:,.2f}"
