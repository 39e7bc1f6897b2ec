"""Train outside of the notebook: the whole stage by one call, or ``train_sft`` in several processes at once.

``accelerate launch`` starts these. All make the same call, each on its share of a step's rows; the first one writes.
"""

import json
import os
import pickle
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from course_utils.artifacts import PROJECT, Course, read_jsonl, write_jsonl
from course_utils.errors import ConfigurationError, CourseError, TrainingError
from course_utils.models import load_tokenizer
from course_utils.processes import run_module
from course_utils.tasks import text_to_sql
from course_utils.training.examples import tokenize_rows
from course_utils.training.history import TrainingResult

CONFIGS = PROJECT / "deploy" / "accelerate"


def n_launched() -> int:
    """How many processes make this call together; 1 for a process that ``accelerate launch`` has not started."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def launch_sft(config: str, options: Sequence[str], *call: object) -> TrainingResult | None:
    """Call ``train_sft`` in several processes, which end with this one; None on machines other than the first.

    ``config`` says what they share out: the name of a file in ``deploy/accelerate``, or a file. ``options`` are those
    of ``accelerate launch``; without ``--num_processes`` there is one for each GPU here.
    """
    import torch
    from accelerate.utils.memory import clear_device_cache  # type: ignore[import-untyped]

    clear_device_cache(garbage_collection=True)  # the processes need what this one has kept of a GPU
    known = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
    if not (file := known.get(config, Path(config).resolve())).is_file():
        raise ConfigurationError(f"{file}: there is no such configuration; name a file, or one of {', '.join(known)}")
    if "--num_processes" not in options:
        if (n_gpus := torch.cuda.device_count()) < 2:
            raise ConfigurationError(f"{n_gpus} GPUs here, and several processes want one each; use a profile for one")
        options = [*options, "--num_processes", str(n_gpus)]
    with TemporaryDirectory(prefix="course-") as folder:
        (Path(folder) / "call").write_bytes(pickle.dumps(call))
        start = ("--config_file", str(file), *options, "--module", __name__, folder)
        code, result = run_module("accelerate.commands.launch", *start), Path(folder) / "result"
        outcome = pickle.loads(result.read_bytes()) if result.is_file() else None
        if code:
            why = outcome or f"exit code {code}; its output says more"
            raise TrainingError(f"a process of {file.name} failed: {why}")
        return outcome


def train_stage(course: Course, config: str = "", options: Sequence[str] = ()) -> TrainingResult | None:
    """Train on what the data stage wrote, by ``launch_sft`` if there is a ``config``; write what notebook 3 hands over.

    Raises:
        CourseError: The data stage has not run, there is no such configuration or no second GPU, or as ``train_sft``;
            for a process that failed, with its reason where the course knows it.
    """
    from course_utils.training.sft import train_sft

    is_first = dict(pairwise(options)).get("--machine_rank", "0") == "0"
    stage = course.begin("training") if is_first else None
    tokenizer, max_length = load_tokenizer(course.model), course.profile.max_length
    task = text_to_sql(json.loads(course.output("data", "schemas.json").read_text("utf-8")))
    train, validation = (
        tokenize_rows(tokenizer, read_jsonl(course.output("data", f"{split}.jsonl")), task, max_length)
        for split in ("train", "validation")
    )
    profile = course.profile.fit_to(len(train.examples))
    call = (profile, course.model, train, validation, course.folder("training") / "adapter")
    result = launch_sft(config, options, *call) if config else train_sft(*call)
    if stage and result:
        write_jsonl(stage.folder / "history.jsonl", result.history)
        counts = {"n_rows_too_long": len(train.too_long), "n_supervised_tokens": train.n_supervised_tokens}
        stage.finish(result.results() | counts)
    return result


def main() -> None:
    """Be one of the processes of ``launch_sft``."""
    import torch
    from accelerate import PartialState  # type: ignore[import-untyped]

    from course_utils.training.sft import train_sft

    folder, state = Path(sys.argv[1]), PartialState(cpu=not torch.cuda.is_available())
    try:
        result = train_sft(*pickle.loads((folder / "call").read_bytes()))
    except CourseError as error:
        (folder / "result").write_bytes(pickle.dumps(str(error)))
        sys.exit(1)
    if state.is_main_process:
        (folder / "result").write_bytes(pickle.dumps(result))
    state.destroy_process_group()


if __name__ == "__main__":
    main()
