"""Reads one notebook and executes it in a fresh kernel. Which notebooks, in which order, is ``runner``'s business."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from course_utils.artifacts import PROJECT
from course_utils.errors import ArtifactError, CourseError

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

START_TIMEOUT_S = 180
SAVE_EVERY_S = 5


@dataclass(frozen=True)
class Position:
    """A code cell of a notebook: the ``number``-th of ``n_cells``, counted from 1."""

    number: int
    n_cells: int
    cell_id: str
    source: str


@dataclass(eq=False)
class NotebookError(CourseError):
    """A cell of a notebook failed, or its kernel died."""

    notebook: str
    position: Position
    name: str
    message: str
    traceback: str = ""

    def __str__(self) -> str:
        at = f"cell {self.position.number} of {self.position.n_cells}"
        return f"{self.notebook}: {at} failed: {self.name}: {self.message}"


def read_notebook(path: Path) -> "NotebookNode":
    """Read a notebook, in the current version of the format; raises ArtifactError if it is missing or none."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call,no-any-return]
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: not a readable notebook ({error}); restore it from the repository") from error


def is_executable(cell: "NotebookNode") -> bool:
    """Whether running the notebook executes this cell: code that is not blank."""
    return bool(cell.cell_type == "code" and cell.source.strip())


def execute_notebook(
    notebook: Path,
    executed: Path,
    parameters: dict[str, str],
    on_cell: Callable[[Position], None] = lambda position: None,
    cwd: Path | None = None,
    tag: str = "",
) -> None:
    """Execute a notebook in a fresh kernel of this very Python, with ``parameters`` put after its own.

    The notebook is not changed; the ``executed`` copy is written as it goes. ``on_cell`` is called before each
    code cell, and the kernel starts in ``cwd``, or in the notebook's folder as in JupyterLab. With a ``tag``, other
    cells than those, the setup and the parameters are left out.

    Raises:
        NotebookError: A cell failed or the kernel died; later cells have not run.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    source = read_notebook(notebook)
    if tag:
        kept = {"setup", "parameters", tag}
        source.cells = [cell for cell in source.cells if kept & {*cell.metadata.get("tags", ())}]
    code = [cell for cell in source.cells if is_executable(cell)]
    number = {cell.id: i for i, cell in enumerate(code, start=1)}
    position = Position(0, len(code), "kernel-start", "")

    def report(cell: "NotebookNode", cell_index: int) -> None:
        nonlocal position
        if cell.id in number:  # papermill's own cell with the parameters is not one of the learner's
            position = Position(number[cell.id], len(code), cell.id, cell.source)
            on_cell(position)

    executed.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(source, executed)  # type: ignore[no-untyped-call]
    try:
        papermill.execute_notebook(
            executed,
            executed,
            parameters,
            kernel_name="python3",
            kernel_manager_class=kernel_manager(),
            progress_bar=False,
            engine_name=_register_engine(),
            cwd=cwd or notebook.parent,
            start_timeout=START_TIMEOUT_S,
            on_cell_execute=report,
        )
    except papermill.PapermillExecutionError as error:
        traceback = "\n".join(error.traceback)
        raise NotebookError(notebook.name, position, error.ename, error.evalue, traceback) from error
    except RuntimeError as error:
        died = "the kernel died without a word, most often because memory ran out"
        message = died if isinstance(error, DeadKernelError) else str(error)
        raise NotebookError(notebook.name, position, type(error).__name__, message) from error


def _register_engine() -> str:
    """Papermill's engine that saves every few seconds, where its own saves twice a cell: half a minute in a course."""
    from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

    class SparingEngine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any) -> None:
            save = nb_man.save

            def save_seldom(**changed: Any) -> None:
                if (nb_man.now() - nb_man.last_save_time).total_seconds() > SAVE_EVERY_S:
                    save(**changed)

            nb_man.save = save_seldom
            try:
                super().execute_managed_notebook(nb_man, kernel_name, **options)
            finally:
                nb_man.save = save  # for the last time, whatever happened

    papermill_engines.register("sparing", SparingEngine)
    return "sparing"


def kernel_manager() -> "type[AsyncKernelManager]":
    """A kernel manager that starts this very Python, whichever ``python3`` kernels Jupyter finds elsewhere.

    The kernel finds ``course_utils`` uninstalled, and its outputs stay free of progress bars and chatter. It is reached
    by Unix sockets: a port that is free when it is chosen may be another program's, and even
    another kernel's, when the kernel starts, and then a cell waits for its reply for ever.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"]
    environment = {
        "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONWARNINGS": "ignore::DeprecationWarning,ignore::FutureWarning",
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }

    class CourseKernelManager(AsyncKernelManager):
        def _transport_default(self) -> str:
            return "ipc"

        def _ip_default(self) -> str:
            return f"{gettempdir()}/course-kernel-{uuid4().hex[:12]}"

        @property
        def kernel_spec(self) -> Any:
            return KernelSpec(argv=command, display_name="Python 3 (ipykernel)", language="python", env=environment)

    return CourseKernelManager
