"""The one way to load a model and its tokenizer, and to generate with them."""

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.artifacts import is_local, resolve
from course_utils.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")


@dataclass(frozen=True)
class Choice:
    """A decision about the machine and the reason for it."""

    value: str
    reason: str


def choose_device() -> Choice:
    """The device to run on: ``cuda``, ``mps`` or ``cpu``."""
    import torch

    if torch.cuda.is_available():
        return Choice("cuda", f"{torch.cuda.get_device_name()} is available")
    if torch.backends.mps.is_available():
        return Choice("mps", "Apple's GPU is available")
    return Choice("cpu", "no GPU is available")


def choose_dtype(device: str) -> Choice:
    """The number format to compute in: ``bfloat16``, ``float16`` or ``float32``."""
    import torch

    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice("bfloat16", "this GPU computes in bfloat16, which keeps float32's range")
        return Choice("float16", "this GPU is older than bfloat16")
    return Choice("float32", f"on {device}, 16-bit arithmetic is slower than float32 or missing")


@lru_cache
def hub_is_reachable(timeout_s: float = 3.0) -> bool:
    """Whether the Hugging Face Hub (or the mirror that ``HF_ENDPOINT`` names) answers; asked once per process.

    Libraries retry for half a minute before they say that there is no network, so the course asks first.

    Args:
        timeout_s: The answer is no after this many seconds, even where looking up the name hangs.
    """
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    answers: list[bool] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(endpoint, method="HEAD")
            with urllib.request.urlopen(request, timeout=timeout_s):
                answers.append(True)
        except urllib.error.HTTPError:
            answers.append(True)
        except (OSError, ValueError):
            answers.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_s)
    return bool(answers) and answers[0]


def load_tokenizer(model: str | Path) -> "PreTrainedTokenizerBase":
    """Load a tokenizer with padding on the left, as batched generation needs it.

    Raises:
        ModelError: The folder does not exist, holds no tokenizer, or its padding token is its end token.
    """
    from transformers import AutoTokenizer

    name = _location(model)
    if Path(name).is_dir() and not any((Path(name) / file).is_file() for file in TOKENIZER_FILES):
        raise ModelError(f"{name}: the folder holds no tokenizer; copy tokenizer.json and its config there")
    tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left")
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        tokenizer.pad_token = _spare_token(tokenizer)
    return tokenizer


def _spare_token(tokenizer: "PreTrainedTokenizerBase") -> str:
    """A special token other than the end token: padding with the end token hides it from the loss."""
    known = ("<|pad|>", "<pad>", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>")
    vocabulary = tokenizer.get_vocab()
    spare = [t for t in (*known, *tokenizer.all_special_tokens) if t in vocabulary and t != tokenizer.eos_token]
    if not spare:
        raise ModelError(f"{tokenizer.name_or_path}: no token but {tokenizer.eos_token!r} to pad with; add a pad token")
    return spare[0]


def load_model(model: str | Path, *, adapter: Path | None = None, load_in_4bit: bool = False) -> "PreTrainedModel":
    """Load a causal language model for this machine, in evaluation mode.

    Args:
        model: A folder or a Hub id.
        adapter: Folder of a LoRA adapter to put on top.
        load_in_4bit: NF4 weights by bitsandbytes; needs a GPU.

    Raises:
        ModelError: The folder does not exist or holds no model.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    name, device = _location(model), choose_device().value
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise ModelError(f"{name}: the folder holds no config.json; point MODEL at a model saved by Transformers")
    dtype = getattr(torch, choose_dtype(device).value)
    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, bnb_4bit_use_double_quant=True
    )
    loaded = AutoModelForCausalLM.from_pretrained(
        name, dtype=dtype, device_map=device, quantization_config=quantization if load_in_4bit else None
    )
    if adapter is not None:
        from peft import PeftModel

        loaded = PeftModel.from_pretrained(loaded, adapter)
    return loaded.eval()


def _location(model: str | Path) -> str:
    if not is_local(str(model)):
        return str(model)
    folder = resolve(model)
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such model folder; check MODEL")
    return str(folder)


def generate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
    progress: str = "",
) -> list[str]:
    """Greedy replies to prompts given as token ids, in their order.

    Prompts of like length share a batch, padded on the left.

    Args:
        model: In evaluation mode.
        tokenizer: Of the same model.
        prompts: Token ids, each of shape (length,).
        max_new_tokens: Tokens of a reply at most.
        batch_size: Prompts in one batch.
        progress: Label of a progress bar; none if empty.

    Returns:
        Replies without special tokens.
    """
    from tqdm.auto import tqdm

    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    replies = [""] * len(prompts)
    with tqdm(total=len(prompts), desc=progress, unit="reply", disable=not progress) as bar:
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            tokens = generate_tokens(model, tokenizer, [prompts[index] for index in indices], max_new_tokens)
            texts: Iterable[str] = tokenizer.batch_decode(tokens, skip_special_tokens=True)
            for index, text in zip(indices, texts, strict=True):
                replies[index] = text
            bar.update(len(indices))
    return replies


def generate_tokens(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", prompts: list[list[int]], max_new_tokens: int
) -> list[list[int]]:
    """Greedy token ids for one batch of prompts; a reply that stopped by itself ends with its end token."""
    import torch

    batch = tokenizer.pad({"input_ids": prompts}, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(
            **batch.to(model.device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
    new_tokens = output[:, batch["input_ids"].shape[1] :].tolist()
    return [_strip_padding(tokens, tokenizer.pad_token_id) for tokens in new_tokens]


def _strip_padding(tokens: list[int], pad: int | None) -> list[int]:
    end = len(tokens)
    while end and tokens[end - 1] == pad:
        end -= 1
    return tokens[:end]
