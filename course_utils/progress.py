"""What a person sees while the notebooks run: bars on a terminal, lines elsewhere, and the cell that failed."""

import time

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.text import Text

from course_utils import errors
from course_utils.artifacts import STAGES, notebook_of
from course_utils.kernel import NotebookError, Position

N_TRACEBACK_LINES = 30
"""Of its end, which shows the error; the cell itself is shown above."""
_COURSE_ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}


class RunProgress:
    """Tells how a run goes: on a terminal a bar for each notebook, to be shown within ``with progress.bars``.

    In a log or a pipe it is a line when a notebook starts and ends, and as a sign of life one for a cell, if nothing
    was said for ``every_s`` seconds.
    """

    def __init__(self, console: Console, every_s: float = 5.0) -> None:
        self.console, self.every_s, self.wrote = console, every_s, 0.0
        counts = BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn()
        columns = TextColumn("{task.description}"), *counts, TextColumn("{task.fields[cell]}", style="dim")
        self.bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self.task = TaskID(0)

    def started(self, stage: str) -> None:
        """A notebook starts."""
        self.task = self.bars.add_task(notebook_of(stage), total=None, cell="kernel starts")
        self._write(stage, "starts")

    def cell(self, stage: str, position: Position) -> None:
        """A cell starts."""
        number, total, name = position.number, position.n_cells, position.cell_id
        self.bars.update(self.task, total=total, completed=number - 1, cell=name.replace("-", " "))
        if time.monotonic() - self.wrote >= self.every_s:
            self._write(stage, f"cell {number}/{total} {name}")

    def finished(self, stage: str, seconds: float) -> None:
        """A notebook ran to its end."""
        n_cells = self.bars.tasks[self.task].total or 0
        self.bars.update(self.task, completed=n_cells, cell="done")
        self.bars.stop_task(self.task)
        self._write(stage, f"done, {n_cells:.0f} cells in {seconds:.1f} s")

    def _write(self, stage: str, text: str) -> None:
        if not self.console.is_terminal:
            where = f"[{STAGES.index(stage) + 1}/{len(STAGES)}] {notebook_of(stage)}"
            self.console.print(f"{where}: {text}", markup=False, highlight=False, soft_wrap=True)
        self.wrote = time.monotonic()


def render_failure(error: NotebookError) -> Group:
    """The cell that failed and its error: what the course raises on purpose says all, else with its traceback."""
    position = error.position
    title = f"notebooks/{error.notebook}, cell {position.number} of {position.n_cells} ({position.cell_id})"
    source = Syntax(position.source or "(the kernel did not start)", "python", line_numbers=True, word_wrap=True)
    if error.name in _COURSE_ERRORS or not error.traceback:
        cause = Text(f"{error.name}: {error.message}", style="red")
    else:
        cause = Text.from_ansi("\n".join(error.traceback.splitlines()[-N_TRACEBACK_LINES:]))
    return Group(Panel(source, title=Text(title), title_align="left", border_style="red"), cause)
