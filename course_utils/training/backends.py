"""Load a base model with the weights that a profile's method trains, by Unsloth or by PEFT.

Unsloth patches TRL and Transformers. Only this module imports it, and ``train_sft`` calls this module in a process of
its own, before those two are imported.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import ConfigurationError, require
from course_utils.models import choose_device, load_model, load_tokenizer
from course_utils.models.hub import explain_loading, locate_folder
from course_utils.models.load import choose_product_dtype
from course_utils.profiles import IN_PROFILE, Profile
from course_utils.training.launch import n_launched

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BYPASSED = r".*\.(mamba|mixer)\.out_proj"
"""Names of the projections whose weights Mamba's kernels read by themselves, so that an adapter would be skipped."""


def adapter_config(profile: Profile, n_layers: int) -> "PeftConfig":
    r"""PEFT's configuration of the adapter that a profile trains: LoRA on every linear layer but the output head.

    A frozen weight :math:`W` of shape (out, in) gets an update of rank r,
    :math:`W' = W + \frac{\alpha}{r} B A`, with A (r, in) random and B (out, r) zero at the start, so that
    training begins exactly at the base model. Source: Hu et al. 2021, arXiv:2106.09685.

    - ``qlora`` is LoRA over a base model in 4 bits (Dettmers et al. 2023, arXiv:2305.14314).
    - ``rslora`` divides by :math:`\sqrt r`, so that a high rank learns as fast as a low one (Kalajdzievski 2023,
      arXiv:2312.03732).
    - ``dora`` learns the length of each row of W apart from its direction, :math:`W' = m (W + s B A) / \|W + s B A\|`
      (Liu et al. 2024, arXiv:2402.09353).
    - ``ia3`` is not LoRA: it learns one factor, 1 at the start, for each output of the key and value projections and
      each input of the last feed-forward layer (Liu et al. 2022, arXiv:2205.05638); it needs a rate ten times as high.

    ``profile.loraplus_ratio`` is the learning rate of B divided by that of A; in wide models equal rates learn less
    efficiently (LoRA+, Hayou et al. 2024, arXiv:2402.12354).

    Of the model's ``n_layers`` layers, the last ``profile.adapted_share`` get an adapter (with ``ia3``, all layers). No
    gradient goes through the layers before, so their activations are not kept.
    """
    from peft import IA3Config, LoraConfig

    if profile.method == "ia3":
        targets = ["k_proj", "v_proj", "down_proj"]
        return IA3Config(target_modules=targets, feedforward_modules=targets[-1:], task_type="CAUSAL_LM")
    spared = "|".join(map(str, range(n_layers - profile.n_adapted(n_layers))))
    return LoraConfig(
        r=profile.lora_rank,
        lora_alpha=profile.lora_alpha,
        target_modules="all-linear",
        exclude_modules=rf"\D*\.({spared})\..*" if spared else None,  # the first number in a name is the layer's
        use_dora=profile.method == "dora",
        use_rslora=profile.method == "rslora",
        task_type="CAUSAL_LM",
    )


def load_trainable(
    profile: Profile, model: str | Path, halves: bool | None = None
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load ``model`` as the profile's method trains it: with a new adapter, or with all weights trainable.

    ``halves`` says whether frozen matrices are bfloat16 on a CPU; with None, if this CPU multiplies faster in it.

    Raises:
        ConfigurationError: The machine or the model lacks what the profile needs.
        MissingExtraError: A package of the backend is not installed.
        ModelError: The model is missing or incomplete.
    """
    if profile.backend == "unsloth" and n_launched() > 1:
        raise ConfigurationError(f"PROFILE={profile.name!r} trains by Unsloth, on one GPU; for several use multi_gpu")
    if profile.n_gpus and (device := choose_device()).value != "cuda":
        raise ConfigurationError(f"PROFILE={profile.name!r} needs a GPU, but {device.reason}; use smoke or laptop")
    if profile.backend == "unsloth":
        return _load_unsloth(profile, model)
    tokenizer = load_tokenizer(model)
    # In several processes the trainer places the weights; 4-bit ones must be on their GPU from the start.
    is_bound = n_launched() == 1 or profile.load_in_4bit
    base = load_model(model, load_in_4bit=profile.load_in_4bit, place=None if is_bound else "cpu")
    if profile.method == "full":
        return base.float(), tokenizer  # a step of AdamW is often too small to change a 16-bit weight
    from peft import get_peft_model
    from transformers import set_seed

    _fit_frozen_matrices(base, halves)
    config = adapter_config(profile, base.config.get_text_config().num_hidden_layers)
    if profile.method == "ia3":
        _check_names(base, config, str(model))
    elif any(re.fullmatch(BYPASSED, name) for name, _ in base.named_modules()):
        config.exclude_modules = "|".join(filter(None, [config.exclude_modules, BYPASSED]))
    set_seed(profile.seed)  # the adapter's random weights are drawn here, before the trainer sets the seed
    # ZeRO-3 shards weights of one dtype only (TRL's ``SFTTrainer`` says why).
    widens = profile.load_in_4bit or os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") != "3"
    return get_peft_model(base, config, autocast_adapter_dtype=widens), tokenizer


def _check_names(base: "PreTrainedModel", config: "PeftConfig", model: str) -> None:
    """Refuse a model that lacks layers of the configured names, because it would get an incomplete adapter or none."""
    there = {name.rpartition(".")[2] for name, _ in base.named_modules()}
    if missing := sorted({*config.target_modules} - there):
        found = f'method="ia3" wants layers named {", ".join(sorted(config.target_modules))}'
        raise ConfigurationError(f'{model}: {found}, but it has no {missing[0]}; set method="lora" {IN_PROFILE}')


def _fit_frozen_matrices(base: "PreTrainedModel", halves: bool | None = None) -> None:
    """Keep 4-bit matrices differentiable on a CPU, and make others bfloat16 if ``halves``.

    On CPUs with AVX512-BF16, bitsandbytes packs 4-bit weights at the first validation, and gradients cannot pass packed
    weights (bitsandbytes 0.50, ``nn/modules.py``). With bfloat16 matrices the trainer uses autocast; the rest stays in
    float32: the residual stream, norms, embeddings, and the adapter, whose steps are small.
    """
    import torch

    is_cpu, width = choose_device().value == "cpu", base.config.get_text_config().hidden_size
    halves = is_cpu and (choose_product_dtype(width).value == "bfloat16" if halves is None else halves)
    for module in base.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
        elif halves and type(module) is torch.nn.Linear:
            module.weight = torch.nn.Parameter(module.weight.detach(), requires_grad=False)  # unties the head's weight
            module.bfloat16()


def _load_unsloth(profile: Profile, model: str | Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    require("gpu", "unsloth")
    folder = str(locate_folder(model))  # for a Hub id Unsloth would load its own copy of the weights
    from unsloth import FastLanguageModel

    with explain_loading(folder, "model"):
        base, tokenizer = FastLanguageModel.from_pretrained(
            folder,
            profile.max_length,
            load_in_4bit=profile.load_in_4bit,
            full_finetuning=profile.method == "full",
            trust_remote_code=False,
        )
    if profile.method == "full":
        return base, tokenizer
    n_layers = base.config.get_text_config().num_hidden_layers
    first = n_layers - profile.n_adapted(n_layers)
    trainable = FastLanguageModel.get_peft_model(  # by default on every linear layer but the output head
        base,
        r=profile.lora_rank,
        lora_alpha=profile.lora_alpha,
        use_rslora=profile.method == "rslora",
        layers_to_transform=list(range(first, n_layers)) if first else None,
        use_gradient_checkpointing="unsloth",
        random_state=profile.seed,
    )
    return trainable, tokenizer
