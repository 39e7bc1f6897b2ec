"""The report has the contract's shape, from manifests that stages wrote."""

import io
import json

import pytest
from rich.console import Console

from course_utils import run_report
from course_utils.artifacts import STAGES, open_course
from course_utils.errors import ArtifactError
from course_utils.run_report import format_result, render_report, render_scores, write_report
from course_utils.setup.machine import Gpu, Machine

RESULTS = {
    "setup": {"recommended_profile": "smoke"},
    "data": {"n_train": 1500},
    "training": {"train_tokens_per_s": 5000.0, "train_examples_per_s": 40.0},
    "evaluation": {
        "tuned_execution_accuracy": 0.8,
        "tuned_execution_accuracy_low": 0.745,
        "tuned_execution_accuracy_high": 0.846,
        "base_execution_accuracy": 0.0,
        "best_prompt_execution_accuracy": 0.5,
        "tuned_execution_accuracy_unseen": 0.75,
        "n_test": 240,
    },
    "deployment": {"gguf_parity": 0.99},
    "monitoring": {"latency_p95_ms": 812.5},
}

SECONDS = {stage: 10.0 + number for number, stage in enumerate(STAGES)}


@pytest.fixture
def course(tmp_path):
    course = open_course("smoke", str(tmp_path), str(tmp_path), str(tmp_path / "artifacts"))
    for stage in STAGES:
        course.begin(stage).finish(RESULTS[stage])
    return course


def test_the_report_has_the_shape_of_the_contract(course):
    report = write_report(course, SECONDS)
    assert json.loads((course.root / "report.json").read_text()) == report
    assert list(report) == ["profile", "machine", "seconds", "results"]
    assert set(report["machine"]) == {"cpu", "cores", "memory_gib", "gpu", "python", "platform"}
    assert list(report["seconds"]) == [*STAGES, "total"]
    assert report["seconds"]["total"] == 75.0


def test_results_of_all_stages_meet_headlines_first(course):
    results = write_report(course, SECONDS)["results"]
    shares = ["base", "best_prompt", "tuned"]
    headlines = [*(f"{name}_execution_accuracy" for name in shares), "tuned_execution_accuracy_unseen", "n_test"]
    assert list(results)[:5] == headlines
    assert results["n_train"] == 1500
    assert results["latency_p95_ms"] == 812.5


def test_peak_memory_is_the_largest_of_all_stages(course):
    path = course.folder("training") / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["results"]["peak_memory_gib"] = 99.5
    path.write_text(json.dumps(manifest))
    assert write_report(course, SECONDS)["results"]["peak_memory_gib"] == 99.5


def test_a_missing_stage_is_named(course):
    (course.folder("deployment") / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"notebooks/05_deployment\.ipynb"):
        write_report(course, SECONDS)


def test_the_table_shows_results_and_times(course):
    console = Console(file=io.StringIO(), width=100)
    console.print(render_report(write_report(course, SECONDS)))
    shown = console.file.getvalue()
    for text in (
        "80.0%",
        "74.5% to 84.6%",
        "812.50",
        "total",
        "75.0 s",
        "PROFILE=smoke",
    ):
        assert text in shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("tuned_execution_accuracy", 0.805, "80.5%"),
        ("gguf_parity", 1.0, "100.0%"),
        ("n_test", 2400, "2,400"),
        ("n_parity", 100, "100"),
        ("latency_p95_ms", 812.5, "812.50"),
        ("recommended_profile", "smoke", "smoke"),
        ("drifted", True, "True"),
    ],
)
def test_numbers_show_their_kind(name, value, shown):
    assert format_result(name, value) == shown


def test_gpus_are_named(course, monkeypatch):
    machine = Machine("Linux", "3.12", "a processor", 8, 32.0, 100.0, gpus=(Gpu("NVIDIA L4", 22.5, (8, 9)),))
    monkeypatch.setattr(run_report, "probe_machine", lambda: machine)
    assert write_report(course, SECONDS)["machine"]["gpu"].startswith("NVIDIA L4")


def test_scores_show_their_interval():
    share = {"n": 4, "execution_accuracy": 0.5, "execution_accuracy_low": 0.15, "execution_accuracy_high": 0.85}
    scores = {"name": "x", **share, "validity": 0.75, "by_seen": {"unseen": share}, "by_difficulty": {}}
    console = Console(file=io.StringIO(), width=100)
    counted = {"stop_rate": 0.0, "n_instances": 1, "n_without_instances": 0}
    console.print(render_scores({**scores, **counted, "errors": {"no such column": 1}}))
    shown = console.file.getvalue()
    assert "replies that ended by themselves: 0.0%" in shown
    assert "instances" not in shown
    for text in ("unseen", "50.0%", "[15.0%, 85.0%]", "valid SQL: 75.0%; no such column: 1"):
        assert text in shown
