"""The settings that the trainers of supervised fine-tuning, DPO and GRPO get from a profile."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.models import choose_device, choose_dtype
from course_utils.profiles import Profile
from course_utils.training.launch import n_launched
from course_utils.training.tracking import chosen_trackers

if TYPE_CHECKING:
    from transformers import TrainingArguments
    from trl import SFTConfig

# Rows that do not share prompts: sorting the rows of a step by length saves padding.
_SEPARATE: dict[str, Any] = {"train_sampling_strategy": "batch_rebalance", "length_column_name": "length"}
# An item of ``share_prompts`` is a whole batch with labels and masks: the trainer takes one at a time, unchanged.
_SHARED: dict[str, Any] = {"remove_unused_columns": False, "dataset_kwargs": {"skip_prepare_dataset": True}}
_SHARED |= {"loss_type": "nll"}  # computed by ``label_loss``


def training_arguments(
    profile: Profile, n_items: int, folder: Path, resumed: bool = False, is_bfloat16: bool = False
) -> "SFTConfig":
    """The trainer's settings, with checkpoints in ``folder``.

    ``n_items`` counts the dataset's items: rows, or batches of ``share_prompts``. A run that is ``resumed`` does not
    measure the base model again. ``is_bfloat16``: some weights are bfloat16, so the trainer computes in it.
    """
    from trl import SFTConfig

    n_rows_at_once = 1 if profile.share_prompts else profile.batch_size
    n_batches = math.ceil(n_items / n_rows_at_once / n_launched())
    n_steps = profile.max_steps or math.ceil(math.ceil(n_batches / profile.gradient_accumulation) * profile.epochs)
    steps_between = math.ceil(n_steps / profile.n_evaluations)
    settings = common_settings(profile, n_steps, folder)
    settings["bf16"] |= is_bfloat16
    settings["adam_beta1"], settings["adam_beta2"] = profile.adam_betas
    arguments = SFTConfig(
        **(_SHARED if profile.share_prompts else _SEPARATE),
        **settings,
        max_length=profile.max_length,
        completion_only_loss=True,
        num_train_epochs=profile.epochs,
        max_steps=profile.max_steps or -1,
        per_device_train_batch_size=n_rows_at_once,
        per_device_eval_batch_size=n_rows_at_once,
        lr_scheduler_type="linear",
        eval_strategy="steps",
        eval_on_start=not resumed,
        eval_steps=steps_between,
        save_steps=steps_between,
        save_total_limit=2,
        metric_for_best_model="eval_loss",
        load_best_model_at_end=profile.patience is not None,
        restore_callback_states_from_checkpoint=True,
        logging_steps=max(1, n_steps // 50),
        logging_first_step=True,
    )
    keep_to_one_gpu(arguments)
    return arguments


def keep_to_one_gpu(arguments: "TrainingArguments") -> None:
    """Let a process use one GPU: otherwise every visible GPU would get a batch, and a step too many rows."""
    arguments._n_gpu = min(1, arguments.n_gpu)


def common_settings(profile: Profile, n_steps: int, folder: Path) -> dict[str, Any]:
    """The settings of all trainers of the course; warm-up takes at most a tenth of the ``n_steps`` steps."""
    device = choose_device().value
    return {
        "output_dir": str(folder),
        "learning_rate": profile.learning_rate,
        "warmup_steps": min(profile.warmup_steps, n_steps // 10),
        "gradient_accumulation_steps": profile.gradient_accumulation,
        "report_to": chosen_trackers(profile.track),
        "use_cpu": device == "cpu",
        "bf16": choose_dtype(device).value == "bfloat16",
        "fp16": choose_dtype(device).value == "float16",
        "gradient_checkpointing": device == "cuda" and not profile.share_prompts,  # models with shared prompts fit
        "seed": profile.seed,
        "data_seed": profile.seed,
        "dataloader_pin_memory": device == "cuda",
        "logging_nan_inf_filter": False,  # it would log the mean of earlier losses instead of NaN
    }


def rate_ratio(profile: Profile) -> float:
    """The learning rate of B as a multiple of A's; 1 for methods without A and B."""
    return 1.0 if profile.method in ("full", "ia3") else profile.loraplus_ratio
