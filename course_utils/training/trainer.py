"""TRL's ``SFTTrainer`` with the course's settings, losses, callbacks and corrections for several processes."""

import logging
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.errors import TrainingError
from course_utils.models import choose_device, choose_dtype
from course_utils.models.load import set_threads
from course_utils.profiles import IN_PROFILE, Profile
from course_utils.training.attention import use_chunks
from course_utils.training.examples import TokenizedRows
from course_utils.training.launch import n_launched
from course_utils.training.shared_prompts import IGNORED, collate_shared, count_labels, label_loss, share_prompts
from course_utils.training.tracking import chosen_trackers

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainingArguments
    from trl import SFTConfig, SFTTrainer

# Rows that do not share prompts: sorting the rows of a step by length saves padding.
_SEPARATE: dict[str, Any] = {"train_sampling_strategy": "batch_rebalance", "length_column_name": "length"}
# An item of ``share_prompts`` is a whole batch with labels and masks: the trainer takes one at a time, unchanged.
_SHARED: dict[str, Any] = {"remove_unused_columns": False, "dataset_kwargs": {"skip_prepare_dataset": True}}
_SHARED |= {"loss_type": "nll"}  # computed by ``label_loss``
_CHANGES_LOGITS = ("logits_scaling", "lm_head_multiplier", "logits_soft_cap")
"""Settings of models, such as Granite and Falcon-H1, that change logits in ways that TRL's chunked loss ignores."""


def make_trainer(
    profile: Profile, model: Any, tokenizer: Any, folder: Path, resumed: bool, *parts: TokenizedRows
) -> "SFTTrainer":
    """The trainer of a loaded model; ``parts`` are its training and validation rows."""
    import torch

    from course_utils.training.cuda_graphs import LENGTH_STEP, GraphedPass

    shares, replays = profile.share_prompts, can_replay(profile)
    data = [share_prompts(p.examples, profile.batch_size, profile.seed) if shares else p.to_dataset() for p in parts]
    is_bfloat16 = any(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
    arguments = training_arguments(profile, len(data[0]), folder, resumed, is_bfloat16)
    if any(hasattr(model.config.get_text_config(), name) for name in _CHANGES_LOGITS):
        arguments.loss_type = "nll"
    trainer = trainer_class()(
        model=model,
        args=arguments,
        train_dataset=data[0],
        eval_dataset=data[1],
        data_collator=partial(collate_shared, length_step=LENGTH_STEP if replays else 1) if shares else None,
        callbacks=run_callbacks(profile.patience),
        processing_class=tokenizer,
    )
    trainer.loraplus_ratio = rate_ratio(profile)
    trainer.own_loss = label_loss if shares and trainer.args.loss_type == "nll" else None
    trainer.labels_of_batch = count_labels(data[1]) / len(data[1]) if shares else 0.0
    trainer.graphs = GraphedPass(model) if replays else None
    if trainer.args.use_cpu:  # in several processes the trainer names it cpu:0, to which no checkpoint can be loaded
        trainer.args._setup_devices = torch.device("cpu")
        if shares:
            use_chunks(model)
    widen_trainable(model)
    return trainer


def widen_trainable(model: Any) -> None:
    """Make the trained weights float32, unless this device computes in bfloat16.

    TRL makes an adapter over a 4-bit model bfloat16, in which most CPUs are slow, and whose gradients cannot be scaled
    for float16 training on older GPUs.
    """
    if choose_dtype(choose_device().value).value != "bfloat16":
        for parameter in model.parameters():
            parameter.data = parameter.data.float() if parameter.requires_grad else parameter.data


def rate_ratio(profile: Profile) -> float:
    """The learning rate of B as a multiple of A's; 1 for methods without A and B."""
    return 1.0 if profile.method in ("full", "ia3") else profile.loraplus_ratio


def can_replay(profile: Profile) -> bool:
    """Whether ``GraphedPass`` fits a profile: each step is one pass of one process, on a GPU in bfloat16, not 4-bit."""
    is_one_pass = profile.gradient_accumulation == 1 and n_launched() == 1
    is_bfloat16 = choose_dtype(choose_device().value).value == "bfloat16"  # never on a CPU
    return profile.share_prompts and not profile.load_in_4bit and is_one_pass and is_bfloat16


def trainer_class() -> "type[SFTTrainer]":
    """TRL's ``SFTTrainer``, changed to train alike in one process and in several. Import Unsloth before, if at all."""
    import torch
    from peft.optimizers import create_loraplus_optimizer
    from trl import SFTTrainer

    # Without this it warns that a short run's checkpoints, all written within a second, are sorted by number.
    logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)

    class TrustedTrainer(SFTTrainer):  # type: ignore[misc]
        own_loss: Any = None
        labels_of_batch = 0.0  # mean number of labels in a validation batch
        graphs: Any = None
        loraplus_ratio = 1.0
        optimizer: Any

        def create_optimizer(self, *rest: Any) -> Any:
            if self.optimizer is None and (ratio := self.loraplus_ratio) != 1:
                kind, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
                self.optimizer = create_loraplus_optimizer(self.model, kind, loraplus_lr_ratio=ratio, **options)
            return super().create_optimizer(*rest)

        def _get_train_sampler(self, *rest: Any) -> Any:
            sampler = super()._get_train_sampler(*rest)
            if hasattr(sampler, "seed"):  # the sampler by length would have another seed than the profile's
                sampler.seed = self.args.seed
            return sampler

        def _run_epoch(self, *, epoch: int, train_dataloader: Any, **rest: Any) -> None:
            """Set the samplers' epoch before a resumed run skips batches; afterwards, several processes miss it."""
            sampler = train_dataloader.batch_sampler
            for part in (train_dataloader, getattr(sampler, "batch_sampler", sampler)):
                if hasattr(part, "set_epoch"):
                    part.set_epoch(epoch)
            super()._run_epoch(epoch=epoch, train_dataloader=train_dataloader, **rest)

        def training_step(self, model: Any, inputs: Any, *rest: Any) -> Any:
            if self.graphs is None:
                return super().training_step(model, inputs, *rest)
            model.train()
            return self.graphs.run(self._prepare_inputs(inputs))

        def _get_num_items_in_batch(self, batches: Any, device: Any) -> Any:
            """Count labels without those of repeated rows, which fill up the last step of an epoch in all processes."""
            if self.args.world_size > 1:
                learns, n_at_once = torch.is_grad_enabled(), self.args.train_batch_size * self.args.world_size
                # Accelerate's own remainder is lost when a resumed run skips batches.
                remainder = len(self.train_dataset if learns else self.eval_dataset) % n_at_once
                is_last = self.accelerator.gradient_state.end_of_dataloader
                if is_last and remainder and batches and (self.own_loss or not learns):
                    labels = batches[-1]["labels"]
                    labels[max(0, remainder - len(labels) * self.args.process_index) :] = IGNORED
                if not torch.is_grad_enabled():
                    return None  # a validation batch is averaged over its own labels, as in one process
            return super()._get_num_items_in_batch(batches, device)

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if self.own_loss is None:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            if not torch.is_grad_enabled():  # so that the mean of the batches' losses is the mean over all labels
                num_items_in_batch = self.labels_of_batch
            loss = self.own_loss(model, inputs, num_items_in_batch)
            if num_items_in_batch is not None and torch.is_grad_enabled():
                loss = loss * self.args.world_size  # the labels of all processes are counted, but gradients averaged
            return (loss, {}) if return_outputs else loss

    return TrustedTrainer


def run_callbacks(patience: int | None = None) -> "list[TrainerCallback]":
    """Callbacks that raise ``TrainingError`` at a loss that is not finite, and stop early if ``patience`` is given.

    The run stops after ``patience`` evaluations without a gain, also if it was killed right after it had stopped, where
    Transformers would go on. On a CPU, the number of threads is adapted at each step.
    """
    from transformers import EarlyStoppingCallback, TrainerCallback

    class StopAtNan(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: object, logs: dict[str, float], **_: object) -> None:
            for name, what in (("loss", "training loss"), ("eval_loss", "validation loss")):
                if not math.isfinite(loss := logs.get(name, 0.0)):
                    raise TrainingError(_explain_divergence(f"the {what} is {loss}", state.global_step, args))

    class EarlyStopping(EarlyStoppingCallback):  # type: ignore[misc]
        def on_step_end(self, args: object, state: object, control: Any, **_: object) -> None:
            if self.early_stopping_patience_counter >= self.early_stopping_patience:
                control.should_training_stop = True
                control.should_evaluate = control.should_save = False

    class FitThreads(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, *_: object, **__: object) -> None:
            if args.use_cpu:
                set_threads()

    return [StopAtNan(), FitThreads(), *([] if patience is None else [EarlyStopping(patience)])]


def _explain_divergence(found: str, step: int, arguments: "TrainingArguments") -> str:
    if step == 0:
        return f"{found} before any training; check the base model, or load it afresh"
    rate, warm_up = f"learning_rate={arguments.learning_rate:g}", f"warmup_steps={arguments.warmup_steps:g}"
    remedy = f"divide {rate} by five to ten {IN_PROFILE}, keep {warm_up} or raise it"
    return f"step {step}: {found}, so the weights are useless; {remedy}"


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
