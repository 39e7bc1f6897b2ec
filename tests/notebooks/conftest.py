"""Six notebooks that do nothing but finish their stage, for tests of how notebooks are run."""

import nbformat
import pytest
from nbformat import v4

from course_utils.artifacts import PARAMETERS, STAGES, notebook_of
from tools.notebooks.outputs import KERNELSPEC

BEGIN = """\
from course_utils.artifacts import open_course
course = open_course(PROFILE, DATA, MODEL, ARTIFACTS)
stage = course.begin("{stage}")"""


def write_notebook(folder, stage, work="1 + 1"):
    retrain = {"tags": ["retrain"]}
    parameters = "\n".join(f"{name} = {value!r}" for name, value in PARAMETERS.items())
    cells = [
        v4.new_markdown_cell(f"# {stage}", id="title"),
        v4.new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}),
        v4.new_code_cell(BEGIN.format(stage=stage), id="begin", metadata=retrain),
        v4.new_code_cell(work, id="work"),
        v4.new_code_cell(f'stage.finish({{"n_{stage}": 1}}).results', id="finish", metadata=retrain),
    ]
    path = folder / notebook_of(stage).removeprefix("notebooks/")
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC}), path)
    return path


@pytest.fixture(scope="session")
def make_notebooks():
    """Write six notebooks into a new folder; ``work`` gives the notebook of a stage something to do."""

    def make(folder, **work):
        folder.mkdir(exist_ok=True)
        for stage in STAGES:
            write_notebook(folder, stage, work.get(stage, "1 + 1"))
        return folder

    return make


@pytest.fixture
def notebooks(make_notebooks, tmp_path):
    """A folder of six notebooks; call ``plant`` to replace one."""
    return make_notebooks(tmp_path / "notebooks")


@pytest.fixture
def plant(notebooks):
    """Give the notebook of a stage something to do."""
    return lambda stage, work: write_notebook(notebooks, stage, work)
