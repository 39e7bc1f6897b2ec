"""Where a run starts, what it leaves behind, and what it refuses. The kernels are real in tests/notebooks."""

import os
from unittest.mock import MagicMock

import pytest
from filelock import FileLock
from rich.console import Console

from course_utils import runner
from course_utils.artifacts import STAGES, open_course
from course_utils.errors import ArtifactError, ConfigurationError, DataError, ModelError
from course_utils.kernel import NotebookError, Position
from course_utils.models import hub
from course_utils.runner import check_course, load_seconds, plan_stages, run_stages
from course_utils.terminal import RunProgress


@pytest.fixture(autouse=True)
def no_kernels(monkeypatch):
    """These notebooks need none."""
    monkeypatch.setattr(runner, "Kernels", MagicMock)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "model").mkdir()
    places = {name: str(tmp_path / folder) for name, folder in (("data", "dataset"), ("model", "model"))}
    return {"profile": "smoke", "artifacts": str(tmp_path / "results"), **places}


@pytest.fixture
def notebooks(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for number, stage in enumerate(STAGES, start=1):
        (folder / f"{number:02d}_{stage}.ipynb").touch()
    return folder


@pytest.fixture
def course(settings, notebooks):
    return checked(settings, notebooks)


def checked(settings, notebooks, **change):
    course = open_course(**{**settings, **change})
    check_course(course, notebooks)
    return course


@pytest.fixture
def run(course, notebooks, monkeypatch):
    """Run stages with notebooks that do nothing but finish their stage, or stop the run at one."""

    def run_until(stop_at=None, error=None, content="", **chosen):
        def execute(notebook, executed, parameters, on_cell, kernel, tag):
            stage = notebook.stem.split("_")[1]
            stage_run = course.begin(stage)
            if stage == stop_at:
                raise error or NotebookError(notebook.name, Position(2, 3, "work", "1 / 0"), "ZeroDivisionError", "")
            (stage_run.folder / "rows.jsonl").write_text(content)
            stage_run.finish({f"n_{stage}": 1})

        monkeypatch.setattr(runner, "execute_notebook", execute)
        return run_stages(course, plan_stages(course, **chosen), RunProgress(Console(quiet=True)), notebooks)

    return run_until


def test_a_first_run_executes_every_notebook(course, run):
    assert plan_stages(course) == STAGES
    assert {*run()} == {*STAGES}


def test_a_run_that_stopped_midway_resumes_where_it_stopped(course, run):
    with pytest.raises(NotebookError):
        run("training")
    assert plan_stages(course) == STAGES[2:]
    assert {*run()} == {*STAGES}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ArtifactError("not this dataset"), OSError("No space left")])
def test_whatever_stops_a_run_it_can_be_resumed(course, run, error):
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        run("evaluation", error)
    assert [*load_seconds(course)] == [*STAGES[:3]]
    assert plan_stages(course) == STAGES[3:]


def test_a_run_that_stopped_prepares_a_changed_dataset_anew(course, run):
    with pytest.raises(NotebookError):
        run("evaluation")
    (course.data / "train.jsonl").write_text("mended")
    assert plan_stages(course) == STAGES[1:]
    assert plan_stages(course, first="evaluation") == STAGES[3:]


def test_two_runs_do_not_share_their_artifacts(course, run):
    with FileLock(course.root / "run.lock"), pytest.raises(ArtifactError, match="another run is at work"):
        run()
    assert {*run()} == {*STAGES}


def test_a_run_after_a_finished_one_starts_afresh(course, run):
    run()
    assert plan_stages(course) == STAGES


def test_other_settings_start_afresh(course, run, settings, notebooks, tmp_path):
    with pytest.raises(NotebookError):
        run("training")
    (tmp_path / "other").mkdir()
    for change in ({"data": str(tmp_path / "other")}, {"model": str(tmp_path / "other")}, {"profile": "laptop"}):
        other = checked(settings, notebooks, **change)
        assert plan_stages(other) == STAGES
        assert load_seconds(other) == {}


def test_a_result_that_is_gone_is_made_again(course, run):
    with pytest.raises(NotebookError):
        run("evaluation")
    (course.folder("data") / "manifest.json").unlink()
    assert plan_stages(course) == STAGES[1:]


def test_an_unreadable_state_starts_afresh(course, run):
    with pytest.raises(NotebookError):
        run("training")
    (course.root / "run.json").write_text('{"course": {"profile": "smo')
    assert plan_stages(course) == STAGES


def test_from_chooses_where_to_start(course, run):
    run()
    assert plan_stages(course, first="training") == STAGES[2:]
    assert plan_stages(course, first="setup") == STAGES
    assert plan_stages(course, first="data", until="data") == ("data",)


def test_from_needs_the_results_before_it(course):
    with pytest.raises(ArtifactError, match=r"notebooks/01_setup\.ipynb"):
        plan_stages(course, first="training")


@pytest.mark.parametrize("chosen", ["first", "until"])
def test_an_unknown_stage_is_refused_with_those_there_are(course, chosen):
    with pytest.raises(ConfigurationError, match=r"'deploy'.*deployment"):
        plan_stages(course, **{chosen: "deploy"})


def test_later_results_do_not_survive_an_earlier_notebook(course, run):
    run()
    (course.root / "report.json").write_text("{}")
    with pytest.raises(NotebookError):
        run("data", first="data")
    assert not (course.folder("evaluation") / "manifest.json").exists()
    assert not (course.root / "report.json").exists()
    assert (course.folder("setup") / "manifest.json").exists()
    assert plan_stages(course) == STAGES[1:], "the finished run before this one does not count"


def test_one_stage_alone_leaves_those_made_from_it_to_do(course, run):
    run()
    assert [*run(first="data", until="data", content="other rows")] == [*STAGES[:2]]
    assert plan_stages(course) == STAGES[2:]


def test_a_run_ends_with_the_stage_that_is_asked_for(course, run):
    assert [*run(until="data")] == [*STAGES[:2]]
    assert plan_stages(course, "data", until="deployment") == STAGES[1:5]
    assert plan_stages(course, until="training") == ("training",)
    with pytest.raises(ConfigurationError, match="would start at training, after data"):
        plan_stages(course, until="data")
    with pytest.raises(ConfigurationError, match="no stage 'end'; choose one of setup, data"):
        plan_stages(course, until="end")


def test_looking_at_the_machine_again_outdates_nothing(course, run):
    run()
    assert {*run(first="setup", until="setup", content="another machine")} == {*STAGES}


def test_a_notebook_that_finishes_no_stage_stops_the_run(course, notebooks, monkeypatch):
    monkeypatch.setattr(runner, "execute_notebook", lambda *arguments: None)
    with pytest.raises(ArtifactError, match="setup stage is missing"):
        run_stages(course, STAGES, RunProgress(Console(quiet=True)), notebooks)


def test_a_profile_off_the_hub_keeps_its_kernels_off_the_network(course, notebooks, monkeypatch):
    seen = []

    def execute(notebook, executed, parameters, on_cell, kernel, tag):
        seen.append((parameters, os.environ["HF_HUB_OFFLINE"]))  # which a kernel inherits
        course.begin("setup").finish({})

    monkeypatch.setattr(runner, "execute_notebook", execute)
    run_stages(course, ("setup",), RunProgress(Console(quiet=True)), notebooks)
    assert seen == [(course.parameters, "1")]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"profile": "huge"}, ConfigurationError, "'huge' is unknown; choose one of smoke, laptop"),
        ({"data": "no/such/data"}, DataError, r"DATA='no/such/data'.*no folder"),
        ({"model": "./no/such/model"}, ModelError, "no such model folder"),
        ({"model": "nobody/nothing"}, ModelError, "cannot be loaded from the Hub or its cache"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(settings, notebooks, change, error, message):
    with pytest.raises(error, match=message):
        checked(settings, notebooks, **change)


def test_a_model_that_the_hub_does_not_have_is_refused(settings, notebooks, monkeypatch, tmp_path):
    (tmp_path / "nobody" / "nothing").mkdir(parents=True)  # no kernel starts in this folder
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "_is_offline", lambda: False)
    with pytest.raises(ModelError, match="nobody/nothing: the model cannot be"):
        checked(settings, notebooks, model="nobody/nothing")


@pytest.mark.parametrize("name", ["data", "model"])
def test_what_a_stage_would_empty_is_refused(settings, notebooks, tmp_path, name):
    inside = tmp_path / "results" / "smoke" / "deployment" / "merged"
    inside.mkdir(parents=True)
    with pytest.raises(ArtifactError, match="copy it elsewhere, or set another ARTIFACTS"):
        checked(settings, notebooks, **{name: str(inside)})


def test_artifacts_that_cannot_be_written_are_refused(settings, notebooks, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="cannot write there"):
        checked(settings, notebooks, artifacts=str(tmp_path / "file"))


def test_missing_notebooks_are_named(settings, notebooks):
    (notebooks / "04_evaluation.ipynb").unlink()
    with pytest.raises(ConfigurationError, match=r"04_evaluation\.ipynb missing"):
        checked(settings, notebooks)
