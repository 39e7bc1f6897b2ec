"""Supervised fine-tuning: one call from rows to a trained model, by any method, on any backend."""

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import DataError, TrainingError
from course_utils.models import choose_device, choose_dtype
from course_utils.profiles import Profile
from course_utils.training.backends import count_parameters, load_trainable
from course_utils.training.checkpoints import last_checkpoint, trained_part, unfinished_folder
from course_utils.training.examples import TokenizedRows
from course_utils.training.history import TrainingResult
from course_utils.training.launch import launch_sft, n_launched
from course_utils.training.row_attention import collate_rows, use_row_attention
from course_utils.training.shared_prompts import collate_shared, share_prompts
from course_utils.training.tracking import disable_telemetry, end_tracking, place_trackers
from course_utils.training.trainer import stop_early, trainer_class, training_arguments

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)


def train_sft(
    profile: Profile,
    model: str | Path,
    train: TokenizedRows,
    validation: TokenizedRows,
    output: Path,
) -> TrainingResult:
    """Train a model, a folder or a Hub id, on completions, by the profile's ``method``; save it with the tokenizer.

    Loss of the ``validation`` rows is measured before the first step and ``profile.n_evaluations`` times on the way,
    the last time after the last step. A checkpoint is written each time, beside ``output``. The same call after the
    process was killed goes on from there, to the very same end; then the checkpoints are removed. Where memory runs
    out, the run starts over with half the rows in one pass and twice the passes in a step.

    ``output`` is the folder of the adapter, or of the whole model under ``method="full"``, made if missing;
    ``load_model(model, adapter=output)`` takes either.

    ``backend="fsdp"`` makes this call in one process for each GPU of this machine. Processes share out the rows of a
    step, so that the effective batch stays what the profile says.

    Raises:
        ConfigurationError: The machine does not have what the profile needs, or ``COURSE_TRACK`` is wrong.
        DataError: Rows are longer than ``profile.max_length``, or have nothing to learn.
        ModelError: The base model is missing or incomplete.
        TrainingError: The loss is no number any more, or one row does not fit into memory.
    """
    from accelerate import PartialState  # type: ignore[import-untyped]
    from accelerate.utils import find_executable_batch_size  # type: ignore[import-untyped]

    if profile.backend == "fsdp" and n_launched() == 1:
        launched = launch_sft("fsdp", (), profile, model, train, validation, output.resolve())
        assert launched is not None, "this machine is alone"
        return launched
    profile = profile.with_batch_size(profile.batch_size, -(-profile.effective_batch_size // n_launched()))
    for name, rows in (("train", train), ("validation", validation)):
        _check_rows(name, rows, profile.max_length)
    disable_telemetry()
    place_trackers(output.parent / "tracking")
    folder = unfinished_folder(profile, model, output, train, validation)
    sizes = _smaller_sizes(profile)

    def attempt(batch_size: int) -> TrainingResult:
        smaller = profile.with_batch_size(batch_size)
        return _train(smaller, model, train, validation, output, folder / str(batch_size))

    result: TrainingResult = find_executable_batch_size(attempt, profile.batch_size, lambda: next(sizes))()
    end_tracking()
    if PartialState().is_main_process:
        shutil.rmtree(folder)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()
    return result


def _check_rows(name: str, rows: TokenizedRows, max_length: int) -> None:
    """Refuse what the trainer would cut at the end or, with no label left, drop without a word."""
    n_cut = sum(len(example.input_ids) > max_length for example in rows.examples)
    n_dropped = sum(not any(example.completion_mask[:max_length]) for example in rows.examples)
    if n_cut or n_dropped:
        raise DataError(
            f"{name}: {n_cut} of {len(rows.examples)} rows are longer than max_length={max_length} and would lose "
            f"their end, {n_dropped} have no label up to there and would be dropped; tokenize_rows with this "
            "max_length leaves long rows out and lists them"
        )


def _smaller_sizes(profile: Profile) -> Iterator[int]:
    size = profile.batch_size
    while size > 1 and n_launched() == 1:  # the other processes would wait for this one
        size = profile.with_batch_size(size // 2).batch_size
        logger.warning("out of memory: starting over with %d rows in one pass, and as many a step as before", size)
        yield size
    remedy = 'choose method="qlora", a smaller model, or a lower max_length for shorter rows'
    if size > 1:
        raise TrainingError(f"{size} rows in one pass do not fit into memory; halve the profile's batch_size")
    raise TrainingError(f"PROFILE={profile.name!r}: one row in one pass does not fit into memory; {remedy}")


def _train(
    profile: Profile, model: str | Path, train: TokenizedRows, validation: TokenizedRows, output: Path, folder: Path
) -> TrainingResult:
    import torch
    from accelerate.utils.memory import clear_device_cache  # type: ignore[import-untyped]

    clear_device_cache(garbage_collection=True)  # of an attempt that did not fit
    trainable, tokenizer = load_trainable(profile, model)
    n_trainable = count_parameters(trainable).trainable  # before it is shared out
    checkpoint = last_checkpoint(folder)
    began_at = trained_part(checkpoint, "epoch") if checkpoint else 0.0  # now, for newer checkpoints replace it
    batches, held_out = (_dataset(profile, rows) for rows in (train, validation))
    collate = None
    if profile.share_prompts:
        by_rows = use_row_attention(trainable)
        collate = collate_rows if by_rows else collate_shared
    is_bfloat16 = any(parameter.dtype == torch.bfloat16 for parameter in trainable.parameters())
    trainer = trainer_class()(
        model=trainable,
        args=training_arguments(profile, len(batches), folder, checkpoint is not None, is_bfloat16),
        train_dataset=batches,
        eval_dataset=held_out,
        data_collator=collate,
        callbacks=[] if profile.patience is None else [stop_early(profile.patience)],
        processing_class=tokenizer,
    )
    if trainer.args.use_cpu:  # the trainer calls it cpu:0 in several processes, and reads no checkpoint to there
        trainer.args._setup_devices = torch.device("cpu")
    if choose_dtype(choose_device().value).value == "float32":
        for parameter in trainable.parameters():  # TRL has made an adapter over 4 bits bfloat16, slow on most CPUs
            parameter.data = parameter.data.float() if parameter.requires_grad else parameter.data
    began = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.perf_counter() - began
    if trainer.args.should_save:
        for other in ("adapter_config.json", "config.json"):  # by which loading tells what the folder holds
            (output / other).unlink(missing_ok=True)
    trainer.save_model(str(output))  # in every process, for each may hold a part
    trainer.accelerator.wait_for_everyone()  # the checkpoints go, and another process may still read the best
    epochs = trainer.state.epoch - began_at
    return TrainingResult(
        adapter=output,
        history=_losses(trainer.state.log_history),
        n_steps=trainer.state.global_step,
        n_examples=round(len(train.examples) * epochs),
        n_tokens=round(train.n_tokens * epochs),
        seconds=seconds,
        n_trainable_parameters=n_trainable,
        kept_step=None if profile.patience is None else trainer.state.best_global_step,
    )


def _losses(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """The trainer's records of losses, without its counts of tokens, which a shared prompt makes meaningless."""
    kept = ("step", "epoch", "loss", "eval_loss", "learning_rate")
    return [{k: record[k] for k in kept if k in record} for record in log if "loss" in record or "eval_loss" in record]


def _dataset(profile: Profile, rows: TokenizedRows) -> "Dataset":
    return (
        share_prompts(rows.examples, profile.batch_size, profile.seed) if profile.share_prompts else rows.to_dataset()
    )
