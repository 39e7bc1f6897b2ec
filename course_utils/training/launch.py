"""Make one call in a process of its own, or the same call in several processes, which ``accelerate launch`` starts.

Several processes share the rows of each step, and the first one writes the results.
"""

import os
import pickle
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, cast

from course_utils.errors import ConfigurationError, CourseError, TrainingError
from course_utils.files import PROJECT
from course_utils.processes import run_module

CONFIGS = PROJECT / "deploy" / "accelerate"
T = TypeVar("T")


def n_launched() -> int:
    """The number of processes that train together with this one; 1 if ``accelerate launch`` did not start it."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def launch(config: str, options: Sequence[str], function: Callable[..., T], *arguments: object) -> T | None:
    """Call a picklable function in other processes and return its result; None on any machine but the first.

    ``config`` is an Accelerate configuration: the name of a file in ``deploy/accelerate``, or a path; with an empty one
    a single process runs. ``options`` are those of ``accelerate launch``; without ``--num_processes``, one process runs
    for each GPU here. The processes end when this one does, and print where it prints.

    Raises:
        ConfigurationError: There is no such configuration, fewer than two GPUs, or no DeepSpeed for one that wants it.
        CourseError: The function raised it.
        TrainingError: A process failed in another way.
    """
    from accelerate.utils.memory import clear_device_cache  # type: ignore[import-untyped]

    clear_device_cache(garbage_collection=True)  # frees GPU memory for the other processes
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
    """The arguments of ``python -m`` that start Accelerate's launcher, up to the module that it starts."""
    import torch

    known = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
    if not (file := known.get(config, Path(config).resolve())).is_file():
        raise ConfigurationError(f"{file}: there is no such configuration; name a file, or one of {', '.join(known)}")
    if "distributed_type: DEEPSPEED" in file.read_text("utf-8") and not find_spec("deepspeed"):
        raise ConfigurationError(f"{file}: DeepSpeed is not installed; pip install deepspeed, or use --config fsdp")
    if read_options(options).num_processes is None:
        if (n_gpus := torch.cuda.device_count()) < 2:
            raise ConfigurationError(f"{n_gpus} GPUs here, but several processes want one each; use a one-GPU profile")
        options = [*options, "--num_processes", str(n_gpus)]
    return ("accelerate.commands.launch", "--config_file", str(file), *options, "--module")


def read_options(options: Sequence[str]) -> Namespace:
    """Options of ``accelerate launch``, parsed by its own parser."""
    from accelerate.commands.launch import launch_command_parser  # type: ignore[import-untyped]

    return cast(Namespace, launch_command_parser().parse_known_args([*options, "script"])[0])
