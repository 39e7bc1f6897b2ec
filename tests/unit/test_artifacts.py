"""How stages meet: through files that are there, unchanged, and made from what is there now."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from course_utils.artifacts import (
    STAGES,
    UNFINISHED,
    Course,
    Manifest,
    notebook_of,
    open_course,
    package_versions,
    peak_memory_gib,
)
from course_utils.errors import ArtifactError, ConfigurationError
from course_utils.files import PROJECT, resolve, write_jsonl
from course_utils.profiles import get_profile


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return open_course("smoke", str(tmp_path / "dataset"), "", str(tmp_path / "artifacts"))


def run_stage(course: Course, stage: str, **files: str) -> Manifest:
    """What a notebook does: begin, write files, finish. ``train__txt`` names the file train.txt."""
    run = course.begin(stage)
    for name, text in (files or {"out__txt": stage}).items():
        path = run.folder / name.replace("__", ".")
        path.write_text(text, "utf-8")
    return run.finish({"n": 1})


def run_stages(course: Course, until: str) -> None:
    for stage in STAGES[: STAGES.index(until) + 1]:
        run_stage(course, stage)


def test_there_is_a_notebook_for_each_stage() -> None:
    assert notebook_of("setup") == "notebooks/01_setup.ipynb"
    assert notebook_of("monitoring") == "notebooks/06_monitoring.ipynb"


def test_a_manifest_says_what_was_made_from_what(course: Course) -> None:
    run_stage(course, "setup")
    written = run_stage(course, "data", train__jsonl="{}\n", test__jsonl="{}\n{}\n")
    run = course.begin("training")
    (run.folder / "adapter").mkdir()
    (run.folder / "adapter" / "weights.bin").write_bytes(b"\x00" * 1000)
    run.finish({"loss": 0.5})

    manifest = course.manifest("training")
    assert manifest.outputs == {"adapter/weights.bin": hashlib.sha256(b"\x00" * 1000).hexdigest()}
    assert manifest.inputs == {f"data/{name}": value for name, value in written.outputs.items()}
    assert manifest.results["loss"] == 0.5
    assert manifest.results["peak_memory_gib"] > 0
    assert manifest.seconds >= 0
    assert manifest.packages["torch"] == package_versions(["torch"])["torch"]
    assert course.output("training", "adapter") == course.root / "training" / "adapter"
    assert course.output("training", "adapter/weights.bin").read_bytes() == b"\x00" * 1000


def test_a_stage_that_has_not_run_names_its_notebook(course: Course) -> None:
    with pytest.raises(
        ArtifactError, match=r"setup stage is missing; run notebooks/01_setup\.ipynb with PROFILE='smoke'"
    ):
        course.begin("data")
    run_stage(course, "setup")
    with pytest.raises(ArtifactError, match=r"run notebooks/02_data\.ipynb"):
        course.begin("evaluation")


def test_what_is_unfinished_outlives_a_stage_that_was_killed_and_no_other(course: Course) -> None:
    run_stage(course, "setup")
    folder = course.begin("data").folder
    for name in (UNFINISHED, "half"):
        (folder / name).mkdir()
        (folder / name / "checkpoint").write_text("3")
    (folder / "rows.jsonl").write_text("{}")
    again = course.begin("data")
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*")] == [
        UNFINISHED,
        f"{UNFINISHED}/checkpoint",
    ]
    assert again.finish({}).outputs == {}
    assert not (folder / UNFINISHED).exists()


def test_an_unfinished_stage_counts_as_missing(course: Course) -> None:
    run_stage(course, "setup")
    course.begin("data")
    with pytest.raises(ArtifactError, match="data stage is missing"):
        course.begin("training")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("profile", {"profile": get_profile("laptop")}),
        ("data", {"data": PROJECT / "elsewhere"}),
        ("model", {"profile": replace(get_profile("smoke"), base_model="org/other")}),
    ],
)
def test_results_of_another_profile_dataset_or_model_are_refused(
    course: Course, name: str, change: dict[str, object]
) -> None:
    run_stage(course, "setup")
    other = replace(course, **change)  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match=rf"made with {name} .*, not .*; run notebooks/01_setup\.ipynb"):
        other.begin("data")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stage": "setup"}', "\x00"])
def test_a_broken_manifest_is_refused(course: Course, text: str) -> None:
    run_stage(course, "setup")
    (course.folder("setup") / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"not a manifest .*run notebooks/01_setup\.ipynb"):
        course.begin("data")


def test_an_output_that_changed_or_went_is_refused(course: Course) -> None:
    run_stage(course, "setup", a__txt="a", b__txt="b")
    (course.folder("setup") / "a.txt").write_text("changed")
    (course.folder("setup") / "b.txt").unlink()
    (course.folder("setup") / "c.txt").write_text("never part of it")
    with pytest.raises(
        ArtifactError, match=r"a\.txt: missing or not as its notebook wrote it; run notebooks/01_setup\.ipynb"
    ):
        course.output("setup", "a.txt")
    with pytest.raises(ArtifactError, match=r"b\.txt: missing or not as"):
        course.output("setup", "b.txt")
    with pytest.raises(ArtifactError, match=r"c\.txt: missing or not as"):
        course.output("setup", "c.txt")


def test_a_folder_is_checked_file_by_file(course: Course) -> None:
    run = course.begin("setup")
    write_jsonl(run.folder / "databases" / "a" / "a.jsonl", [{"n": 1}])
    write_jsonl(run.folder / "databases_old.jsonl", [{"n": 2}])
    run.finish({})
    assert course.output("setup", "databases").is_dir()
    (run.folder / "databases" / "a" / "a.jsonl").write_text("{}")
    with pytest.raises(ArtifactError, match=r"a\.jsonl: missing or not as"):
        course.output("setup", "databases")


def test_a_stage_made_from_replaced_files_is_refused(course: Course) -> None:
    run_stages(course, "evaluation")
    run_stage(course, "data", out__txt="other rows")
    with pytest.raises(
        ArtifactError, match=r"made from another data/out\.txt .*; run notebooks/03_training\.ipynb with"
    ):
        course.begin("evaluation")
    run_stage(course, "training")
    course.begin("evaluation")


def test_making_the_same_files_again_outdates_nothing(course: Course) -> None:
    run_stages(course, "training")
    run_stage(course, "data")
    course.begin("evaluation")


def test_handing_over_again_from_the_same_kernel_outdates_nothing(course: Course) -> None:
    run_stage(course, "setup")
    data = course.begin("data")
    (data.folder / "train.jsonl").write_text("{}\n")
    first, again = data.finish({"n": 1}), data.finish({"n": 2})
    assert again.outputs == first.outputs
    run_stage(course, "training")
    data.finish({"n": 3})
    course.begin("evaluation")


def test_looking_at_the_machine_again_outdates_nothing(course: Course) -> None:
    run_stages(course, "training")
    run_stage(course, "setup", machine__json="another free disk")
    course.begin("evaluation")


def test_begin_empties_the_folder(course: Course) -> None:
    run_stage(course, "setup", old__txt="old")
    run = course.begin("setup")
    assert list(run.folder.iterdir()) == []


@pytest.mark.parametrize(("name", "stage"), [("data", "data"), ("model", "deployment")])
def test_a_stage_does_not_empty_the_folder_of_its_own_data_or_model(name: str, stage: str, tmp_path: Path) -> None:
    inside = tmp_path / "artifacts" / "smoke" / stage / "merged"
    write_model(inside, b"")
    (tmp_path / "link").symlink_to(inside)
    for place in (inside, inside.parent, tmp_path / "link", Path(os.path.relpath(inside, PROJECT))):
        places = {"data": str(tmp_path), "artifacts": str(tmp_path / "artifacts")} | {name: f"{place}"}
        with pytest.raises(
            ArtifactError, match=rf"{name.upper()}=.* the {stage} stage empties .*copy it elsewhere, or"
        ):
            open_course("smoke", **places).begin(stage)
        assert (inside / "config.json").exists()
    run_stage(
        open_course("smoke", **places | {"artifacts": str(tmp_path / "artifacts" / "smoke" / "retrained")}), "setup"
    )


def test_the_state_of_a_dataset_changes_with_its_files_and_not_with_the_courses_own(tmp_path: Path) -> None:
    course = open_course("smoke", str(tmp_path), "", str(tmp_path / "artifacts"))
    (tmp_path / "train.jsonl").write_text("{}")
    (tmp_path / "databases" / "shop").mkdir(parents=True)
    before = course.data_state()
    run_stage(course, "setup")
    assert run_stage(course, "data").inputs == {"DATA": before}
    shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name} moved"))
    moved = open_course("smoke", f"{tmp_path} moved", "", str(tmp_path / "artifacts"))
    shutil.rmtree(moved.data / "artifacts")
    assert course.data_state() == moved.data_state() == before
    (tmp_path / "databases" / "shop" / "schema.sql").write_text("CREATE TABLE item (name TEXT);")
    assert course.data_state() != before


def test_the_state_of_a_dataset_changes_with_files_behind_a_link(tmp_path: Path) -> None:
    course = open_course("smoke", str(tmp_path / "dataset"), "", str(tmp_path / "artifacts"))
    course.data.mkdir()
    database = tmp_path / "elsewhere" / "shop" / "shop.sqlite"
    database.parent.mkdir(parents=True)
    database.touch()
    (course.data / "database").symlink_to(tmp_path / "elsewhere")
    before = course.data_state()
    database.write_text("more")
    assert course.data_state() != before


def test_begin_says_so_when_the_folder_cannot_be_emptied(course: Course) -> None:
    course.root.mkdir(parents=True)
    course.folder("setup").write_text("a file where the folder belongs")
    with pytest.raises(ArtifactError, match="cannot be emptied"):
        course.begin("setup")


def test_a_stage_that_is_half_emptied_is_not_taken_for_a_finished_one(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_stage(course, "setup")
    listed = [course.folder("setup") / name for name in ("out.txt", "manifest.json")]  # systems list in any order
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(listed))
    listed[0].unlink()
    listed[0].mkdir()
    monkeypatch.setattr(shutil, "rmtree", MagicMock(side_effect=OSError("Device or resource busy")))
    with pytest.raises(ArtifactError, match="cannot be emptied"):
        course.begin("setup")
    with pytest.raises(ArtifactError, match="the result of the setup stage is missing"):
        course.manifest("setup")


def test_manifests_hold_no_path_of_the_machine_for_what_lies_in_the_project(tmp_path: Path) -> None:
    course = open_course("smoke", "data", "", str(tmp_path))
    run_stage(course, "setup")
    text = (course.folder("setup") / "manifest.json").read_text()
    assert str(PROJECT) not in text
    assert json.loads(text)["data"] == "data"
    assert json.loads(text)["model"] == "data/tiny_base"


def write_model(folder: Path, weights: bytes, config: str = "{}") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config)
    (folder / "model.safetensors").write_bytes(weights)


@pytest.mark.parametrize(
    ("weights", "config"), [(bytes(3 * 2**20)[:-1] + b"1", "{}"), (bytes(3 * 2**20), '{"hidden_size": 2}')]
)
def test_an_adapter_of_another_base_model_under_the_same_path_is_refused(
    weights: bytes, config: str, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    settings = ("smoke", str(tmp_path / "dataset"), str(model), str(tmp_path / "artifacts"))
    write_model(model, bytes(3 * 2**20))
    run_stages(open_course(*settings), "training")
    write_model(model, bytes(3 * 2**20))
    (model / "README.md").write_text("the same model, copied and described")
    assert open_course(*settings).manifest("training").model_fingerprint
    write_model(model, weights, config)
    other = open_course(*settings)
    with pytest.raises(ArtifactError, match=r"made with model fingerprint .*run notebooks/03_training\.ipynb"):
        other.output("training", "out.txt")
    with pytest.raises(ArtifactError, match=r"made with model fingerprint .*run notebooks/01_setup\.ipynb"):
        other.begin("evaluation")


def test_a_model_of_the_hub_has_no_fingerprint_wherever_the_course_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = open_course("laptop", artifacts=str(tmp_path))
    write_model(tmp_path / course.model, b"a copy of the same name in the current folder")
    monkeypatch.chdir(tmp_path)
    assert course.identity["model_fingerprint"] == ""


def test_relative_paths_start_at_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    course = open_course("smoke")
    assert course.data == PROJECT / "data"
    assert course.root == PROJECT / "artifacts" / "smoke"
    assert resolve(tmp_path) == tmp_path.resolve()


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'huge' is unknown"):
        open_course("huge")


def test_versions_leave_out_what_is_not_installed() -> None:
    assert set(package_versions(["torch", "no-such-package"])) == {"python", "torch"}


def test_peak_memory_is_in_gib() -> None:
    import psutil

    now = psutil.Process().memory_info().rss / 2**30
    assert now * 0.9 <= peak_memory_gib() < psutil.virtual_memory().total / 2**30
