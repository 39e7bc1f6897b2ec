"""The six notebooks on a small dataset laid out as Spider's own release, each by itself, from another folder."""

import json
import shutil

import pytest

from course_utils.artifacts import STAGES, notebook_of
from course_utils.files import PROJECT
from course_utils.kernel import NotebookError, execute_notebook, start_kernel

pytestmark = [pytest.mark.slow, pytest.mark.takes(300), pytest.mark.timeout(1_200)]

FOREIGN_DATA = PROJECT / "tests" / "fixtures" / "foreign_dataset"


@pytest.fixture(scope="module")
def foreign_artifacts(tmp_path_factory):
    """The results of the six."""
    artifacts = tmp_path_factory.mktemp("foreign") / "artifacts"
    parameters = {"PROFILE": "smoke", "DATA": str(FOREIGN_DATA), "MODEL": "", "ARTIFACTS": str(artifacts)}
    for stage in STAGES:
        kernel = start_kernel(PROJECT)
        execute_notebook(PROJECT / notebook_of(stage), artifacts / "executed.ipynb", parameters, kernel=kernel)
    return artifacts


@pytest.mark.parametrize("stage", STAGES)
def test_a_notebook_runs_alone_on_foreign_data(foreign_artifacts, stage):
    folder = foreign_artifacts / "smoke" / stage
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert (manifest["stage"], manifest["profile"]) == (stage, "smoke")
    assert manifest["results"]["peak_memory_gib"] > 0
    assert all((folder / name).is_file() for name in manifest["outputs"])


def test_foreign_rows_keep_their_databases(foreign_artifacts):
    rows = (foreign_artifacts / "smoke" / "data" / "test.jsonl").read_text("utf-8").splitlines()
    foreign = {row["db_id"] for row in json.loads((FOREIGN_DATA / "dev.json").read_text("utf-8"))}
    assert {json.loads(row)["db_id"] for row in rows} <= foreign


def test_results_of_another_profile_are_refused(foreign_artifacts, tmp_path):
    shutil.copytree(foreign_artifacts / "smoke", tmp_path / "laptop")
    parameters = {"PROFILE": "laptop", "DATA": str(FOREIGN_DATA), "MODEL": "data/tiny_base", "ARTIFACTS": str(tmp_path)}
    with pytest.raises(NotebookError, match=r"ArtifactError.*made with profile 'smoke'.*notebooks/01_setup\.ipynb"):
        execute_notebook(PROJECT / notebook_of("evaluation"), tmp_path / "executed.ipynb", parameters)
