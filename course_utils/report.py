"""The result of a course run: what each stage measured, on which machine and how long it took."""

from pathlib import Path
from typing import Any

from rich.table import Table

from course_utils.artifacts import STAGES, Course, write_json
from course_utils.runner import RunState
from course_utils.setup import Machine, probe_machine

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
SHOWN_TOO = ("requests_per_s", "latency_p50_ms", "latency_p95_ms")


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
        "machine": describe_machine(probe_machine()),
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


def describe_machine(machine: Machine) -> dict[str, Any]:
    """The machine in the words that a reader needs to compare times."""
    return {
        "cpu": machine.cpu,
        "cores": machine.n_cores,
        "memory_gib": machine.memory_gib,
        "gpu": ", ".join(map(str, machine.gpus)) or None,
        "python": machine.python,
        "platform": machine.os,
    }


def render_report(report: dict[str, Any], path: Path) -> Table:
    """The headlines of a report with their intervals, where the time went, and where the rest is."""
    machine, seconds, results = report["machine"], report["seconds"], report["results"]
    hardware = f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['gpu'] or 'no GPU'}"
    caption = f"PROFILE={report['profile']} on {hardware}\nAll {len(results)} results: {path}"
    table = Table("result", "value", "95 % interval", caption=caption, caption_justify="left", min_width=72)
    table.columns[1].justify = table.columns[2].justify = "right"
    for name in (*HEADLINES, *SHOWN_TOO):
        if name in results:
            ends = [results.get(f"{name}_{end}") for end in ("low", "high")]
            interval = " to ".join(format_result(name, end) for end in ends if end is not None)
            table.add_row(name.replace("_", " "), format_result(name, results[name]), interval)
    table.add_section()
    for name, value in seconds.items():
        table.add_row(f"{name} (wall clock)", f"{value:.1f} s")
    return table


def format_result(name: str, value: float | str) -> str:
    """A number as its name asks for: shares as percent, counts as they are."""
    if isinstance(value, str | bool):
        return str(value)
    if name.startswith("n_"):
        return f"{value:,.0f}"
    return f"{value:.1%}" if "accuracy" in name or "parity" in name else f"{value:,.2f}"


def render_scores(scores: dict[str, Any]) -> Table:
    """What ``evaluation.score_file`` returns, as a table."""
    table = Table("group", "questions", "execution accuracy", "95 % interval", title=scores["file"])
    groups = {"all": scores, **scores["by_seen"], **scores["by_difficulty"]}
    for name, group in groups.items():
        low, high = group["execution_accuracy_low"], group["execution_accuracy_high"]
        table.add_row(name, str(group["n"]), f"{group['execution_accuracy']:.1%}", f"{low:.1%} to {high:.1%}")
    problems = ", ".join(f"{name}: {n}" for name, n in scores["errors"].items())
    table.caption = f"valid SQL: {scores['validity']:.1%}; {problems or 'no errors'}"
    return table
