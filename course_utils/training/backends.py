"""Load a base model ready for LoRA: by Unsloth where the profile says so, else by PEFT.

This is the only place that imports Unsloth, and ``train_sft`` calls it before it imports TRL:
Unsloth patches TRL and Transformers, and has to come first.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import ConfigurationError, MissingExtraError
from course_utils.models import choose_device, load_model, load_tokenizer
from course_utils.profiles import Profile
from course_utils.training.lora import lora_config

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def load_trainable(profile: Profile, model: str | Path) -> "tuple[PeftModel, PreTrainedTokenizerBase]":
    """Load ``model`` with a fresh adapter on all linear layers.

    Raises:
        ConfigurationError: The profile needs a GPU and there is none, or more GPUs than there are.
        MissingExtraError: The profile needs Unsloth and it is not installed.
        ModelError: The model folder is missing or incomplete.
    """
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

    base, tokenizer = FastLanguageModel.from_pretrained(model, profile.max_length, load_in_4bit=profile.load_in_4bit)
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
