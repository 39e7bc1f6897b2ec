"""Greedy replies in batches."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GREEDY = {
    "do_sample": False,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "temperature": None,
    "top_p": None,
    "top_k": None,
    "min_p": None,
}
"""The most likely token at each step, whatever sampling or penalty a model's own settings ask for."""


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
            texts: Iterable[str] = tokenizer.batch_decode(
                tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            for index, text in zip(indices, texts, strict=True):
                replies[index] = text
            bar.update(len(indices))
    return replies


def generate_tokens(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", prompts: list[list[int]], max_new_tokens: int
) -> list[list[int]]:
    """Greedy token ids for one batch of prompts; a reply that stopped by itself ends with its end token."""
    import torch

    batch = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(
            **batch.to(model.device),
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            **GREEDY,
        )
    new_tokens = output[:, batch["input_ids"].shape[1] :].tolist()
    return [_strip_padding(tokens, tokenizer.pad_token_id) for tokens in new_tokens]


def _strip_padding(tokens: list[int], pad: int | None) -> list[int]:
    end = len(tokens)
    while end and tokens[end - 1] == pad:
        end -= 1
    return tokens[:end]
