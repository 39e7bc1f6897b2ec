"""What a person sees while the notebooks run: bars on a terminal, lines elsewhere, and the cell that failed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.text import Text

from course_utils import errors
from course_utils.artifacts import STAGES, notebook_of
from course_utils.kernel import NotebookError, Position

N_TRACEBACK_LINES = 30
_COURSE_ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}


class Lines:
    """Progress as plain lines, for logs and pipes: each notebook, and a sign of life between quick cells."""

    def __init__(self, console: Console, every_s: float = 5.0) -> None:
        self.console = console
        self.every_s = every_s
        self.n_cells = 0
        self.wrote = 0.0

    def started(self, stage: str) -> None:
        """Say which notebook starts."""
        self.n_cells = 0
        self._write(stage, "starts")

    def cell(self, stage: str, position: Position) -> None:
        """Say which cell starts, unless something was said just now."""
        self.n_cells = position.n_cells
        if time.monotonic() - self.wrote >= self.every_s:
            self._write(stage, f"cell {position.number}/{position.n_cells} {position.cell_id}")

    def finished(self, stage: str, seconds: float) -> None:
        """Say how long the notebook took."""
        self._write(stage, f"done, {self.n_cells} cells in {seconds:.1f} s")

    def _write(self, stage: str, text: str) -> None:
        where = f"[{STAGES.index(stage) + 1}/{len(STAGES)}] {notebook_of(stage)}"
        self.console.print(f"{where}: {text}", markup=False, highlight=False, soft_wrap=True)
        self.wrote = time.monotonic()


class Bars:
    """Progress as one bar per notebook, with a clock that runs."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = TaskID(0)

    def started(self, stage: str) -> None:
        """Add a bar for the notebook."""
        self.task = self.progress.add_task(notebook_of(stage), total=None, cell="kernel starts")

    def cell(self, stage: str, position: Position) -> None:
        """Move the bar to the cell that starts now."""
        self.progress.update(
            self.task, total=position.n_cells, completed=position.number - 1, cell=position.cell_id.replace("-", " ")
        )

    def finished(self, stage: str, seconds: float) -> None:
        """Fill the bar."""
        total = self.progress.tasks[self.task].total
        self.progress.update(self.task, completed=total, cell="done")
        self.progress.stop_task(self.task)


Listener = Lines | Bars
"""Who is told how a run goes: that a notebook started, that a cell starts, and that a notebook ran to its end."""


@contextmanager
def show_progress(console: Console) -> Iterator[Listener]:
    """A listener that suits the console: bars where it is a terminal, else lines."""
    if not console.is_terminal:
        yield Lines(console)
        return
    counts = BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn()
    columns = TextColumn("{task.description}"), *counts, TextColumn("{task.fields[cell]}", style="dim")
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)


def render_failure(error: NotebookError) -> Group:
    """The cell that failed and its error: what the course raises on purpose says all, else with its traceback."""
    position = error.position
    title = f"notebooks/{error.notebook}, cell {position.number} of {position.n_cells} ({position.cell_id})"
    source = Syntax(position.source or "(the kernel did not start)", "python", line_numbers=True, word_wrap=True)
    if error.name in _COURSE_ERRORS or not error.traceback:
        cause = Text(f"{error.name}: {error.message}", style="red")
    else:
        cause = Text.from_ansi("\n".join(trim_traceback(error.traceback.splitlines())))
    return Group(Panel(source, title=Text(title), title_align="left", border_style="red"), cause)


def trim_traceback(lines: list[str], n_lines: int = N_TRACEBACK_LINES) -> list[str]:
    """The first third of a long traceback, which shows the cell, and the end, which shows the error."""
    if len(lines) <= n_lines:
        return lines
    head, tail = n_lines // 3, n_lines - n_lines // 3
    return [*lines[:head], f"... {len(lines) - n_lines} lines left out ...", *lines[-tail:]]
