"""Supervised fine-tuning: one call from rows to an adapter, on any backend."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.models import choose_device, choose_dtype
from course_utils.profiles import Profile
from course_utils.training.backends import load_trainable
from course_utils.training.examples import TokenizedRows
from course_utils.training.history import TrainingResult

if TYPE_CHECKING:
    from trl import SFTConfig


def train_sft(
    profile: Profile,
    model: str | Path,
    train: TokenizedRows,
    validation: TokenizedRows,
    output: Path,
) -> TrainingResult:
    """Train a LoRA adapter on completions and save it with the tokenizer.

    Args:
        profile: Sizes, rates and backend; change one value with ``dataclasses.replace``.
        model: Folder or Hub id of the base model.
        train: Rows to learn from.
        validation: Rows whose loss is measured ``profile.n_evaluations`` times on the way.
        output: Folder of the adapter, made if missing.

    Raises:
        ConfigurationError: The machine does not have what the profile needs.
        ModelError: The base model is missing or incomplete.
    """
    trainable, tokenizer = load_trainable(profile, model)
    from trl import SFTTrainer  # after Unsloth, which load_trainable imports where the profile wants it

    trainer = SFTTrainer(
        model=trainable,
        args=_arguments(profile, len(train.examples), output),
        train_dataset=train.to_dataset(),
        eval_dataset=validation.to_dataset(),
        processing_class=tokenizer,
    )
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    trainer.save_model(str(output))
    return TrainingResult(
        adapter=output,
        history=[record for record in trainer.state.log_history if "loss" in record or "eval_loss" in record],
        n_steps=trainer.state.global_step,
        n_examples=round(len(train.examples) * profile.epochs),
        n_tokens=round(train.n_tokens * profile.epochs),
        seconds=seconds,
    )


def _arguments(profile: Profile, n_rows: int, output: Path) -> "SFTConfig":
    from trl import SFTConfig

    device = choose_device().value
    n_steps = math.ceil(math.ceil(n_rows / profile.effective_batch_size) * profile.epochs)
    fixed: dict[str, Any] = {
        "output_dir": str(output),
        "max_length": profile.max_length,
        "completion_only_loss": True,
        "packing": False,  # mixes rows where there is no FlashAttention
        "train_sampling_strategy": "group_by_length",  # so that little is spent on padding instead
        "length_column_name": "length",
        "save_strategy": "no",
        "report_to": "none",
        "lr_scheduler_type": "linear",
        "logging_first_step": True,
        "use_cpu": device == "cpu",
        "bf16": choose_dtype(device).value == "bfloat16",
        "fp16": choose_dtype(device).value == "float16",
        "gradient_checkpointing": device == "cuda",
    }
    return SFTConfig(
        **fixed,
        num_train_epochs=profile.epochs,
        per_device_train_batch_size=profile.batch_size,
        per_device_eval_batch_size=profile.batch_size,
        gradient_accumulation_steps=profile.gradient_accumulation,
        learning_rate=profile.learning_rate,
        warmup_steps=min(profile.warmup_steps, max(1, n_steps // 10)),
        eval_strategy="steps",
        eval_steps=max(1, n_steps // profile.n_evaluations),
        logging_steps=max(1, n_steps // 50),
        seed=profile.seed,
        data_seed=profile.seed,
        dataloader_pin_memory=device == "cuda",
    )
