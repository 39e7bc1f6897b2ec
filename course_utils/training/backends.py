"""LoRA on a base model: by Unsloth where the profile says so, else by PEFT; and how many parameters it trains.

This is the only place that imports Unsloth, and ``train_sft`` calls it before it imports TRL:
Unsloth patches TRL and Transformers, and has to come first.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import ConfigurationError, MissingExtraError
from course_utils.models import choose_device, load_model, load_tokenizer
from course_utils.models.hub import explain_loading
from course_utils.profiles import Profile

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def lora_config(profile: Profile) -> "LoraConfig":
    r"""PEFT's configuration for a profile: every linear layer but the output head.

    A frozen weight :math:`W` of shape (out, in) gets an update of rank r,
    :math:`W' = W + \frac{\alpha}{r} B A`, with A (r, in) random and B (out, r) zero at the start, so that
    training begins at the base model exactly. Source: Hu et al. 2021, arXiv:2106.09685.
    """
    from peft import LoraConfig

    return LoraConfig(
        r=profile.lora_rank,
        lora_alpha=profile.lora_alpha,
        lora_dropout=profile.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def load_trainable(profile: Profile, model: str | Path) -> "tuple[PeftModel, PreTrainedTokenizerBase]":
    """Load ``model`` with a fresh adapter on all linear layers.

    Raises:
        ConfigurationError: The profile needs a GPU and there is none, or wants several at once.
        MissingExtraError: The profile needs Unsloth and it is not installed.
        ModelError: The model folder is missing or incomplete.
    """
    if profile.backend == "fsdp":
        raise ConfigurationError(
            f"PROFILE={profile.name!r}: the course cannot train on several GPUs yet, for that needs a start by "
            '"accelerate launch" and a model shared out over them (FSDP); use gpu_24gb, which takes one'
        )
    device = choose_device()
    if profile.n_gpus and device.value != "cuda":
        raise ConfigurationError(f"PROFILE={profile.name!r} needs a GPU, but {device.reason}; use smoke or laptop")
    if profile.backend == "unsloth":
        return _load_unsloth(profile, str(model))
    from peft import get_peft_model
    from transformers import set_seed

    tokenizer = load_tokenizer(model)
    base = load_model(model, load_in_4bit=profile.load_in_4bit)
    set_seed(profile.seed)  # the trainer seeds too, but the adapter is drawn here
    return get_peft_model(base, lora_config(profile)), tokenizer


def _load_unsloth(profile: Profile, model: str) -> "tuple[PeftModel, PreTrainedTokenizerBase]":
    try:
        from unsloth import FastLanguageModel
    except ImportError as error:
        raise MissingExtraError("unsloth", "gpu") from error

    with explain_loading(model, "model"):
        base, tokenizer = FastLanguageModel.from_pretrained(
            model, profile.max_length, load_in_4bit=profile.load_in_4bit, trust_remote_code=False
        )
    trainable = FastLanguageModel.get_peft_model(
        base,
        r=profile.lora_rank,
        lora_alpha=profile.lora_alpha,
        lora_dropout=profile.lora_dropout,
        target_modules=list(LINEAR_LAYERS),
        use_gradient_checkpointing="unsloth",
        random_state=profile.seed,
    )
    return trainable, tokenizer


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of a model with an adapter."""

    trainable: int
    total: int

    @property
    def share(self) -> float:
        """Trainable share, between 0 and 1."""
        return self.trainable / self.total

    def _repr_html_(self) -> str:
        return f"<b>{self.trainable:,}</b> of {self.total:,} parameters are trained ({self.share:.1%})"


def count_parameters(model: "PreTrainedModel") -> ParameterCount:
    """Count all parameters, and those that receive gradients."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return ParameterCount(sum(n for n, trained in sizes if trained), sum(n for n, _ in sizes))
