"""The output of the ``course`` command: progress of a run, a failed cell, the report, and scores."""

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.text import Text

from course_utils import errors
from course_utils.artifacts import STAGES, notebook_of
from course_utils.tables import Table, without_control

if TYPE_CHECKING:
    from course_utils.kernel import NotebookError, Position

N_TRACEBACK_LINES = 30
"""Lines shown from the traceback's end, which holds the error; the cell is shown above them."""
_COURSE_ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}
SCORES_TOO = {
    "stop_rate": "replies that ended by themselves: {stop_rate:.1%}",
    "n_without_instances": "rows with fewer than {n_instances} instances: {n_without_instances}",
    "n_unanswerable": "unanswerable questions refused: {n_refused} of {n_unanswerable}; others: {n_wrongly_refused}",
}
SHOWN_TOO = ("requests_per_s", "latency_p50_ms", "latency_p95_ms")


class RunProgress:
    """Show a run's progress: on a terminal, one bar per notebook; use it within ``with progress.bars``.

    In a log, a pipe or a terminal that cannot redraw, it prints a line when a notebook starts or ends, and when a cell
    starts ``every_s`` seconds or more after the last line.
    """

    def __init__(self, console: Console, every_s: float = 5.0) -> None:
        self.console, self.every_s, self.wrote = console, every_s, 0.0
        counts = BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn()
        columns = TextColumn("{task.description}"), *counts, TextColumn("{task.fields[cell]}", style="dim")
        self.bars = Progress(*columns, console=console, disable=not console.is_interactive)
        self.task = TaskID(0)

    def started(self, stage: str) -> None:
        """Show that a notebook starts."""
        self.task = self.bars.add_task(notebook_of(stage), total=None, cell="kernel starts")
        self._write(stage, "starts")

    def cell(self, stage: str, position: "Position") -> None:
        """Show that a cell starts."""
        number, total, name = position.number, position.n_cells, position.cell_id
        self.bars.update(self.task, total=total, completed=number - 1, cell=name.replace("-", " "))
        if time.monotonic() - self.wrote >= self.every_s:
            self._write(stage, f"cell {number}/{total} {name}")

    def finished(self, stage: str, seconds: float) -> None:
        """Show that a notebook ran to its end."""
        n_cells = self.bars.tasks[self.task].total or 0
        self.bars.update(self.task, completed=n_cells, cell="done")
        self.bars.stop_task(self.task)
        self._write(stage, f"done, {n_cells:.0f} cells in {seconds:.1f} s")

    def _write(self, stage: str, text: str) -> None:
        if not self.console.is_interactive:
            where = f"[{STAGES.index(stage) + 1}/{len(STAGES)}] {notebook_of(stage)}"
            self.console.print(f"{where}: {text}", markup=False, highlight=False, soft_wrap=True)
        self.wrote = time.monotonic()


def render_failure(error: "NotebookError") -> Group:
    """Render the failed cell and its error: only the message of a CourseError, else the end of the traceback."""
    position = error.position
    title = f"notebooks/{error.notebook}, cell {position.number} of {position.n_cells} ({position.cell_id})"
    source = Syntax(position.source or "(the kernel did not start)", "python", line_numbers=True, word_wrap=True)
    if error.name in _COURSE_ERRORS or not error.traceback:
        cause = Text(f"{error.name}: {error.message}", style="red")
    else:
        cause = Text.from_ansi("\n".join(error.traceback.splitlines()[-N_TRACEBACK_LINES:]))
    cause.plain = without_control(cause.plain, keep="\n\t")  # the text may quote rows of an untrusted dataset
    return Group(Panel(source, title=Text(title), title_align="left", border_style="red"), cause)


def render_report(report: dict[str, Any]) -> Table:
    """Render a report: its main results with their 95 % intervals, and the seconds of each stage."""
    from course_utils.runner import HEADLINES

    machine, seconds, results = report["machine"], report["seconds"], report["results"]
    hardware = f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['gpu'] or 'no GPU'}"
    rows = []
    for name in (*HEADLINES, *SHOWN_TOO):
        if name in results:
            ends = [results.get(f"{name}_{end}") for end in ("low", "high")]
            interval = " to ".join(format_result(name, end) for end in ends if end is not None)
            rows.append((name.replace("_", " "), format_result(name, results[name]), interval))
    rows += [(f"{name} (wall clock)", f"{value:.1f} s", "") for name, value in seconds.items()]
    caption = f"PROFILE={report['profile']} on {hardware}"
    return Table(caption, ("result", "value", "95 % interval"), tuple(rows), frozenset({"result"}))


def format_result(name: str, value: float) -> str:
    """Format a result by its name: ``n_*`` as a count, accuracies and parities as percent, others with 2 decimals."""
    if name.startswith("n_"):
        return f"{value:,.0f}"
    return f"{value:.1%}" if "accuracy" in name or "parity" in name else f"{value:,.2f}"


def render_scores(scores: dict[str, Any]) -> Table:
    """Render ``evaluation.Scores.summary`` as a table with one row per slice; other counts go into the caption."""
    measures = [name for name in ("execution_accuracy", "test_suite_accuracy") if name in scores]
    slices = {"all": scores}
    for kind in (name for name in scores if name.startswith("by_")):
        slices |= {f"{kind[3:].replace('_', ' ')}: {name}": group for name, group in scores[kind].items()}
    rows = [[name, str(group["n"])] for name, group in slices.items()]
    for row, group in zip(rows, slices.values(), strict=True):
        row += [f"{group[m]:.1%} [{group[f'{m}_low']:.1%}, {group[f'{m}_high']:.1%}]" for m in measures]
    errors = ", ".join(f"{name}: {n}" for name, n in scores["errors"].items()) or "no errors"
    caption = [scores["name"], f"valid SQL: {scores['validity']:.1%}; {errors}"]
    # Counts of 0 are left out; a share of 0 is shown.
    said = [name for name in SCORES_TOO if name in scores and (scores[name] or not name.startswith("n_"))]
    caption += [SCORES_TOO[name].format(**scores) for name in said]
    if matches := scores.get("component_match"):
        shares = ", ".join(f"{clause} {share:.1%}" for clause, share in matches.items())
        caption.append(f"clauses as in the gold, of the rows that have them: {shares}")
    if left_out := scores.get("left_out"):
        caption += [f"left out: {len(left_out)} rows whose gold fails", *left_out]
    columns = ("group", "questions", *(name.replace("_", " ") for name in measures))
    return Table("\n".join(caption), columns, tuple(map(tuple, rows)), frozenset({"group"}))
