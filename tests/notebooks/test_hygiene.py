"""Every notebook of the course keeps to the anatomy that they share, and holds the outputs of a clean smoke run."""

import pytest

from course_utils.artifacts import STAGES, notebook_of
from course_utils.files import PROJECT
from tools.notebooks.hygiene import check_notebook, check_outputs, repository_url

NOTEBOOKS = [notebook_of(stage) for stage in STAGES]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_text_and_code_follow_the_anatomy(name):
    problems = check_notebook(PROJECT / name, repository_url())
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_outputs_are_those_of_a_clean_run(name):
    problems = check_outputs(PROJECT / name)
    assert not problems, "\n".join(problems)


def test_there_are_no_other_notebooks():
    assert sorted(f"notebooks/{path.name}" for path in (PROJECT / "notebooks").glob("*.ipynb")) == NOTEBOOKS
