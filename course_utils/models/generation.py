"""Greedy replies in batches, and how long they took."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GREEDY: dict[str, Any] = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}
GREEDY |= dict.fromkeys(("temperature", "top_p", "top_k", "min_p"))
"""The most likely token at each step, whatever sampling or penalty a model's own settings ask for."""


@dataclass(frozen=True)
class Reply:
    """What a model wrote to one prompt."""

    text: str
    """Without special tokens."""
    seconds: float
    """The time of its batch divided by the batch's prompts: throughput. A prompt asked alone waits longer."""
    stopped: bool
    """The model ended the reply itself, before ``max_new_tokens``, or wrote what it was to stop at."""


def generate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
) -> list[str]:
    """The texts of ``generate_replies``."""
    replies = generate_replies(model, tokenizer, prompts, max_new_tokens=max_new_tokens, batch_size=batch_size)
    return [reply.text for reply in replies]


def generate_replies(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
    stop: str = "",
    progress: str = "",
) -> list[Reply]:
    """Greedy replies, in order, of a model in evaluation mode to prompts given as token ids, each of shape (length,).

    Prompts of like length share a batch of ``batch_size``, padded on the left; a reply has ``max_new_tokens`` at most,
    and ends before ``stop`` if that is given and comes. ``progress`` labels a bar, none if empty.
    """
    from tqdm.auto import tqdm

    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    replies: dict[int, Reply] = {}
    with tqdm(total=len(prompts), desc=progress, unit="reply", disable=not progress, leave=False) as bar:
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            began = time.perf_counter()
            tokens = generate_tokens(model, tokenizer, [prompts[index] for index in indices], max_new_tokens, stop)
            seconds = round((time.perf_counter() - began) / len(indices), 4)
            texts = tokenizer.batch_decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            for index, ids, text in zip(indices, tokens, texts, strict=True):
                text, mark, _ = text.partition(stop) if stop else (text, "", "")
                stopped = bool(mark) or len(ids) < max_new_tokens or ids[-1] == tokenizer.eos_token_id
                replies[index] = Reply(text, seconds, stopped)
            bar.update(len(indices))
    return [replies[index] for index in range(len(prompts))]


def generate_tokens(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    max_new_tokens: int,
    stop: str = "",
) -> list[list[int]]:
    """Greedy token ids for one batch of prompts; a reply that stopped by itself ends with its end token or ``stop``."""
    import torch

    batch = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(
            **batch.to(model.device),
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            **({"stop_strings": [stop], "tokenizer": tokenizer} if stop else {}),
            **GREEDY,
        )
    replies: list[list[int]] = output[:, batch["input_ids"].shape[1] :].tolist()
    for tokens in replies:
        while tokens and tokens[-1] == tokenizer.pad_token_id:
            tokens.pop()
    return replies
