"""Read one notebook and execute it in a fresh kernel. ``runner`` decides which notebooks run, and in which order."""

import atexit
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from course_utils.errors import ArtifactError, CourseError
from course_utils.files import PROJECT

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

START_TIMEOUT_S = 180
SAVE_EVERY_S = 5
MAX_SOCKET_FOLDER = 70
"""Most bytes of the folder of a kernel's sockets, because the whole path of a Unix socket is limited to 103."""
KEEP_MEMORY = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296"
"""Settings of glibc that keep the memory which a training step frees for the next step, in huge pages, because getting
it from the system again would take a tenth of the step."""


@dataclass(frozen=True)
class Position:
    """A code cell's position in its notebook: ``number`` of ``n_cells``, counted from 1 over the executed cells."""

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
    """Read a notebook as version 4 of the format; raises ArtifactError if it is missing or not a notebook."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call,no-any-return]
    except Exception as error:  # nbformat raises many kinds on JSON that is not a notebook
        raise ArtifactError(f"{path}: not a readable notebook ({error}); restore it from the repository") from error


def is_executable(cell: "NotebookNode") -> bool:
    """Whether running the notebook executes this cell: a code cell that is not blank."""
    return bool(cell.cell_type == "code" and cell.source.strip())


def execute_notebook(
    notebook: Path,
    executed: Path,
    parameters: dict[str, str],
    on_cell: Callable[[Position], None] = lambda position: None,
    kernel: "AsyncKernelManager | None" = None,
    tag: str = "",
) -> None:
    """Execute a copy of a notebook, with ``parameters`` injected after its own parameters cell.

    The copy is saved to ``executed`` while it runs; the notebook is not changed. ``on_cell`` is called before each code
    cell. ``kernel`` is shut down at the end; None starts one in the notebook's folder, as JupyterLab does. A ``tag``
    restricts the run to cells with it and the setup and parameters cells.

    Raises:
        ArtifactError: The notebook is missing or unreadable.
        NotebookError: A cell failed or the kernel died; later cells have not run.
    """
    kernel = kernel or start_kernel(notebook.parent)  # starts while papermill is imported
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    source = read_notebook(notebook)
    if tag:
        kept = {"setup", "parameters", tag}
        source.cells = [cell for cell in source.cells if kept & {*cell.metadata.get("tags", ())}]
    code = [cell for cell in source.cells if is_executable(cell)]
    positions = {cell.id: Position(i, len(code), cell.id, cell.source) for i, cell in enumerate(code, start=1)}
    position = Position(0, len(code), "kernel-start", "")

    def report(cell: "NotebookNode", cell_index: int) -> None:
        nonlocal position
        if cell.id in positions:  # papermill's injected cell of parameters has none
            on_cell(position := positions[cell.id])

    executed.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(source, executed)  # type: ignore[no-untyped-call]
    try:
        options = {"kernel_name": "python3", "kernel": kernel, "on_cell": report, "progress_bar": False}
        place = str(executed).replace("{", "{{").replace("}", "}}")  # papermill formats the path with the parameters
        papermill.execute_notebook(place, place, parameters, engine_name=_register_engine(), **options)
    except KeyboardInterrupt:
        logging.getLogger("asyncio").disabled = True  # it would log the kernel's reply, which is no longer awaited
        raise
    except papermill.PapermillExecutionError as error:
        traceback = "\n".join(error.traceback)
        raise NotebookError(notebook.name, position, error.ename, error.evalue, traceback) from error
    except RuntimeError as error:
        died = "the kernel died without a word, most often because memory ran out"
        message = died if isinstance(error, DeadKernelError) else str(error)
        raise NotebookError(notebook.name, position, type(error).__name__, message) from error


def _register_engine() -> str:
    """Register an engine that saves at most every ``SAVE_EVERY_S`` s: papermill's saves twice a cell, which is slow."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

    class SparingEngine(Engine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(
            cls, nb_man: NotebookExecutionManager, kernel_name: str, *, kernel: Any, on_cell: Any, **_: Any
        ) -> None:
            save = nb_man.save

            def save_seldom(**changed: Any) -> None:
                if (nb_man.now() - nb_man.last_save_time).total_seconds() > SAVE_EVERY_S:
                    save(**changed)

            nb_man.save = save_seldom
            client = PapermillNotebookClient(nb_man, kernel, startup_timeout=START_TIMEOUT_S, on_cell_execute=on_cell)
            client.owns_km = True  # the client shuts the kernel down
            # nbclient answers widgets outside asyncio, which may then miss the cell's own reply.
            client.comm_open_handlers = {}
            try:
                client.execute()
            finally:
                nb_man.save = save  # papermill's last save must not be skipped

    papermill_engines.register("sparing", SparingEngine)
    return "sparing"


class Kernels(AbstractContextManager["Kernels"]):
    """Fresh kernels in the folder ``cwd``, one per notebook; a prepared kernel not taken ends with the block."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._next: AsyncKernelManager | None = None

    def prepare(self, modules: Sequence[str]) -> None:
        """Start the next kernel if there is none yet; it imports ``modules`` while the current notebook still runs."""
        self._next = self._next or start_kernel(self._cwd, modules)

    def take(self) -> "AsyncKernelManager":
        """Return the prepared kernel, else a new one without imports; the caller shuts it down."""
        taken, self._next = self._next or start_kernel(self._cwd), None
        return taken

    def __exit__(self, *_: object) -> None:
        from jupyter_core.utils import run_sync

        if self._next:
            run_sync(self._next.shutdown_kernel)(now=True)


def start_kernel(cwd: Path, modules: Sequence[str] = ()) -> "AsyncKernelManager":
    """Start a kernel of the running Python, not of the ``python3`` kernel that Jupyter may find elsewhere.

    The kernel imports ``modules`` before its first cell, with PyTorch's compiler off, which bitsandbytes would load for
    a second. It can import ``course_utils`` even if it is not installed, and shows no progress bars and no deprecation
    warnings. It uses Unix sockets, because a TCP port that is free when it is chosen may be taken when the kernel
    starts, and a cell would then wait forever for its reply.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync

    command = [sys.executable, "-P", "-m", "course_utils.kernel", *modules, "-f", "{connection_file}", "--log-level=50"]
    environment = {
        "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONWARNINGS": "ignore::DeprecationWarning,ignore::FutureWarning",
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", KEEP_MEMORY),
        **({"TORCHDYNAMO_DISABLE": "1"} if modules else {}),
    }

    folder = gettempdir() if len(os.fsencode(gettempdir())) < MAX_SOCKET_FOLDER else "/tmp"
    manager = AsyncKernelManager(transport="ipc", ip=f"{folder}/course-kernel-{uuid4().hex[:12]}")
    manager._kernel_spec = KernelSpec(argv=command, display_name="Python 3 (ipykernel)", env=environment)
    run_sync(manager.start_kernel)(cwd=str(cwd))
    return manager


def main() -> None:
    """Import the modules that the command line names before its first option, then run a kernel with the options."""
    atexit.register(os._exit, 0)  # runs last, because freeing all that PyTorch and Transformers hold takes seconds
    from ipykernel.kernelapp import IPKernelApp

    n_modules = next(n for n, word in enumerate(sys.argv[1:]) if word.startswith("-"))
    application: Any = IPKernelApp.instance()
    application.initialize(sys.argv[1 + n_modules :])
    gc.disable()  # garbage collections between imports would take a second
    for module in sys.argv[1 : 1 + n_modules]:  # after initialize: Transformers checks for a kernel when imported
        import_module(module)
    gc.freeze()  # exempts imported objects, which cost 0.3 s at each collection that Trainer and statsmodels force
    gc.enable()
    application.start()


if __name__ == "__main__":
    main()
