"""Make one call in a process of its own, or in several at once, which ``accelerate launch`` starts.

Several make the same call, each on its share of a step's rows; the first one writes.
"""

import os
import pickle
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, cast

from course_utils.errors import ConfigurationError, CourseError, TrainingError
from course_utils.files import PROJECT
from course_utils.processes import run_module

CONFIGS = PROJECT / "deploy" / "accelerate"
T = TypeVar("T")


def n_launched() -> int:
    """How many processes make this call together; 1 for a process that ``accelerate launch`` has not started."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def launch(config: str, options: Sequence[str], function: Callable[..., T], *arguments: object) -> T | None:
    """Call a module's function in other processes, which end with this one; None on machines other than the first.

    ``config`` says what they share out: the name of a file in ``deploy/accelerate``, or a file; empty for one process,
    which shares nothing. ``options`` are those of ``accelerate launch``; without ``--num_processes`` there is one for
    each GPU here. What they print comes where this process prints.

    Raises:
        ConfigurationError: There is no such configuration or no second GPU.
        CourseError: What a process raised.
        TrainingError: A process failed in another way.
    """
    from accelerate.utils.memory import clear_device_cache  # type: ignore[import-untyped]

    clear_device_cache(garbage_collection=True)  # the processes need what this one has kept of a GPU
    launcher = _launcher(config, options) if config else ()
    with TemporaryDirectory(prefix="course-") as folder:
        (Path(folder) / "call").write_bytes(pickle.dumps((function, arguments)))
        code, result = run_module(*launcher, __package__, folder), Path(folder) / "result"
        outcome = pickle.loads(result.read_bytes()) if result.is_file() else None
        if isinstance(outcome, CourseError):
            raise outcome
        if code:
            raise TrainingError(f"a process of the training ended with exit code {code}; its output says more")
        return outcome


def _launcher(config: str, options: Sequence[str]) -> tuple[str, ...]:
    """Accelerate's module and what it is told before the module that it starts in several processes."""
    import torch

    known = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
    if not (file := known.get(config, Path(config).resolve())).is_file():
        raise ConfigurationError(f"{file}: there is no such configuration; name a file, or one of {', '.join(known)}")
    if read_options(options).num_processes is None:
        if (n_gpus := torch.cuda.device_count()) < 2:
            raise ConfigurationError(f"{n_gpus} GPUs here, and several processes want one each; use a profile for one")
        options = [*options, "--num_processes", str(n_gpus)]
    return ("accelerate.commands.launch", "--config_file", str(file), *options, "--module")


def read_options(options: Sequence[str]) -> Namespace:
    """The options of ``accelerate launch`` as it reads them, however they are spelled."""
    from accelerate.commands.launch import launch_command_parser  # type: ignore[import-untyped]

    return cast(Namespace, launch_command_parser().parse_known_args([*options, "script"])[0])
