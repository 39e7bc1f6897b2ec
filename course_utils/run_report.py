"""The result of a course run: what each stage measured, on which machine and how long it took."""

from collections.abc import Mapping
from typing import Any

from course_utils.artifacts import STAGES, Course, write_json
from course_utils.setup import probe_machine
from course_utils.tables import Table

HEADLINES = (
    "base_execution_accuracy best_prompt_execution_accuracy tuned_execution_accuracy tuned_execution_accuracy_unseen "
    "n_test train_examples_per_s train_tokens_per_s peak_memory_gib gguf_parity"
).split()
"""Results that every report holds and that come first."""
SCORES_TOO = {
    "stop_rate": "replies that ended by themselves: {stop_rate:.1%}",
    "time_ratio": "seconds of a right query in other words by those of its gold, median: {time_ratio:.2f}",
    "n_without_instances": "rows with fewer than {n_instances} instances: {n_without_instances}",
    "n_unanswerable": "unanswerable questions refused: {n_refused} of {n_unanswerable}; others: {n_wrongly_refused}",
}
SHOWN_TOO = ("requests_per_s", "latency_p50_ms", "latency_p95_ms")


def write_report(course: Course, took: Mapping[str, float]) -> dict[str, Any]:
    """Merge six manifests and the wall-clock seconds of their notebooks into ``report.json``.

    Raises:
        ArtifactError: A stage has not run or does not match.
    """
    manifests = [course.manifest(stage) for stage in STAGES]
    merged = {name: value for manifest in manifests for name, value in manifest.results.items()}
    merged["peak_memory_gib"] = max(manifest.results["peak_memory_gib"] for manifest in manifests)
    seconds = {stage: took[stage] for stage in STAGES}
    machine = probe_machine()
    report = {
        "profile": course.profile.name,
        "machine": {
            "cpu": machine.cpu,
            "cores": machine.n_cores,
            "memory_gib": machine.memory_gib,
            "gpu": ", ".join(map(str, machine.gpus)) or None,
            "python": machine.python,
            "platform": machine.os,
        },
        "seconds": {**seconds, "total": round(sum(seconds.values()), 1)},
        "results": {name: merged.pop(name) for name in HEADLINES if name in merged} | merged,
    }
    write_json(course.root / "report.json", report)
    return report


def render_report(report: dict[str, Any]) -> Table:
    """The headlines of a report with their intervals, and where the time went."""
    machine, seconds, results = report["machine"], report["seconds"], report["results"]
    hardware = f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['gpu'] or 'no GPU'}"
    rows = []
    for name in (*HEADLINES, *SHOWN_TOO):
        if name in results:
            ends = [results.get(f"{name}_{end}") for end in ("low", "high")]
            interval = " to ".join(format_result(name, end) for end in ends if end is not None)
            rows.append((name.replace("_", " "), format_result(name, results[name]), interval))
    rows += [(f"{name} (wall clock)", f"{value:.1f} s", "") for name, value in seconds.items()]
    caption = f"PROFILE={report['profile']} on {hardware}"
    return Table(caption, ("result", "value", "95 % interval"), tuple(rows), frozenset({"result"}))


def format_result(name: str, value: float | str) -> str:
    """A number as its name asks for: shares as percent, counts as they are."""
    if isinstance(value, str | bool):
        return str(value)
    if name.startswith("n_"):
        return f"{value:,.0f}"
    return f"{value:.1%}" if "accuracy" in name or "parity" in name else f"{value:,.2f}"


def render_scores(scores: dict[str, Any]) -> Table:
    """What ``evaluation.Scores.summary`` returns, as a table: a row for each slice, what else was counted above it."""
    measures = [name for name in ("execution_accuracy", "test_suite_accuracy") if name in scores]
    slices = {"all": scores}
    for kind in (name for name in scores if name.startswith("by_")):
        slices |= {f"{kind[3:].replace('_', ' ')}: {name}": group for name, group in scores[kind].items()}
    rows = [[name, str(group["n"])] for name, group in slices.items()]
    for row, group in zip(rows, slices.values(), strict=True):
        row += [f"{group[m]:.1%} [{group[f'{m}_low']:.1%}, {group[f'{m}_high']:.1%}]" for m in measures]
    errors = ", ".join(f"{name}: {n}" for name, n in scores["errors"].items()) or "no errors"
    caption = [scores["name"], f"valid SQL: {scores['validity']:.1%}; {errors}"]
    # A count of nothing says nothing; a share of nothing does.
    said = [name for name in SCORES_TOO if name in scores and (scores[name] or not name.startswith("n_"))]
    caption += [SCORES_TOO[name].format(**scores) for name in said]
    if matches := scores.get("component_match"):
        shares = ", ".join(f"{clause} {share:.1%}" for clause, share in matches.items())
        caption.append(f"clauses as in the gold, of the rows that have them: {shares}")
    if left_out := scores.get("left_out"):
        caption += [f"left out: {len(left_out)} rows whose gold fails", *left_out]
    columns = ("group", "questions", *(name.replace("_", " ") for name in measures))
    return Table("\n".join(caption), columns, tuple(map(tuple, rows)), frozenset({"group"}))
