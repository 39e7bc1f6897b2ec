"""TRL's trainer with what a run that can be trusted needs beside it, and its settings."""

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

# Rows that each repeat their prompt: little is spent on padding where those of a step are sorted by length.
_SEPARATE: dict[str, Any] = {"train_sampling_strategy": "batch_rebalance", "length_column_name": "length"}
# ``share_prompts`` has made whole batches, with labels and masks: the trainer takes them one by one, as they are.
_SHARED: dict[str, Any] = {"remove_unused_columns": False, "dataset_kwargs": {"skip_prepare_dataset": True}}
_SHARED |= {"loss_type": "nll"}  # by ``label_loss``
_CHANGES_LOGITS = ("logits_scaling", "lm_head_multiplier", "logits_soft_cap")
"""Settings of models, such as Granite and Falcon-H1, that change logits in ways unknown to TRL's loss in chunks."""


def make_trainer(
    profile: Profile, model: Any, tokenizer: Any, folder: Path, resumed: bool, *parts: TokenizedRows
) -> "SFTTrainer":
    """The trainer of a loaded model on two parts, training and validation; the rest as in ``training_arguments``."""
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
    if trainer.args.use_cpu:  # the trainer calls it cpu:0 in several processes, and reads no checkpoint to there
        trainer.args._setup_devices = torch.device("cpu")
        if shares:
            use_chunks(model)
    widen_trainable(model)
    return trainer


def widen_trainable(model: Any) -> None:
    """Have float32 for what is trained, unless all is bfloat16 here: TRL makes an adapter over 4 bits bfloat16.

    Most CPUs are slow in it, and on a GPU older than it no gradient of it can be scaled.
    """
    if choose_dtype(choose_device().value).value != "bfloat16":
        for parameter in model.parameters():
            parameter.data = parameter.data.float() if parameter.requires_grad else parameter.data


def rate_ratio(profile: Profile) -> float:
    """How many times A's rate B learns at; 1 where a method has no A and B."""
    return 1.0 if profile.method in ("full", "ia3") else profile.loraplus_ratio


def can_replay(profile: Profile) -> bool:
    """Whether ``GraphedPass`` can make a profile's steps: each is one pass of one process, in bfloat16 on a GPU."""
    is_one_pass = profile.gradient_accumulation == 1 and n_launched() == 1
    is_bfloat16 = choose_dtype(choose_device().value).value == "bfloat16"  # on GPUs alone
    return profile.share_prompts and not profile.load_in_4bit and is_one_pass and is_bfloat16


def trainer_class() -> "type[SFTTrainer]":
    """TRL's ``SFTTrainer``, which several processes call as one does; Unsloth, where it is used, is imported before."""
    import torch
    from peft.optimizers import create_loraplus_optimizer
    from trl import SFTTrainer

    # Checkpoints of a short run lie within a second; that they are ordered by number then is no news.
    logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)

    class TrustedTrainer(SFTTrainer):  # type: ignore[misc]
        own_loss: Any = None
        labels_of_batch = 0.0  # of validation's, on average
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
            if hasattr(sampler, "seed"):  # of rows sorted by length, for which the trainer has a seed of its own
                sampler.seed = self.args.seed
            return sampler

        def _run_epoch(self, *, epoch: int, train_dataloader: Any, **rest: Any) -> None:
            """Say which epoch it is before batches of a checkpoint are skipped; after, several processes miss it."""
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
            """Count labels, but not of rows that come again, so that all processes have as many at an epoch's end."""
            if self.args.world_size > 1:
                learns, n_at_once = torch.is_grad_enabled(), self.args.train_batch_size * self.args.world_size
                # Accelerate does not say it any more where batches of a checkpoint are skipped.
                remainder = len(self.train_dataset if learns else self.eval_dataset) % n_at_once
                is_last = self.accelerator.gradient_state.end_of_dataloader
                if is_last and remainder and batches and (self.own_loss or not learns):
                    labels = batches[-1]["labels"]
                    labels[max(0, remainder - len(labels) * self.args.process_index) :] = IGNORED
                if not torch.is_grad_enabled():
                    return None  # a batch of validation counts by itself, as it does in one process
            return super()._get_num_items_in_batch(batches, device)

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if self.own_loss is None:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            if not torch.is_grad_enabled():  # the mean of such losses is one over all labels, as batches differ in them
                num_items_in_batch = self.labels_of_batch
            loss = self.own_loss(model, inputs, num_items_in_batch)
            if num_items_in_batch is not None and torch.is_grad_enabled():
                loss = loss * self.args.world_size  # counted in all processes, whose gradients will be averaged
            return (loss, {}) if return_outputs else loss

    return TrustedTrainer


def run_callbacks(patience: int | None = None) -> "list[TrainerCallback]":
    """Stop at a loss that is no number, with a ``TrainingError``, and after ``patience`` evaluations that gain nothing.

    On a CPU, threads are as many as pay at each moment. Early stopping also holds for a run that was killed just after
    it had stopped, where Transformers would go on.
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
    return f"step {step}: {found}, so every weight is lost; {remedy}"


def training_arguments(
    profile: Profile, n_items: int, folder: Path, resumed: bool = False, is_bfloat16: bool = False
) -> "SFTConfig":
    """The trainer's settings, with checkpoints in ``folder``.

    ``n_items`` are what the trainer takes for rows, which ``share_prompts`` makes batches; the base model of a run that
    is ``resumed`` has been measured; where matrices are in bfloat16, so are their products.
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
    """Let a process use one GPU; else each that it sees would get a batch, and a step more rows than it should."""
    arguments._n_gpu = min(1, arguments.n_gpu)


def common_settings(profile: Profile, n_steps: int, folder: Path) -> dict[str, Any]:
    """What every trainer of the course is told; the warm-up is never more than a tenth of the run's steps."""
    device = choose_device().value
    return {
        "output_dir": str(folder),
        "learning_rate": profile.learning_rate,
        "warmup_steps": min(profile.warmup_steps, n_steps // 10),
        "gradient_accumulation_steps": profile.gradient_accumulation,
        "report_to": chosen_trackers(),
        "use_cpu": device == "cpu",
        "bf16": choose_dtype(device).value == "bfloat16",
        "fp16": choose_dtype(device).value == "float16",
        "gradient_checkpointing": device == "cuda" and not profile.share_prompts,  # its models leave room
        "seed": profile.seed,
        "data_seed": profile.seed,
        "dataloader_pin_memory": device == "cuda",
        "logging_nan_inf_filter": False,  # it would put the mean of earlier losses in the place of NaN
    }
