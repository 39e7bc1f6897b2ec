"""TRL's trainer with what a run that can be trusted needs beside it, and its settings."""

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.errors import TrainingError
from course_utils.models import choose_device, choose_dtype
from course_utils.profiles import Profile
from course_utils.training.launch import n_launched
from course_utils.training.shared_prompts import IGNORED, label_loss
from course_utils.training.tracking import chosen_trackers

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainingArguments
    from trl import SFTConfig, SFTTrainer

# Rows that each repeat their prompt: little is spent on padding where a batch has rows of like length.
_SEPARATE: dict[str, Any] = {"train_sampling_strategy": "group_by_length", "length_column_name": "length"}
# ``share_prompts`` has made whole batches, with labels and masks: the trainer takes them one by one, as they are.
_SHARED: dict[str, Any] = {"remove_unused_columns": False, "dataset_kwargs": {"skip_prepare_dataset": True}}
_SHARED |= {"loss_type": "nll"}  # by ``label_loss``


def trainer_class() -> "type[SFTTrainer]":
    """TRL's ``SFTTrainer``, stopping at a loss that is no number, with rows in an order that seed and epoch decide.

    Import Unsloth before, where it is used: it patches TRL.
    """
    import torch
    from transformers.trainer_pt_utils import LengthGroupedSampler
    from trl import SFTTrainer

    logging.getLogger("transformers.trainer_utils").addFilter(_is_news)

    class EpochSampler(LengthGroupedSampler):  # type: ignore[misc]
        """The order of an epoch does not depend on what was drawn before, so that a resumed run finds it again."""

        seed = 0

        def set_epoch(self, epoch: int) -> None:
            self.generator = torch.Generator().manual_seed(self.seed + epoch)

    class TrustedTrainer(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            sampler = super()._get_train_sampler(train_dataset)
            if isinstance(sampler, LengthGroupedSampler):
                sampler = EpochSampler(sampler.batch_size * self.args.world_size, lengths=sampler.lengths)
                sampler.seed = self.args.data_seed
            return sampler

        def get_batch_samples(self, batches: Any, n_batches: int, device: Any) -> Any:
            samples, n_labels = super().get_batch_samples(batches, n_batches, device)
            if samples and self._ignore_repeated(samples[-1]):
                n_labels = self._get_num_items_in_batch(samples, device)
            return samples, n_labels

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if self.args.loss_type != "nll":
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            loss = label_loss(model, inputs, num_items_in_batch)
            if self.args.average_tokens_across_devices and num_items_in_batch is not None:
                # The labels of all processes were counted, and the gradients of processes will be averaged.
                loss = loss * self.args.world_size
            return (loss, {}) if return_outputs else loss

        def prediction_step(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
            self._ignore_repeated(inputs)
            self.args.average_tokens_across_devices = False  # a batch counts by itself, as it does in one process
            try:
                return super().prediction_step(model, inputs, *rest, **options)
            finally:
                self.args.average_tokens_across_devices = True

        def _ignore_repeated(self, batch: Any) -> bool:
            """Take the labels of rows that fill up an epoch's last batches, so that all processes have as many."""
            state, n = self.accelerator.gradient_state, len(batch["labels"])
            if self.args.world_size == 1 or not state.end_of_dataloader or state.remainder < 1:
                return False
            batch["labels"][max(0, state.remainder - n * self.args.process_index) :] = IGNORED
            return True

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            super().log(logs, start_time)
            logs.pop("eval_num_tokens", None)  # TRL adds up the attention mask, which is square for shared prompts
            check_losses(logs, self.state.global_step, self.args)

    return TrustedTrainer


def check_losses(logs: dict[str, float], step: int, arguments: "TrainingArguments") -> None:
    """Stop where a trainer logs a loss that is no number.

    Raises:
        TrainingError: Says which loss, at which step, and what to change.
    """
    for name, what in (("loss", "training"), ("eval_loss", "validation")):
        if not math.isfinite(logs.get(name, 0.0)):
            raise TrainingError(_explain_divergence(what, logs[name], step, arguments))


def _is_news(record: logging.LogRecord) -> bool:
    """False for the remark that checkpoints are ordered by number, as those of a short run within a second must be."""
    return "mtime may not be reliable" not in record.getMessage()


def _explain_divergence(what: str, loss: float, step: int, arguments: "TrainingArguments") -> str:
    if step == 0:
        return f"the {what} loss of the base model is {loss}, before any training; check the model, or load it afresh"
    rate, warmup = arguments.learning_rate, arguments.warmup_steps
    remedy = f"divide learning_rate={rate:g} by five to ten, and keep warmup_steps={warmup:g} or raise it"
    return f"step {step}: the {what} loss is {loss}, so every weight is lost by now; {remedy}"


def stop_early(patience: int) -> "TrainerCallback":
    """Transformers' early stopping, which also holds for a run that was killed just after it had stopped."""
    from transformers import EarlyStoppingCallback

    class EarlyStopping(EarlyStoppingCallback):  # type: ignore[misc]
        def on_step_end(self, args: object, state: object, control: Any, **_: object) -> None:
            if self.early_stopping_patience_counter >= self.early_stopping_patience:
                control.should_training_stop = True
                control.should_evaluate = control.should_save = False

    return EarlyStopping(patience)


def training_arguments(
    profile: Profile, n_items: int, folder: Path, resumed: bool = False, is_bfloat16: bool = False
) -> "SFTConfig":
    """The trainer's settings, with checkpoints in ``folder``.

    ``n_items`` are what the trainer takes for rows, which ``share_prompts`` makes batches; a run that is ``resumed``
    goes on from a checkpoint, so that the base model has been measured. ``is_bfloat16`` says that the model's matrices
    are, so that their products are taken in it.
    """
    from trl import SFTConfig

    n_rows_at_once = 1 if profile.share_prompts else profile.batch_size
    n_batches = math.ceil(n_items / n_rows_at_once / n_launched())
    n_steps = profile.max_steps or math.ceil(math.ceil(n_batches / profile.gradient_accumulation) * profile.epochs)
    steps_between = math.ceil(n_steps / profile.n_evaluations)
    row_settings = _SHARED if profile.share_prompts else _SEPARATE
    machine = machine_settings(profile)
    machine["bf16"] |= is_bfloat16
    return SFTConfig(
        **row_settings,
        **machine,
        output_dir=str(folder),
        max_length=profile.max_length,
        completion_only_loss=True,
        packing=False,  # mixes rows where there is no FlashAttention
        num_train_epochs=profile.epochs,
        max_steps=profile.max_steps or -1,
        per_device_train_batch_size=n_rows_at_once,
        per_device_eval_batch_size=n_rows_at_once,
        gradient_accumulation_steps=profile.gradient_accumulation,
        learning_rate=profile.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=min(profile.warmup_steps, max(1, n_steps // 10)),
        eval_strategy="steps",
        eval_on_start=not resumed,
        eval_steps=steps_between,
        save_strategy="steps",
        save_steps=steps_between,
        save_total_limit=2,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        load_best_model_at_end=profile.patience is not None,
        restore_callback_states_from_checkpoint=True,
        logging_steps=max(1, n_steps // 50),
        logging_first_step=True,
    )


def machine_settings(profile: Profile) -> dict[str, Any]:
    """What every trainer of the course is told of machine, seed and trackers."""
    device = choose_device().value
    return {
        "report_to": chosen_trackers(),
        "use_cpu": device == "cpu",
        "bf16": choose_dtype(device).value == "bfloat16",
        "fp16": choose_dtype(device).value == "float16",
        "gradient_checkpointing": device == "cuda",
        "seed": profile.seed,
        "data_seed": profile.seed,
        "dataloader_pin_memory": device == "cuda",
        "logging_nan_inf_filter": False,  # it would put the mean of earlier losses in the place of NaN
    }
