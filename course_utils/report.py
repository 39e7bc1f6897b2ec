"""The result of a course run: what each stage measured, on which machine and how long it took."""

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


def render_report(report: dict[str, Any]) -> Table:
    """The report as a table: results first, then where the time went."""
    machine, seconds = report["machine"], report["seconds"]
    hardware = f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['gpu'] or 'no GPU'}"
    table = Table(caption=f"PROFILE={report['profile']} on {hardware}", caption_justify="left", min_width=64)
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
