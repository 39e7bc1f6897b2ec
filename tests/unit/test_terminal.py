"""What a person sees of a run: short logs, the failing cell and no more, and a report of the contract's shape."""

import io
import json

import pytest
from rich.console import Console

from course_utils import runner
from course_utils.artifacts import STAGES, open_course
from course_utils.errors import ArtifactError
from course_utils.kernel import NotebookError, Position
from course_utils.runner import write_report
from course_utils.setup.machine import Gpu, Machine
from course_utils.terminal import (
    N_TRACEBACK_LINES,
    RunProgress,
    format_result,
    render_failure,
    render_report,
    render_scores,
)

POSITION = Position(3, 7, "train-adapter", "adapter = train(rows)\nadapter")


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100)


def show(console, error):
    console.print(render_failure(error))
    return console.file.getvalue()


def test_lines_name_the_notebook_and_its_seconds(console):
    lines = RunProgress(console, every_s=0)
    lines.started("training")
    lines.cell("training", POSITION)
    lines.finished("training", 12.34)
    assert console.file.getvalue().splitlines() == [
        "[3/6] notebooks/03_training.ipynb: starts",
        "[3/6] notebooks/03_training.ipynb: cell 3/7 train-adapter",
        "[3/6] notebooks/03_training.ipynb: done, 7 cells in 12.3 s",
    ]


def test_quick_cells_say_nothing(console):
    lines = RunProgress(console)
    lines.started("training")
    lines.cell("training", POSITION)
    assert "cell" not in console.file.getvalue()


def test_a_terminal_gets_bars():
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    progress = RunProgress(console, every_s=0)
    with progress.bars:
        progress.started("training")
        progress.cell("training", POSITION)
        progress.finished("training", 12.34)
    shown = console.file.getvalue()
    assert "done, " not in shown
    assert "notebooks/03_training.ipynb" in shown
    assert "7/7" in shown


def test_a_terminal_that_cannot_redraw_gets_lines():
    console = Console(file=io.StringIO(), width=100, force_terminal=True, _environ={"TERM": "dumb"})
    progress = RunProgress(console, every_s=0)
    with progress.bars:
        progress.started("training")
        assert console.file.getvalue() == "[3/6] notebooks/03_training.ipynb: starts\n"


def test_an_error_shows_its_cell_and_traceback(console):
    traceback = "\x1b[0;31mValueError\x1b[0m  Traceback\nCell In[4], line 1\n\x1b[0;31mValueError\x1b[0m: planted [/]"
    shown = show(console, NotebookError("03_training.ipynb", POSITION, "ValueError", "planted [/]", traceback))
    for text in ("notebooks/03_training.ipynb, cell 3 of 7", "adapter = train(rows)", "ValueError: planted [/]"):
        assert text in shown
    assert "\x1b" not in shown


def test_an_error_raised_on_purpose_shows_its_message_only(console):
    error = NotebookError("02_data.ipynb", POSITION, "DataError", "data/train.jsonl:17: ...", "Traceback\n" * 50)
    shown = show(console, error)
    assert "DataError: data/train.jsonl:17: ..." in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("traceback", ["", "\x1b[0;31mValueError\x1b[0m: a row:\n'\x1bc\x9b'"])
def test_an_error_says_what_a_stranger_wrote_without_obeying_it(console, traceback):
    shown = show(console, NotebookError("02_data.ipynb", POSITION, "ValueError", "a row:\n'\x1bc\x9b'", traceback))
    assert "ValueError: a row:\n'\\x1bc\\x9b'" in shown


def test_a_kernel_that_never_started_shows_no_code(console):
    shown = show(console, NotebookError("01_setup.ipynb", Position(0, 7, "kernel-start", ""), "RuntimeError", "died"))
    assert "did not start" in shown


def test_of_a_long_traceback_the_end_is_shown(console):
    lines = [f"<line {number}>" for number in range(100)]
    shown = show(console, NotebookError("01_setup.ipynb", POSITION, "KeyError", "'x'", "\n".join(lines)))
    assert [line for line in lines if line in shown] == lines[-N_TRACEBACK_LINES:]


# The report is made of manifests that stages wrote

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
    ],
)
def test_numbers_show_their_kind(name, value, shown):
    assert format_result(name, value) == shown


def test_gpus_are_named(course, monkeypatch):
    machine = Machine("Linux", "3.12", "a processor", 8, 32.0, 100.0, gpus=(Gpu("NVIDIA L4", 22.5, (8, 9)),))
    monkeypatch.setattr(runner, "probe_machine", lambda: machine)
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
