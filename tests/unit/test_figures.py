"""The course's look: every figure of a notebook is shown, and the learner's own settings stay."""

from io import BytesIO

import nbformat
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from nbclient import NotebookClient

from course_utils.figures import PALETTE, course_style, new_axes

PLOT = """
from course_utils.figures import course_style, new_axes

@course_style
def plot(title):
    new_axes(title).plot([1, 2])
"""


def test_every_figure_of_a_notebook_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # as in JupyterLab, whose kernels choose their own
    cells = [nbformat.v4.new_code_cell(source) for source in (PLOT, "plot('one')", "plot('two')")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3").execute()
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 1, 1]
    assert all("image/png" in cell.outputs[0].data for cell in notebook.cells[1:])


def test_a_figure_has_the_courses_look_and_leaves_settings_alone() -> None:
    before = dict(pyplot.rcParams)

    @course_style
    def plot() -> object:
        return new_axes("A finding").plot([1, 2])[0]

    line = plot()
    assert line.get_color() == PALETTE[0]  # type: ignore[attr-defined]
    assert line.figure.get_suptitle() == "A finding"  # type: ignore[attr-defined]
    assert dict(pyplot.rcParams) == before
    assert line.axes.xaxis.label.get_fontfamily()[0] == "DejaVu Sans"  # type: ignore[attr-defined]
    pyplot.close("all")


def test_a_name_with_dollars_is_no_formula() -> None:
    @course_style
    def plot() -> Axes:
        axes = new_axes("$x_{$ costs more")
        axes.barh(["$y_{$"], [1], label="$z_{$")
        axes.legend()
        return axes

    plot().figure.savefig(BytesIO())
    pyplot.close("all")


def test_fonts_that_are_there_help_where_the_first_lacks_a_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = ["DejaVu Sans", "Malgun Gothic", "Some Other"]
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: installed)
    axes = course_style(lambda: new_axes("A finding"))()
    assert axes.xaxis.label.get_fontfamily() == ["DejaVu Sans", "Malgun Gothic"]
    pyplot.close("all")
