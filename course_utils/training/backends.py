"""What a method trains of a base model: by Unsloth where the profile says so, else by PEFT.

Unsloth patches TRL and Transformers, so ``train_sft`` calls this, the only place that imports it, before they are, in a
process of its own.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import ConfigurationError, require
from course_utils.models import choose_device, load_model, load_tokenizer
from course_utils.models.generation import check_tokens
from course_utils.models.hub import explain_loading, locate_folder
from course_utils.models.load import choose_product_dtype
from course_utils.profiles import IN_PROFILE, Profile
from course_utils.training.launch import n_launched

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def adapter_config(profile: Profile, n_layers: int) -> "PeftConfig":
    r"""PEFT's configuration of the adapter that a profile trains: LoRA on every linear layer but the output head.

    A frozen weight :math:`W` of shape (out, in) gets an update of rank r,
    :math:`W' = W + \frac{\alpha}{r} B A`, with A (r, in) random and B (out, r) zero at the start, so that
    training begins at the base model exactly. Source: Hu et al. 2021, arXiv:2106.09685.

    - ``qlora`` is the same over a base model in 4 bits (Dettmers et al. 2023, arXiv:2305.14314).
    - ``rslora`` divides by :math:`\sqrt r`, so that a high rank learns as fast as a low one (Kalajdzievski 2023,
      arXiv:2312.03732).
    - ``dora`` learns the length of each row of W apart from its direction, :math:`W' = m (W + s B A) / \|W + s B A\|`
      (Liu et al. 2024, arXiv:2402.09353).
    - ``ia3`` is no LoRA: it learns one factor for each output of the keys and values and each input of the last
      feed-forward layer, all 1 at the start (Liu et al. 2022, arXiv:2205.05638), at a rate ten times as high.

    With ``profile.loraplus_ratio`` B learns faster than A (LoRA+, Hayou et al. 2024, arXiv:2402.12354): the product of
    both moves B first, which starts at zero.

    Of the model's ``n_layers`` layers, ``profile.adapted_share`` get one, from the last down (of ``ia3``, all). No
    gradient passes those before them, and nothing that they compute is kept.
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
        exclude_modules=rf"\D*\.({spared})\..*" if spared else None,  # by the first number in a name
        use_dora=profile.method == "dora",
        use_rslora=profile.method == "rslora",
        task_type="CAUSAL_LM",
    )


def load_trainable(
    profile: Profile, model: str | Path, halves: bool | None = None
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load ``model`` as the profile's method trains it: with a fresh adapter, or with every weight free.

    ``halves`` says whether a CPU keeps frozen matrices in bfloat16; with None it does where that is faster.
    """
    if profile.backend == "unsloth" and n_launched() > 1:
        raise ConfigurationError(f"PROFILE={profile.name!r} trains by Unsloth, on one GPU; for several use multi_gpu")
    if profile.n_gpus and (device := choose_device()).value != "cuda":
        raise ConfigurationError(f"PROFILE={profile.name!r} needs a GPU, but {device.reason}; use smoke or laptop")
    if profile.backend == "unsloth":
        return _load_unsloth(profile, model)
    from peft import get_peft_model
    from transformers import set_seed

    tokenizer = load_tokenizer(model)
    # The trainer shares weights out, or puts them all on its process' GPU; 4-bit ones have to be there from the start.
    is_bound = n_launched() == 1 or profile.load_in_4bit
    base = load_model(model, load_in_4bit=profile.load_in_4bit, place=None if is_bound else "cpu")
    check_tokens(base, tokenizer, [])
    if profile.method == "full":
        return base.float(), tokenizer  # a step of AdamW is often too small to change a 16-bit number
    _fit_frozen_matrices(base, halves)
    config = adapter_config(profile, base.config.get_text_config().num_hidden_layers)
    if profile.method == "ia3":
        _check_names(base, config, str(model))
    set_seed(profile.seed)  # the trainer seeds too, but the adapter is drawn here
    # ZeRO-3 shares out weights of one number format alone (TRL's ``SFTTrainer`` says why).
    widens = profile.load_in_4bit or os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") != "3"
    return get_peft_model(base, config, autocast_adapter_dtype=widens), tokenizer


def _check_names(base: "PreTrainedModel", config: "PeftConfig", model: str) -> None:
    """Refuse a model that has no layers of some names: the adapter would be there in part, or not at all."""
    there = {name.rpartition(".")[2] for name, _ in base.named_modules()}
    if missing := sorted({*config.target_modules} - there):
        found = f'method="ia3" wants layers named {", ".join(sorted(config.target_modules))}'
        raise ConfigurationError(f'{model}: {found}, and it has no {missing[0]}; set method="lora" {IN_PROFILE}')


def _fit_frozen_matrices(base: "PreTrainedModel", halves: bool | None = None) -> None:
    """Keep gradients passing 4-bit matrices on a CPU, and others in bfloat16 where this CPU multiplies faster in it.

    On CPUs with AVX512-BF16 bitsandbytes packs 4-bit weights at the first validation, and no gradient passes packed
    ones (bitsandbytes 0.50, ``nn/modules.py``). In bfloat16 the trainer computes by autocast. The rest stays in
    float32: the sums between layers, norms, embeddings and the adapter, whose steps are small.
    """
    import torch

    is_cpu, width = choose_device().value == "cpu", base.config.get_text_config().hidden_size
    halves = is_cpu and (choose_product_dtype(width).value == "bfloat16" if halves is None else halves)
    for module in base.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
        elif halves and type(module) is torch.nn.Linear:
            module.weight = torch.nn.Parameter(module.weight.detach(), requires_grad=False)  # the head's own from here
            module.bfloat16()


def _load_unsloth(profile: Profile, model: str | Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    require("gpu", "unsloth")
    folder = str(locate_folder(model))  # of a Hub id Unsloth would take other weights, of its own
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
    trainable = FastLanguageModel.get_peft_model(  # on every linear layer but the head, unless it is told otherwise
        base,
        r=profile.lora_rank,
        lora_alpha=profile.lora_alpha,
        use_rslora=profile.method == "rslora",
        layers_to_transform=list(range(first, n_layers)) if first else None,
        use_gradient_checkpointing="unsloth",
        random_state=profile.seed,
    )
    return trainable, tokenizer
