"""Make one call in several processes at once, which ``accelerate launch`` starts.

All make the same call, each on its share of a step's rows; the first one writes.
"""

import os
import pickle
import sys
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
    """Call a module's function in several processes, which end with this one; None on machines other than the first.

    ``config`` says what they share out: the name of a file in ``deploy/accelerate``, or a file. ``options`` are those
    of ``accelerate launch``; without ``--num_processes`` there is one for each GPU here.

    Raises:
        ConfigurationError: There is no such configuration or no second GPU.
        TrainingError: A process failed; with its reason where the course knows it.
    """
    import torch
    from accelerate.utils.memory import clear_device_cache  # type: ignore[import-untyped]

    clear_device_cache(garbage_collection=True)  # the processes need what this one has kept of a GPU
    known = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
    if not (file := known.get(config, Path(config).resolve())).is_file():
        raise ConfigurationError(f"{file}: there is no such configuration; name a file, or one of {', '.join(known)}")
    if read_options(options).num_processes is None:
        if (n_gpus := torch.cuda.device_count()) < 2:
            raise ConfigurationError(f"{n_gpus} GPUs here, and several processes want one each; use a profile for one")
        options = [*options, "--num_processes", str(n_gpus)]
    with TemporaryDirectory(prefix="course-") as folder:
        (Path(folder) / "call").write_bytes(pickle.dumps((function, arguments)))
        start = ("--config_file", str(file), *options, "--module", __name__, folder)
        code, result = run_module("accelerate.commands.launch", *start), Path(folder) / "result"
        outcome = pickle.loads(result.read_bytes()) if result.is_file() else None
        if code:
            why = outcome or f"exit code {code}; its output says more"
            raise TrainingError(f"a process of {file.name} failed: {why}")
        return outcome


def read_options(options: Sequence[str]) -> Namespace:
    """The options of ``accelerate launch`` as it reads them, however they are spelled."""
    from accelerate.commands.launch import launch_command_parser  # type: ignore[import-untyped]

    return cast(Namespace, launch_command_parser().parse_known_args([*options, "script"])[0])


def main() -> None:
    """Be one of the processes of ``launch``."""
    import torch
    from accelerate import PartialState  # type: ignore[import-untyped]

    folder, state = Path(sys.argv[1]), PartialState(cpu=not torch.cuda.is_available())
    try:
        function, arguments = pickle.loads((folder / "call").read_bytes())
        result = function(*arguments)
    except CourseError as error:
        (folder / "result").write_bytes(pickle.dumps(str(error)))
        sys.exit(1)
    if state.is_main_process:
        (folder / "result").write_bytes(pickle.dumps(result))
    state.destroy_process_group()


if __name__ == "__main__":
    main()
