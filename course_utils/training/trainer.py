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
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

# Rows that each repeat their prompt: little is spent on padding where a batch has rows of like length.
_SEPARATE: dict[str, Any] = {"train_sampling_strategy": "group_by_length", "length_column_name": "length"}
# ``share_prompts`` has made whole batches, with labels and masks: the trainer takes them one by one, as they are.
_SHARED: dict[str, Any] = {"remove_unused_columns": False, "dataset_kwargs": {"skip_prepare_dataset": True}}
_SHARED |= {"loss_type": "nll"}  # by ``label_loss``


def trainer_class() -> "type[SFTTrainer]":
    """TRL's ``SFTTrainer`` with ``label_loss``, and with rows in an order that seed and epoch decide.

    Import Unsloth before, where it is used: it patches TRL.
    """
    import torch
    from transformers.trainer_pt_utils import LengthGroupedSampler
    from trl import SFTTrainer

    # Checkpoints of a short run lie within a second; that they are ordered by number then is no news.
    logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)

    class TrustedTrainer(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            sampler = super()._get_train_sampler(train_dataset)
            if isinstance(sampler, LengthGroupedSampler):
                sampler.batch_size *= self.args.world_size
                seed = self.args.data_seed
                # Whatever was drawn before: a resumed run finds the order of its epoch again.
                sampler.set_epoch = lambda epoch: setattr(
                    sampler, "generator", torch.Generator().manual_seed(seed + epoch)
                )
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

    return TrustedTrainer


def stop_at_nan() -> "TrainerCallback":
    """Stop any trainer that logs a loss that is no number, with a ``TrainingError`` that says where and what to do."""
    from transformers import TrainerCallback

    class StopAtNan(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: object, logs: dict[str, float], **_: object) -> None:
            for name, what in (("loss", "training"), ("eval_loss", "validation")):
                if math.isfinite(logs.get(name, 0.0)):
                    continue
                if state.global_step == 0:
                    found = f"the {what} loss of the base model is {logs[name]}, before any training"
                    raise TrainingError(f"{found}; check the model, or load it afresh")
                found = f"step {state.global_step}: the {what} loss is {logs[name]}, so every weight is lost by now"
                remedy = f"divide learning_rate={args.learning_rate:g} by five to ten"
                raise TrainingError(f"{found}; {remedy}, and keep warmup_steps={args.warmup_steps:g} or raise it")

    return StopAtNan()


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
    machine = machine_settings(profile)
    machine["bf16"] |= is_bfloat16
    return SFTConfig(
        **(_SHARED if profile.share_prompts else _SEPARATE),
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
        warmup_steps=n_warm_up_steps(profile, n_steps),
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


def n_warm_up_steps(profile: Profile, n_steps: int) -> int:
    """The profile's steps of warm-up, and never more than a tenth of the run."""
    return min(profile.warmup_steps, max(1, n_steps // 10))
