"""Load a model, its tokenizer and an adapter, and choose the device, number format and CPU threads for this machine."""

import logging
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.errors import MissingExtraError, ModelError
from course_utils.models.hub import explain_loading, locate_model
from course_utils.resources import n_cores

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NARROW = 512
"""Hidden size below which training takes float32: a step of a model 256 wide takes as long by the clock in bfloat16."""
PERIOD_S = 15
"""Seconds for which a number of threads is kept; choosing it takes a tenth of a second."""
SAMPLING = ("temperature", "top_p", "top_k", "top_h", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")


@dataclass(frozen=True)
class Choice:
    """A choice for this machine, and the reason for it."""

    value: str
    reason: str


def choose_device() -> Choice:
    """Choose the device to run on: ``cuda``, ``mps`` or ``cpu``."""
    import torch

    if torch.cuda.is_available():
        return Choice("cuda", f"{torch.cuda.get_device_name()} is available")
    if torch.backends.mps.is_available():
        return Choice("mps", "Apple's GPU is available")
    return Choice("cpu", "no GPU is available")


def choose_dtype(device: str) -> Choice:
    """Choose the number format to compute in: ``bfloat16``, ``float16`` or ``float32``.

    On a CPU it is always float32, even if bfloat16 is fast, so that the course's numbers are comparable between CPUs.
    Only training may multiply in bfloat16 there; see ``choose_product_dtype``.
    """
    import torch

    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice("bfloat16", "this GPU computes in bfloat16, which keeps float32's range")
        return Choice("float16", "this GPU is older than bfloat16")
    if device == "mps":
        return Choice("float32", "training in float16 needs loss scaling, which Apple's GPUs do without in float32")
    return Choice("float32", "one format on every CPU, so that replies compare; most compute 16-bit numbers slower")


def choose_product_dtype(width: int) -> Choice:
    """Choose the number format for a CPU's matrix products in training a model of hidden size ``width``.

    In bfloat16 they take tens of times longer than in float32 if the CPU lacks the instructions (AVX512-BF16, AMX), and
    as little as a quarter if it has them. A tenth of a second measures both, in one thread's CPU time, so that other
    programs do not matter.
    """
    import torch

    if width < NARROW:
        return Choice("float32", f"a step takes as long in either format in a model narrower than {NARROW}")
    n_threads = torch.get_num_threads()
    plain, halved = (_products_per_s(1, width, dtype, time.thread_time) for dtype in ("float32", "bfloat16"))
    torch.set_num_threads(n_threads)
    how = f"products in bfloat16 are {halved / plain:.1f} times as fast as in float32 on this CPU"
    return Choice("bfloat16" if halved > 1.5 * plain else "float32", how)


def set_threads() -> int:
    """Set and return PyTorch's number of threads: all cores, or one fewer if another program keeps a core busy.

    Long work calls it repeatedly; it measures anew at most every ``PERIOD_S`` seconds, because programs come and go.
    """
    import torch

    chosen = _choose_threads(int(time.monotonic() / PERIOD_S))
    torch.set_num_threads(chosen)
    return chosen


@lru_cache(maxsize=1)
def _choose_threads(period: int) -> int:
    """Choose for one ``period`` by measuring both: one busy core delays all threads, which wait for the last."""
    most, fewer = _all_threads(), _all_threads() - 1
    return fewer if fewer and _products_per_s(fewer) > 1.2 * _products_per_s(most) else most  # 1.2, because of noise


@cache
def _all_threads() -> int:
    import torch

    # Cached before set_threads changes it. PyTorch ignores CPU quotas: more threads use one up, and then all stop.
    return min(torch.get_num_threads(), n_cores())


def _products_per_s(
    n_threads: int, width: int = 256, dtype: str = "float32", clock: Callable[[], float] = time.perf_counter
) -> float:
    import torch

    torch.set_num_threads(n_threads)
    rows, weights = (torch.ones(shape, dtype=getattr(torch, dtype)) for shape in ((400, width), (width, 3 * width)))
    n, began = 0, clock()
    while (passed := clock() - began) < 0.05:
        n += len(rows @ weights) > 0
    return n / passed


def load_tokenizer(model: str | Path) -> "PreTrainedTokenizerBase":
    """Load a tokenizer that pads on the left, as batched generation needs, with a token other than the end token.

    Raises:
        ModelError: The folder does not exist or holds no readable tokenizer, the Hub does not provide one, or
            there is no token but the end token to pad with.
    """
    from transformers import AutoTokenizer

    name = locate_model(model)
    if Path(name).is_dir() and not any((Path(name) / file).is_file() for file in TOKENIZER_FILES):
        raise ModelError(f"{name}: the folder holds no tokenizer; copy tokenizer.json and its config there")
    with explain_loading(name, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left", trust_remote_code=False)
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        tokenizer.pad_token = _spare_token(tokenizer)
    return tokenizer


def _spare_token(tokenizer: "PreTrainedTokenizerBase") -> str:
    """A special token to pad with, other than the end token, which the loss would ignore if it were padding."""
    known = ("<|pad|>", "<pad>", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>")
    vocabulary = tokenizer.get_vocab()
    spare = [t for t in (*known, *tokenizer.all_special_tokens) if t in vocabulary and t != tokenizer.eos_token]
    if not spare:
        raise ModelError(f"{tokenizer.name_or_path}: no token but {tokenizer.eos_token!r} to pad with; add a pad token")
    return str(spare[0])


def load_model(
    model: str | Path,
    *,
    adapter: Path | None = None,
    load_in_4bit: bool = False,
    place: str | None = None,
    merge: bool = False,
) -> "PreTrainedModel":
    """Load a causal language model, from a folder or the Hub, for this machine, in evaluation mode.

    ``adapter`` is a folder from training: an adapter to apply or, after full fine-tuning, a model to load instead.
    ``load_in_4bit`` quantises weights to NF4. ``place`` is the weights' device; None for this machine's. ``merge`` adds
    the adapter to the weights, unless they are in 4 bits: the same replies but for rounding, in less time.

    Raises:
        ModelError: The folder does not exist or holds no readable model, or the Hub does not provide one.
        MissingExtraError: ``load_in_4bit`` without bitsandbytes.
    """
    import torch
    from transformers import BitsAndBytesConfig

    if load_in_4bit and find_spec("bitsandbytes") is None:
        raise MissingExtraError('no bitsandbytes: on Linux run python3 requirements/install.py, else set method="lora"')
    if adapter is not None and (adapter / "config.json").is_file():
        model, adapter = adapter.resolve(), None
    name, device = locate_model(model), choose_device().value
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it asks for a faster kernel as soon as PEFT is imported
    if device == "cpu":
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")  # its 1,024 kernels take gigabytes; read once
        set_threads()
    dtype = getattr(torch, choose_dtype(device).value)
    nf4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype, "bnb_4bit_use_double_quant": True}
    config = BitsAndBytesConfig(load_in_4bit=True, **nf4) if load_in_4bit else None
    loaded = _read(name, dtype=dtype, device_map=place or device, quantization_config=config)
    if adapter is not None:
        on_top = _put_on(loaded, adapter)
        loaded = on_top.merge_and_unload() if merge and not load_in_4bit else on_top
    return loaded.eval()


def attends_only(model: Any) -> bool:
    """Whether only attention mixes tokens, so that a mask separates them: no convolution and no recurrent state."""
    kinds = {*(getattr(model.config.get_text_config(), "layer_types", None) or ())}
    return kinds <= {"full_attention", "sliding_attention"} and not getattr(model, "_is_stateful", False)


def load_skeleton(folder: Path) -> "PreTrainedModel":
    """A model on PyTorch's meta device: shapes of all weights, but no values in memory; raises as ``load_model``."""
    return _read(locate_model(folder), device_map="meta")


def _read(name: str, **options: Any) -> "PreTrainedModel":
    from transformers import AutoModelForCausalLM

    if (folder := Path(name)).is_dir():
        if not (folder / "config.json").is_file():
            remedy = "point MODEL at a model saved by Transformers, and merge an adapter first"
            raise ModelError(f"{name}: the folder holds no config.json; {remedy}")
        if not (any(folder.glob("model*.safetensors")) or any(folder.glob("pytorch_model*.bin"))):
            raise ModelError(f"{name}: the folder holds no weights; copy its *.safetensors files there")
    with explain_loading(name, "model"):
        loaded: PreTrainedModel
        # Transformers only warns of missing or wrongly sized weights and initialises them at random: checked below.
        options |= {"trust_remote_code": False, "output_loading_info": True, "ignore_mismatched_sizes": True}
        loaded, report = AutoModelForCausalLM.from_pretrained(name, **options)
    if wrong := sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}):
        others = f" and {len(wrong) - 1} other tensors" if wrong[1:] else ""
        raise ModelError(f"{name}: the weights lack {wrong[0]}{others} in config.json's sizes; save the model again")
    if (own := loaded.generation_config) is not None and not own.do_sample:
        own.update(**dict.fromkeys(SAMPLING))  # Transformers refuses to save sampling settings without do_sample
    return loaded


def _put_on(model: "PreTrainedModel", adapter: Path) -> "PeftModel":
    from peft import PeftModel

    if not (adapter / "adapter_config.json").is_file():
        raise ModelError(f"{adapter}: the folder holds no adapter; run notebooks/03_training.ipynb first")
    with explain_loading(str(adapter.absolute()), "adapter"), warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*missing adapter keys")  # PEFT would initialise them at random
        return PeftModel.from_pretrained(model, adapter)
