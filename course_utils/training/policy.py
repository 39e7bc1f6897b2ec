"""Train a tuned model on: what preference and reinforcement learning share. They call the model a policy."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.figures import PALETTE, course_style, new_axes
from course_utils.models import load_model, load_tokenizer
from course_utils.profiles import Profile
from course_utils.training.tracking import disable_telemetry
from course_utils.training.trainer import check_losses, machine_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


@dataclass(frozen=True)
class PolicyResult:
    """The outcome of ``train_dpo`` or ``train_grpo``; ``history`` is the log, one record a step or an evaluation."""

    adapter: Path = field(repr=False)
    history: list[dict[str, float]] = field(repr=False)
    n_steps: int
    seconds: float
    n_too_long: int
    """Rows that were left out, as longer than ``max_length``."""


def load_policy(
    profile: Profile, model: str | Path, adapter: Path
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load what ``train_sft`` wrote to train it on, by PEFT whatever the backend; call it before TRL is imported.

    Raises:
        ModelError: The model or the adapter is missing or incomplete.
    """
    disable_telemetry()
    policy = load_model(model, adapter=adapter, load_in_4bit=profile.load_in_4bit)
    if hasattr(policy, "peft_config"):
        policy.set_adapter("default")  # which frees its weights; ``load_model`` leaves them frozen
    return policy if hasattr(policy, "peft_config") else policy.float(), load_tokenizer(model)


def policy_settings(profile: Profile, rate: float, n_steps: int, output: Path) -> dict[str, Any]:
    """The settings that both trainers take by these names; no checkpoints, so a run that is killed starts over."""
    return machine_settings(profile) | {
        "output_dir": str(output),
        "max_steps": n_steps,
        "learning_rate": rate,
        "warmup_steps": min(profile.warmup_steps, max(1, n_steps // 10)),
        "per_device_train_batch_size": profile.batch_size,
        "gradient_accumulation_steps": profile.gradient_accumulation,
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
    }


def train_policy(trainer: "Trainer", n_too_long: int) -> PolicyResult:
    """Train, and save adapter and tokenizer; ``check_losses`` stops a run whose loss is no number any more."""
    from transformers import PrinterCallback, TrainerCallback

    class StopAtNan(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, _: object, logs: dict[str, float], **__: object) -> None:
            check_losses(logs, state.global_step, args)

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(StopAtNan())
    began, output = time.perf_counter(), Path(trainer.args.output_dir)
    trainer.train()
    seconds = time.perf_counter() - began
    selected = {"selected_adapters": ["default"]} if hasattr(trainer.model, "peft_config") else {}
    trainer.model.save_pretrained(output, **selected)  # not the copy of the start that TRL keeps beside it
    trainer.processing_class.save_pretrained(output)
    log = [record for record in trainer.state.log_history if "train_runtime" not in record]
    renamed = [
        {n.replace("eval_", "held-out ").replace("rewards/", ""): x for n, x in record.items()} for record in log
    ]
    return PolicyResult(output, renamed, trainer.state.global_step, seconds, n_too_long)


@course_style
def plot_policy(result: PolicyResult, *names: str, title: str) -> "Axes":
    """Numbers of the history by step: those of held-out rows as dots, others as lines."""
    axes = new_axes(title, height=3.0)
    for number, name in enumerate(names):
        points = [(record["step"], record[name]) for record in result.history if name in record]
        look = "o" if name.startswith("held-out") else ("-", "--", ":")[number % 3]
        axes.plot(*zip(*points, strict=True), look, color=PALETTE[number], label=name)
    axes.set(xlabel="optimizer step")
    axes.legend()
    return axes
