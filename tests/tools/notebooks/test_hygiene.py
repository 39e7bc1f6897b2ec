"""The checker finds each violation, planted one at a time in a notebook that has none."""

import nbformat
import pytest
from nbformat import v4

from course_utils.artifacts import PARAMETERS
from tools.notebooks import anatomy
from tools.notebooks.hygiene import SETUP_CELL, check_notebook, check_outputs
from tools.notebooks.minutes import minutes_table
from tools.notebooks.outputs import KERNELSPEC, code_sha256

REPOSITORY = "https://github.com/someone/some-course"
NAME = "02_data.ipynb"
BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    f"(https://colab.research.google.com/github/someone/some-course/blob/main/notebooks/{NAME})"
)


def code(identity, source, *tags, outputs=()):
    return v4.new_code_cell(source, id=identity, metadata={"tags": list(tags)} if tags else {}, outputs=list(outputs))


def text(identity, source):
    return v4.new_markdown_cell(source, id=identity)


GOALS = "you will be able to\n\n- look,\n- break,\n- mend.\n\n**You need** nothing."
MINUTES = {"smoke": {"machine": "2 cores", "stages": {"data": {"minutes": 1.5, "memory_gib": 1.2}}}}


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    monkeypatch.setattr(anatomy, "read_minutes", lambda: MINUTES)


@pytest.fixture
def notebook():
    parameters = "\n".join(f'{name} = "{value}"' for name, value in PARAMETERS.items())
    data = {"text/plain": "https://example.org/home/page", "text/html": "<p>2</p>"}
    result = v4.new_output("execute_result", data, execution_count=4)
    cells = [
        text("title", f"# 2. Data\n\n{BADGE}\n\n{GOALS}\n\n{minutes_table('data', MINUTES)}\n\n```\n# no heading\n```"),
        code("setup", SETUP_CELL.format(repository=REPOSITORY), "setup"),
        code("parameters", parameters, "parameters"),
        text("look-heading", "## 1. Look at the rows\n\n**Predict first.** How many?"),
        code("look-rows", "1 + 1", outputs=[result]),
        text("break-heading", "## 2. Break it"),
        code("break-rows", 'rows = "n:\\n"\nrows', "slow"),
        text("mend", "**Diagnose it.** Why?\n\n**Fix it.** So."),
        text("hand-over", "## 3. Hand over"),
        text("check-heading", "## Check"),
        code("check", "assert True\n'complete'", "check"),
        text("learned", "## What you learned\n\nNext: [training](03_training.ipynb)."),
    ]
    made = v4.new_notebook(cells=cells, metadata={"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}})
    for count, cell in enumerate((cell for cell in cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
    made.metadata.course = {"profile": "smoke", "code_sha256": code_sha256(made)}
    return made


@pytest.fixture
def check(notebook, tmp_path):
    def run_checks(checker):
        path = tmp_path / NAME
        nbformat.write(notebook, path)
        return checker(path, REPOSITORY) if checker is check_notebook else checker(path)

    return run_checks


def cell(notebook, identity):
    return next(cell for cell in notebook.cells if cell.id == identity)


def test_a_clean_notebook_has_no_problems(check):
    assert check(check_notebook) == []
    assert check(check_outputs) == []


def set_source(identity, source):
    return lambda notebook: cell(notebook, identity).update(source=source)


def append_source(identity, source):
    return lambda notebook: cell(notebook, identity).update(source=cell(notebook, identity).source + source)


def replace_source(notebook, old, new):
    notebook.cells[0].update(source=notebook.cells[0].source.replace(old, new))


def set_tags(identity, *tags):
    return lambda notebook: cell(notebook, identity).metadata.update(tags=list(tags))


TEXT_VIOLATIONS = {
    "two titles": (append_source("learned", "\n\n# Another"), "exactly one H1"),
    "no badge": (set_source("title", "# 2. Data"), "must hold the line"),
    "badge of another notebook": (
        lambda notebook: notebook.cells[0].update(source=notebook.cells[0].source.replace(NAME, "01_setup.ipynb")),
        "must hold the line",
    ),
    "another setup cell": (append_source("setup", "\nimport os"), "tagged setup, must be exactly"),
    "no setup tag": (set_tags("setup"), "tagged setup, must be exactly"),
    "setup not second": (lambda notebook: notebook.cells.insert(1, text("words", "Words.")), "the second cell"),
    "computed parameter": (append_source("parameters", "\nSEED = 1 + int('1')"), "assign literals"),
    "further parameter": (append_source("parameters", "\nSEED = 1"), "assign literals"),
    "other default": (set_source("parameters", 'PROFILE = "laptop"'), "assign literals"),
    "no parameters": (set_tags("parameters"), "exactly one cell tagged parameters"),
    "unknown tag": (set_tags("look-rows", "hide-input"), "'hide-input' is not one of"),
    "gap in the sections": (set_source("break-heading", "## 3. Break it"), "numbered 1, 2, 3"),
    "section without a number": (set_source("look-heading", "## Look"), "'Look' has no number"),
    "no goals": (lambda notebook: replace_source(notebook, "you will be able to", "we shall"), "you will be able to"),
    "two goals": (lambda notebook: replace_source(notebook, "- mend.", ""), "list 3 to 7 goals"),
    "nothing needed": (lambda notebook: replace_source(notebook, "**You need**", "Take"), "**You need**"),
    "other times": (lambda notebook: replace_source(notebook, "| 1.5 |", "| 0.1 |"), "must hold the measured times"),
    "nothing to predict": (set_source("look-heading", "## 1. Look"), "has no **Predict first.**"),
    "nothing to diagnose": (set_source("mend", "**Fix it.**"), "has no **Diagnose it.**"),
    "nothing fixed": (set_source("mend", "**Diagnose it.**"), "has no **Fix it.**"),
    "no hand-over": (set_source("hand-over", "## 3. Results"), "must be called Hand over"),
    "no verdict": (set_source("check", "assert True"), "must end on a verdict"),
    "nothing breaks": (set_source("break-heading", "## 2. Train"), "Break it"),
    "no check section": (set_source("check-heading", "Now check."), "exactly one section ## Check"),
    "no check cell": (set_tags("check"), "code cell tagged check"),
    "nothing learned": (set_source("learned", "[next](03_training.ipynb)"), "exactly one section ## What you learned"),
    "no link to the next": (set_source("learned", "## What you learned"), r"(03_training.ipynb)"),
    "long cell": (set_source("look-rows", "\n".join(["a = 1"] * 16)), "16 lines of code"),
    "empty cell": (set_source("look-rows", ""), "is empty"),
    "ends on print": (set_source("look-rows", "print(\n  1\n)"), "ends on print"),
    "random id": (
        lambda notebook: cell(notebook, "look-rows").update(id="1b9f3c2d"),
        "'1b9f3c2d' is not made of words",
    ),
    "other kernel": (lambda notebook: notebook.metadata.kernelspec.update(name="venv"), "metadata.kernelspec"),
    "leftover metadata": (lambda notebook: notebook.metadata.update(papermill={}), "metadata.papermill"),
    "old format": (lambda notebook: notebook.update(nbformat_minor=4), "older than format 4.5"),
}


@pytest.mark.parametrize("violation", TEXT_VIOLATIONS)
def test_a_violation_in_text_or_code_is_found(notebook, check, violation):
    plant, message = TEXT_VIOLATIONS[violation]
    plant(notebook)
    assert any(message in problem and problem.startswith(NAME) for problem in check(check_notebook))


def show(mime, value):
    return lambda notebook: cell(notebook, "look-rows").outputs.append(v4.new_output("display_data", {mime: value}))


def write(name, value):
    output = v4.new_output("stream", name=name, text=value)
    return lambda notebook: cell(notebook, "look-rows").outputs.append(output)


OUTPUT_VIOLATIONS = {
    "error": (
        lambda notebook: cell(notebook, "look-rows").outputs.append(
            v4.new_output("error", ename="KeyError", evalue="")
        ),
        "ends in KeyError",
    ),
    "stderr": (write("stderr", "a warning"), "writes to stderr"),
    "widget": (show("application/vnd.jupyter.widget-view+json", {"model_id": "1"}), "view of a widget"),
    "widget state": (lambda notebook: notebook.metadata.update(widgets={}), "state of widgets"),
    "home folder": (write("stdout", "saved in /home/ada/course"), "absolute path: '/home/ada"),
    "mac folder": (show("text/html", "<td>/Users/ada</td>"), "absolute path"),
    "temporary folder": (show("text/plain", "PosixPath('/tmp/x')"), "absolute path"),
    "windows folder": (show("text/plain", r"'C:\\Users\\ada'"), "absolute path"),
    "file address": (write("stdout", "file:///srv/course"), "absolute path"),
    "bare object": (show("text/plain", "<Figure object at 0x7f00aa11bb>"), "without a readable form"),
    "raw result": (
        lambda notebook: cell(notebook, "look-rows").outputs[0].data.pop("text/html"),
        "shows a raw",
    ),
    "figure without words": (show("image/png", "A"), "without metadata.alt"),
    "gap in the counts": (lambda notebook: cell(notebook, "check").update(execution_count=9), "not 1..5"),
    "changed code": (set_source("look-rows", "1 + 2"), "its code has changed"),
    "other profile": (lambda notebook: notebook.metadata.course.update(profile="laptop"), "not of a smoke run"),
    "too large": (show("image/png", "A" * 200_001), "KB, over 200"),
}


@pytest.mark.parametrize("violation", OUTPUT_VIOLATIONS)
def test_a_violation_in_outputs_is_found(notebook, check, violation):
    plant, message = OUTPUT_VIOLATIONS[violation]
    plant(notebook)
    assert any(message in problem for problem in check(check_outputs))


def test_a_notebook_without_outputs_names_the_command(notebook, check):
    for each in notebook.cells:
        if each.cell_type == "code":
            each.update(outputs=[], execution_count=None)
    assert check(check_outputs) == [f"{NAME}: holds no outputs; run `make notebooks`"]
