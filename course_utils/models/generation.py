"""Greedy replies in batches, and how long they took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

READ_AT_ONCE = 8_192
"""Tokens of prompts that a CPU reads in one forward pass: more would take more memory and save no time."""
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

    Prompts that are alike share a batch of ``batch_size``, padded on the left; a reply has ``max_new_tokens`` at most,
    and ends before ``stop`` if that is given and comes. ``progress`` labels a bar, none if empty.
    """
    from tqdm.auto import tqdm

    is_shared = model.device.type == "cpu"  # there, prompts that begin alike save more than those of one length
    order = sorted(range(len(prompts)), key=lambda index: prompts[index] if is_shared else [len(prompts[index])])
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

    with torch.inference_mode():
        if model.device.type == "cpu":
            with _grouped_attention(model):
                return _generate_on_cpu(model, tokenizer, prompts, max_new_tokens, stop)
        batch = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
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


def _generate_on_cpu(
    model: Any, tokenizer: "PreTrainedTokenizerBase", prompts: list[list[int]], max_new_tokens: int, stop: str
) -> list[list[int]]:
    """The same in half of the time, for on a CPU every token of a batch costs some.

    What neighbours begin with in common, such as a schema, is read once, and a reply that has ended leaves the batch.
    """
    import torch
    from transformers import Cache

    from course_utils.models.kv_cache import RoomyLayer

    def read(texts: list[list[int]], mask: Any) -> tuple[Any, Any]:
        """The most likely next tokens, and the mask (n_rows, length) of what the cache holds with these texts."""
        batch = tokenizer.pad({"input_ids": texts}, padding_side="left", return_tensors="pt")
        ids, begin = batch["input_ids"], mask.shape[1]
        mask = torch.cat([mask, batch["attention_mask"]], dim=1)
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, begin:]
        step = max(1, READ_AT_ONCE // len(ids))
        for start in range(0, ids.shape[1], step):
            part = slice(start, start + step)
            inputs = {"input_ids": ids[:, part], "position_ids": places[:, part]}
            seen = mask[:, : begin + start + inputs["input_ids"].shape[1]]
            output = model(**inputs, attention_mask=seen, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return output.logits[:, -1].argmax(dim=-1).tolist(), mask

    cache = Cache(layer_class_to_replicate=RoomyLayer)
    prefixes, owners = _share_prefixes(prompts)
    _, mask = read(prefixes, torch.empty(len(prefixes), 0, dtype=torch.long))
    kept, texts = owners, [prompt[len(prefixes[owner]) :] for prompt, owner in zip(prompts, owners, strict=True)]
    ends = {tokenizer.eos_token_id, *torch.tensor(model.generation_config.eos_token_id).flatten().tolist()}
    replies: list[list[int]] = [[] for _ in prompts]
    going = replies
    for _ in range(max_new_tokens):
        if kept != [*range(len(mask))]:
            cache.batch_select_indices(torch.tensor(kept))
            mask = mask[kept]
        tokens, mask = read(texts, mask)
        for reply, token in zip(going, tokens, strict=True):
            reply.append(token)
        ended = [reply[-1] in ends or bool(stop and stop in tokenizer.decode(reply)) for reply in going]
        n_left = ended.count(False)
        last = [place for place in range(n_left, len(ended)) if not ended[place]]
        kept = [last.pop() if ended[place] else place for place in range(n_left)]  # few rows change their place
        going = [going[place] for place in kept]
        texts = [reply[-1:] for reply in going]
        if not going:
            break
    return replies


@contextmanager
def _grouped_attention(model: Any) -> Iterator[None]:
    """Let query heads that share keys and values (GQA) be queries of one head, where a row has one new token.

    Transformers copies keys and values for each of these heads, and on a CPU a step takes half as long again for it.
    """
    from torch.nn.functional import scaled_dot_product_attention
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    def attend(module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: Any = None, **options: Any) -> Any:
        n_rows, n_heads, n_queries, width = query.shape
        if n_queries > 1:
            return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **options)
        grouped = query.reshape(n_rows, key.shape[1], -1, width)
        output = scaled_dot_product_attention(grouped, key, value, attn_mask=mask, scale=scaling)
        return output.reshape(n_rows, 1, n_heads, width), None

    before = model.config._attn_implementation
    AttentionInterface.register("grouped_sdpa", attend)
    AttentionMaskInterface.register("grouped_sdpa", sdpa_mask)
    model.set_attn_implementation("grouped_sdpa" if before == "sdpa" else before)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _share_prefixes(prompts: list[list[int]]) -> tuple[list[list[int]], list[int]]:
    """Prefixes that neighbours share, more than a quarter of a prompt and never all, and which each prompt has.

    A schema before three examples is less than a half; the instruction before another schema is less than a quarter.
    """
    prefixes: list[list[int]] = []
    owners = []
    for prompt in prompts:
        last = prefixes[-1] if prefixes else []
        n_shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(last, prompt[:-1], strict=False)))
        if 4 * n_shared > len(prompt):
            prefixes[-1] = last[:n_shared]
        else:
            prefixes.append(prompt[:-1])
        owners.append(len(prefixes) - 1)
    return prefixes, owners
