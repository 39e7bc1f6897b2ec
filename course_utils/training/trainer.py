"""TRL's ``SFTTrainer`` with the course's losses, callbacks and corrections for several processes.

Import this module after the model is loaded: it imports TRL, which Unsloth must patch before.
"""

import logging
import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft.optimizers import create_loraplus_optimizer
from transformers import EarlyStoppingCallback, TrainerCallback, TrainingArguments
from trl import SFTTrainer

from course_utils.errors import TrainingError
from course_utils.models import choose_device, choose_dtype
from course_utils.models.load import set_threads
from course_utils.profiles import IN_PROFILE, Profile
from course_utils.training.arguments import rate_ratio, training_arguments
from course_utils.training.attention import use_chunks
from course_utils.training.cuda_graphs import LENGTH_STEP, GraphedPass
from course_utils.training.examples import TokenizedRows
from course_utils.training.launch import n_launched
from course_utils.training.shared_prompts import IGNORED, collate_shared, count_labels, label_loss, share_prompts

# Without this it warns that a short run's checkpoints, all written within a second, are sorted by number.
logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)
_CHANGES_LOGITS = ("logits_scaling", "lm_head_multiplier", "logits_soft_cap")
"""Settings of models, such as Granite and Falcon-H1, that change logits in ways that TRL's chunked loss ignores."""


class CourseTrainer(SFTTrainer):  # type: ignore[misc]
    """TRL's ``SFTTrainer``, changed to train alike in one process and in several."""

    own_loss: Any = None
    labels_of_batch = 0.0  # mean number of labels in a validation batch
    graphs: GraphedPass | None = None
    loraplus_ratio = 1.0
    optimizer: Any

    def create_optimizer(self, *rest: Any) -> Any:
        """Make LoRA+'s optimizer, whose learning rate for B is ``loraplus_ratio`` times that for A."""
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
        """Set the gradients of one batch, by ``graphs`` if there are any; return the loss."""
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
        """Return the loss of one batch, by ``own_loss`` if there is one, as a share of the step's labels."""
        if self.own_loss is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if not torch.is_grad_enabled():  # so that the mean of the batches' losses is the mean over all labels
            num_items_in_batch = self.labels_of_batch
        loss = self.own_loss(model, inputs, num_items_in_batch)
        if num_items_in_batch is not None and torch.is_grad_enabled():
            loss = loss * self.args.world_size  # the labels of all processes are counted, but gradients averaged
        return (loss, {}) if return_outputs else loss


class StopAtNan(TrainerCallback):  # type: ignore[misc]
    """Raises ``TrainingError`` at a loss that is not finite."""

    def on_log(self, args: Any, state: Any, control: object, logs: dict[str, float], **_: object) -> None:
        """Look at the losses of a record."""
        for name, what in (("loss", "training loss"), ("eval_loss", "validation loss")):
            if not math.isfinite(loss := logs.get(name, 0.0)):
                raise TrainingError(_explain_divergence(f"the {what} is {loss}", state.global_step, args))


class EarlyStopping(EarlyStoppingCallback):  # type: ignore[misc]
    """Stops after some evaluations without a gain, also in a run that was killed right after it had stopped."""

    def on_step_end(self, args: object, state: object, control: Any, **_: object) -> None:
        """Stop without another evaluation if a resumed run had stopped before."""
        if self.early_stopping_patience_counter >= self.early_stopping_patience:
            control.should_training_stop = True
            control.should_evaluate = control.should_save = False


class FitThreads(TrainerCallback):  # type: ignore[misc]
    """On a CPU, adapts the number of threads at each step to the processors that are free."""

    def on_step_begin(self, args: Any, *_: object, **__: object) -> None:
        """Choose the number of threads for this step."""
        if args.use_cpu:
            set_threads()


def run_callbacks(patience: int | None = None) -> list[TrainerCallback]:
    """The callbacks of every trainer of the course; ``patience``, in evaluations, adds ``EarlyStopping``."""
    return [StopAtNan(), FitThreads(), *([] if patience is None else [EarlyStopping(patience)])]


def _explain_divergence(found: str, step: int, arguments: TrainingArguments) -> str:
    if step == 0:
        return f"{found} before any training; check the base model, or load it afresh"
    rate, warm_up = f"learning_rate={arguments.learning_rate:g}", f"warmup_steps={arguments.warmup_steps:g}"
    remedy = f"divide {rate} by five to ten {IN_PROFILE}, keep {warm_up} or raise it"
    return f"step {step}: {found}, so the weights are useless; {remedy}"


def make_trainer(
    profile: Profile, model: Any, tokenizer: Any, folder: Path, resumed: bool, *parts: TokenizedRows
) -> CourseTrainer:
    """The trainer of a loaded model; ``parts`` are its training and validation rows."""
    shares, replays = profile.share_prompts, can_replay(profile)
    data = [share_prompts(p.examples, profile.batch_size, profile.seed) if shares else p.to_dataset() for p in parts]
    is_bfloat16 = any(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
    arguments = training_arguments(profile, len(data[0]), folder, resumed, is_bfloat16)
    if any(hasattr(model.config.get_text_config(), name) for name in _CHANGES_LOGITS):
        arguments.loss_type = "nll"
    trainer = CourseTrainer(
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


def can_replay(profile: Profile) -> bool:
    """Whether ``GraphedPass`` fits a profile: each step is one pass of one process, on a GPU in bfloat16, not 4-bit."""
    is_one_pass = profile.gradient_accumulation == 1 and n_launched() == 1
    is_bfloat16 = choose_dtype(choose_device().value).value == "bfloat16"  # never on a CPU
    return profile.share_prompts and not profile.load_in_4bit and is_one_pass and is_bfloat16
