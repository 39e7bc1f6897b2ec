"""Supervised fine-tuning: one call from rows to a trained model, by any method, on any backend."""

import math
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.errors import ConfigurationError, MissingExtraError
from course_utils.models import choose_device, choose_dtype
from course_utils.profiles import Profile
from course_utils.training.backends import load_trainable
from course_utils.training.examples import TokenizedRows
from course_utils.training.history import TrainingResult
from course_utils.training.shared_prompts import collate_shared, hide_token_count, share_prompts

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

TRACK_VARIABLE = "COURSE_TRACK"
TRACKERS = ("tensorboard", "wandb")
# Rows that each repeat their prompt: little is spent on padding where a batch has rows of like length.
_SEPARATE: dict[str, Any] = {"train_sampling_strategy": "group_by_length", "length_column_name": "length"}
# ``share_prompts`` has made whole batches, with labels and masks: the trainer takes them one by one, as they are.
_SHARED: dict[str, Any] = {"remove_unused_columns": False, "dataset_kwargs": {"skip_prepare_dataset": True}}


def train_sft(
    profile: Profile,
    model: str | Path,
    train: TokenizedRows,
    validation: TokenizedRows,
    output: Path,
) -> TrainingResult:
    """Train a model on completions, by the profile's ``method``, and save what was trained with the tokenizer.

    Args:
        profile: Method, sizes, rates and backend; change one value with ``dataclasses.replace``.
        model: Folder or Hub id of the base model.
        train: Rows to learn from.
        validation: Rows whose loss is measured before the first step and ``profile.n_evaluations`` times on the way,
            the last time after the last step.
        output: Folder of the adapter, or of the whole model under ``method="full"``, made if missing;
            ``load_model(model, adapter=output)`` takes either.

    Raises:
        ConfigurationError: The machine does not have what the profile needs, or ``COURSE_TRACK`` is wrong.
        ModelError: The base model is missing or incomplete.
    """
    trainable, tokenizer = load_trainable(profile, model)
    from trl import SFTTrainer  # after Unsloth, which load_trainable imports where the profile wants it

    batches = _dataset(profile, train)
    trainer = SFTTrainer(
        model=trainable,
        args=training_arguments(profile, len(batches), output),
        train_dataset=batches,
        eval_dataset=_dataset(profile, validation),
        data_collator=collate_shared if profile.share_prompts else None,
        callbacks=[hide_token_count()] if profile.share_prompts else None,
        processing_class=tokenizer,
    )
    if choose_dtype(choose_device().value).value == "float32":
        for parameter in trainable.parameters():  # TRL has made an adapter over 4 bits bfloat16, slow on most CPUs
            parameter.data = parameter.data.float() if parameter.requires_grad else parameter.data
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    trainer.save_model(str(output))
    epochs = trainer.state.epoch or 0.0
    return TrainingResult(
        adapter=output,
        history=_losses(trainer.state.log_history),
        n_steps=trainer.state.global_step,
        n_examples=round(len(train.examples) * epochs),
        n_tokens=round(train.n_tokens * epochs),
        seconds=seconds,
    )


def _losses(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """The trainer's records of losses, without its counts of tokens, which a shared prompt makes meaningless."""
    kept = ("step", "epoch", "loss", "eval_loss", "learning_rate")
    return [{k: record[k] for k in kept if k in record} for record in log if "loss" in record or "eval_loss" in record]


def _dataset(profile: Profile, rows: TokenizedRows) -> "Dataset":
    return (
        share_prompts(rows.examples, profile.batch_size, profile.seed) if profile.share_prompts else rows.to_dataset()
    )


def training_arguments(profile: Profile, n_items: int, output: Path) -> "SFTConfig":
    """The trainer's settings; ``n_items`` counts what it takes for rows, which ``share_prompts`` makes batches."""
    from trl import SFTConfig

    device = choose_device().value
    n_rows_at_once = 1 if profile.share_prompts else profile.batch_size
    n_batches = math.ceil(n_items / n_rows_at_once)
    n_steps = profile.max_steps or math.ceil(math.ceil(n_batches / profile.gradient_accumulation) * profile.epochs)
    fixed: dict[str, Any] = {
        "output_dir": str(output),
        "max_length": profile.max_length,
        "completion_only_loss": True,
        "packing": False,  # mixes rows where there is no FlashAttention
        "save_strategy": "no",
        "report_to": chosen_trackers(),
        "lr_scheduler_type": "linear",
        "logging_first_step": True,
        "use_cpu": device == "cpu",
        "bf16": choose_dtype(device).value == "bfloat16",
        "fp16": choose_dtype(device).value == "float16",
        "gradient_checkpointing": device == "cuda",
    }
    return SFTConfig(
        **fixed,
        **(_SHARED if profile.share_prompts else _SEPARATE),
        num_train_epochs=profile.epochs,
        max_steps=profile.max_steps or -1,
        per_device_train_batch_size=n_rows_at_once,
        per_device_eval_batch_size=n_rows_at_once,
        gradient_accumulation_steps=profile.gradient_accumulation,
        learning_rate=profile.learning_rate,
        warmup_steps=min(profile.warmup_steps, max(1, n_steps // 10)),
        eval_strategy="steps",
        eval_on_start=True,
        eval_steps=math.ceil(n_steps / profile.n_evaluations),
        logging_steps=max(1, n_steps // 50),
        seed=profile.seed,
        data_seed=profile.seed,
        dataloader_pin_memory=device == "cuda",
    )


def chosen_trackers() -> list[str]:
    """The trackers that ``COURSE_TRACK`` names, separated by commas, as ``report_to`` of the trainer takes them.

    Nothing leaves the machine unless you ask: TensorBoard writes files, Weights & Biases sends them to its service,
    with the key that its own ``WANDB_API_KEY`` holds.

    Raises:
        ConfigurationError: One of them is unknown.
        MissingExtraError: One of them is not installed.
    """
    wanted = [name.strip() for name in os.environ.get(TRACK_VARIABLE, "").split(",") if name.strip()]
    if unknown := sorted(set(wanted) - set(TRACKERS)):
        raise ConfigurationError(f"{TRACK_VARIABLE} names {', '.join(unknown)}; choose from {', '.join(TRACKERS)}")
    for name in wanted:
        if find_spec(name) is None:
            raise MissingExtraError(name, "track")
    return wanted or ["none"]
