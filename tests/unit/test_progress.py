"""What a person sees of a run: short logs, and the failing cell with its error and no more."""

import io

import pytest
from rich.console import Console

from course_utils.kernel import NotebookError, Position
from course_utils.progress import N_TRACEBACK_LINES, RunProgress, render_failure

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


def test_a_kernel_that_never_started_shows_no_code(console):
    shown = show(console, NotebookError("01_setup.ipynb", Position(0, 7, "kernel-start", ""), "RuntimeError", "died"))
    assert "did not start" in shown


def test_of_a_long_traceback_the_end_is_shown(console):
    lines = [f"<line {number}>" for number in range(100)]
    shown = show(console, NotebookError("01_setup.ipynb", POSITION, "KeyError", "'x'", "\n".join(lines)))
    assert [line for line in lines if line in shown] == lines[-N_TRACEBACK_LINES:]
