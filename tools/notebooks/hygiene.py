"""Checks of every notebook's cells and outputs; each fault names the notebook, the cell and the fix."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from course_utils.artifacts import PARAMETERS
from course_utils.files import PROJECT
from course_utils.kernel import is_executable, read_notebook
from tools.notebooks.anatomy import check_sections, check_steps, check_title
from tools.notebooks.outputs import BARE_OBJECT, KERNELSPEC, WIDGET_MIME, code_sha256

TAGS = {"setup", "parameters", "gpu", "slow", "exercise", "solution", "check", "retrain"}
MAX_CODE_LINES = 15
MAX_OPENING_LINES = 20
"""The cell that imports and opens the course may be longer: one name a line."""
MAX_KILOBYTES = 200
_SHOWN_WELL = {"text/html", "text/markdown", "image/png", "image/svg+xml", WIDGET_MIME}
_ID = re.compile(r"(?![0-9a-f]{8}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$")
_ABSOLUTE_PATH = re.compile(
    r"(?:(?<![\w.~:/-])|file://)/(?:home|Users|work|root|tmp|private|var|opt|mnt|usr|srv|data|content)/"
    r"|\b[A-Za-z]:\\+(?:Users|Windows|Program|Temp|Documents)"
)
SETUP_CELL = """\
import sys

if "google.colab" in sys.modules:
    !git clone --quiet --depth 1 {repository} /content/course
    !{{sys.executable}} /content/course/requirements/install.py --colab
    sys.path.insert(0, "/content/course")"""


def repository_url() -> str:
    """Where the project lives, as ``pyproject.toml`` says."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    return str(project["project"]["urls"]["Repository"])


def check_notebook(path: Path, repository: str) -> list[str]:
    """Everything that is wrong with a notebook's text, code and metadata; empty if nothing is.

    Raises:
        ArtifactError: The file is not a notebook.
    """
    notebook = read_notebook(path)
    checks = (
        _check_format(notebook),
        check_title(notebook, path.name, repository),
        check_sections(notebook),
        check_steps(notebook),
        _check_special_cells(notebook, repository),
        _check_code(notebook),
    )
    return [f"{path.name}: {problem}" for check in checks for problem in check]


def check_outputs(path: Path) -> list[str]:
    """Everything that is wrong with the outputs committed in a notebook; empty if nothing is.

    Raises:
        ArtifactError: The file is not a notebook.
    """
    notebook = read_notebook(path)
    cells = [cell for cell in notebook.cells if is_executable(cell)]
    if not any(cell.outputs or cell.execution_count for cell in cells):
        return [f"{path.name}: holds no outputs; run `make notebooks`"]
    checks = (_check_run(notebook, cells), *map(_check_cell_outputs, cells))
    problems = [problem for check in checks for problem in check]
    if (kilobytes := path.stat().st_size / 1000) > MAX_KILOBYTES:
        problems.append(f"is {kilobytes:.0f} KB, over {MAX_KILOBYTES}; show less, or smaller figures")
    return [f"{path.name}: {problem}" for problem in problems]


def _check_format(notebook: NotebookNode) -> Iterator[str]:
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        yield "is older than format 4.5, which has cell ids"
    if notebook.metadata.get("kernelspec") != KERNELSPEC:
        yield f"metadata.kernelspec must be {KERNELSPEC}"
    for name in notebook.metadata.keys() - {"kernelspec", "language_info", "course"}:
        yield f"metadata.{name} does not belong there"
    ids = [cell.get("id", "") for cell in notebook.cells]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"the cell id {name!r} is used twice"
    for name in ids:
        if not _ID.match(name):
            yield f"the cell id {name!r} is not made of words, like show-schema"
    for cell in notebook.cells:
        for tag in set(cell.metadata.get("tags", [])) - TAGS:
            yield f"cell {cell.id!r}: the tag {tag!r} is not one of {', '.join(sorted(TAGS))}"


def _check_special_cells(notebook: NotebookNode, repository: str) -> Iterator[str]:
    tagged = {
        tag: [cell for cell in notebook.cells if cell.cell_type == "code" and tag in cell.metadata.get("tags", [])]
        for tag in TAGS
    }
    setup = SETUP_CELL.format(repository=repository)
    if [cell.source for cell in tagged["setup"]] != [setup] or notebook.cells[1] is not tagged["setup"][0]:
        yield f"the second cell, tagged setup, must be exactly:\n{setup}"
    if len(tagged["parameters"]) != 1:
        yield f"must have exactly one cell tagged parameters; found {len(tagged['parameters'])}"
    elif literals(tagged["parameters"][0].source) != PARAMETERS:
        yield "the parameters cell must assign literals and nothing else: " + "; ".join(
            f"{name} = {value!r}" for name, value in PARAMETERS.items()
        )
    if not tagged["check"]:
        yield "must have a code cell tagged check"


def _check_code(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        lines = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]
        limit = MAX_OPENING_LINES if "open_course(" in cell.source else MAX_CODE_LINES
        if len(lines) > limit:
            yield f"cell {cell.id!r}: {len(lines)} lines of code, over {limit}; move what would bore into the package"
        if not lines:
            yield f"cell {cell.id!r}: is empty"
        elif ends_on_print(cell.source):
            yield f"cell {cell.id!r}: ends on print; end on an expression that shows well"


def _check_run(notebook: NotebookNode, cells: list[NotebookNode]) -> Iterator[str]:
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        yield f"execution counts are not 1..{len(cells)}: {counts}; run `make notebooks`"
    course = notebook.metadata.get("course", {})
    if course.get("profile") != "smoke":
        yield "its outputs are not of a smoke run; run `make notebooks`"
    if course.get("code_sha256") != code_sha256(notebook):
        yield "its code has changed since its outputs were made; run `make notebooks`"
    if "widgets" in notebook.metadata:
        yield "holds the state of widgets; run `make notebooks`"


def _check_cell_outputs(cell: NotebookNode) -> Iterator[str]:
    where = f"cell {cell.id!r}:"
    for output in cell.outputs:
        if output.output_type == "error":
            yield f"{where} ends in {output.ename}"
        if output.get("name") == "stderr":
            yield f"{where} writes to stderr"
        data = output.get("data", {})
        if WIDGET_MIME in data:
            yield f"{where} holds the view of a widget"
        if output.output_type == "execute_result" and not _SHOWN_WELL & data.keys():
            yield f"{where} shows a raw {data.get('text/plain', '')[:40]!r}; end on a table, a figure or Markdown"
        if "image/png" in data and not cell.metadata.get("alt"):
            yield f"{where} shows a figure without metadata.alt; say in a sentence what is to be seen"
        for text in output_texts(output):
            if found := _ABSOLUTE_PATH.search(text):
                yield f"{where} shows an absolute path: {text[found.start() : found.start() + 60]!r}"
            if found := BARE_OBJECT.search(text):
                shown = text[max(0, found.start() - 60) : found.end()]
                yield f"{where} shows an object without a readable form: {shown!r}"


def ends_on_print(source: str) -> bool:
    """Whether the last statement of a cell prints."""
    try:
        last = ast.parse(source).body[-1]
    except SyntaxError:  # a shell command, as in the setup cell
        return False
    call = last.value if isinstance(last, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"


def literals(source: str) -> dict[str, Any] | None:
    """The names and values that a cell assigns; None if it does anything else."""
    found: dict[str, Any] = {}
    try:
        for statement in ast.parse(source).body:
            if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
                return None
            found[statement.targets[0].id] = ast.literal_eval(statement.value)
    except (SyntaxError, ValueError):
        return None
    return found


def output_texts(output: NotebookNode) -> list[str]:
    """What an output shows as text: streams, plain text, HTML, SVG and JSON, but no picture's bytes."""
    data = {mime: value for mime, value in output.get("data", {}).items() if not re.match(r"image/(?!svg)", mime)}
    return [str(value) for value in (output.get("text", ""), *data.values())]
