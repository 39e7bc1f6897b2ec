"""Greedy generation on a CPU in a third of the time that Transformers takes.

On a CPU every token of a batch costs time. So a prefix that neighbouring prompts share, such as a schema, is computed
once, and a reply that has ended leaves the batch. The module imports PyTorch and Transformers: import it late.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, Cache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from course_utils.models.generation import READ_AT_ONCE, find_end_tokens
from course_utils.models.load import set_threads

ROOM = 256
"""Tokens by which the cache grows at a time."""
PACK_GIB = 2.0
"""Largest model whose weights are packed, because packing holds them in memory twice."""


def generate_on_cpu(
    model: Any, tokenizer: Any, prompts: list[list[int]], max_new_tokens: int, stop: str
) -> list[list[int]]:
    """``generate_tokens`` for a model on a CPU, with the same arguments and result."""
    set_threads()
    prefixes, owners = share_prefixes(prompts)
    rests = [prompt[len(prefixes[owner]) :] for prompt, owner in zip(prompts, owners, strict=True)]
    window = getattr(model.config.get_text_config(), "sliding_window", None)
    if window and max(map(len, prefixes)) + max(map(len, rests)) + max_new_tokens > window:
        # A sliding window counts positions, so padding between a prefix and the rest would use some of it up.
        prefixes, owners = [prompt[:-1] for prompt in prompts], [*range(len(prompts))]
        rests = [prompt[-1:] for prompt in prompts]
    ends = find_end_tokens(model, tokenizer)
    replies: list[list[int]] = [[] for _ in prompts]
    ranked, order = (sorted(range(len(part)), key=lambda n: -len(part[n])) for part in (prefixes, rests))
    going, texts = [replies[place] for place in order], [rests[place] for place in order]
    kept = [ranked.index(owners[place]) for place in order]
    with grouped_attention(model), packed_products(model):
        batch = _Batch(model, tokenizer, len(prefixes))
        if any(prefixes):  # all are empty if each prompt is one token
            batch.read([prefixes[place] for place in ranked])
        for _ in range(max_new_tokens):
            batch.keep(kept)
            for reply, token in zip(going, batch.read(texts), strict=True):
                reply.append(token)
            ended = [reply[-1] in ends or bool(stop and stop in tokenizer.decode(reply)) for reply in going]
            n_left = ended.count(False)
            last = [place for place in range(n_left, len(ended)) if not ended[place]]
            kept = [last.pop() if ended[place] else place for place in range(n_left)]  # moves as few rows as possible
            going = [going[place] for place in kept]
            texts = [reply[-1:] for reply in going]
            if not going:
                break
    return replies


class _Batch:
    """The rows of a batch: their cache of keys and values, and an attention mask (n_rows, length), 0 on padding."""

    def __init__(self, model: Any, tokenizer: Any, n_rows: int) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._cache = Cache(layer_class_to_replicate=RoomyLayer)
        self._mask = torch.empty(n_rows, 0, dtype=torch.long)

    def keep(self, places: list[int]) -> None:
        """Select the rows at ``places``, in this order; a row may repeat."""
        if places != [*range(len(self._mask))]:
            self._cache.batch_select_indices(torch.tensor(places))
            self._mask = self._mask[places]

    def read(self, texts: list[list[int]]) -> list[int]:
        """Append one text (token ids) to each row, and return the most likely next token of each.

        Texts are padded on the left. They should be sorted from the longest, because each forward pass skips the rows
        after the last row whose text has begun.
        """
        batch = self._tokenizer.pad({"input_ids": texts}, padding_side="left", return_tensors="pt")
        ids, begin = batch["input_ids"], self._mask.shape[1]
        self._mask = torch.cat([self._mask, batch["attention_mask"]], dim=1)
        positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)[:, begin:]
        step = max(1, READ_AT_ONCE // len(ids))
        for start in range(0, ids.shape[1], step):
            end = min(start + step, ids.shape[1])
            n_rows = max(place for place, text in enumerate(texts, 1) if len(text) >= ids.shape[1] - end)
            inputs = {"input_ids": ids[:n_rows, start:end], "position_ids": positions[:n_rows, start:end]}
            inputs["attention_mask"] = self._mask[:n_rows, : begin + end]
            output = self._model(**inputs, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        return list(output.logits[:, -1].argmax(dim=-1).tolist())


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, each (rows, heads, tokens, width), as views of tensors with room for more tokens.

    Transformers' layer copies its whole content at every token, and when a reply leaves the batch: a third of the time
    on a CPU. Here a step writes only its own token, and only rows that change places are copied.
    """

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Append keys and values of new tokens to the first ``len(key_states)`` rows, and return all of those rows."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
            self._rooms = [self.keys, self.values]
        n_rows, _, n_new, _ = key_states.shape
        begin, end = self.keys.shape[2], self.keys.shape[2] + n_new
        self._make_room(n_rows, n_new)
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[:n_rows, :, begin:end] = states
        self._show(n_rows, end)
        return self.keys, self.values

    def batch_select_indices(self, indices: Any) -> None:
        """Select the rows at ``indices``, in this order; a row may repeat."""
        self._make_room(len(indices), 0)
        if len(moved := (indices != torch.arange(len(indices))).nonzero().flatten()):
            for room in self._rooms:
                room[moved] = room[indices[moved]]
        self._show(len(indices), self.keys.shape[2])

    def _make_room(self, n_rows: int, n_new: int) -> None:
        """Grow the tensors for ``n_rows`` rows and ``n_new`` tokens, with zeros: a mask does not hide a stale NaN."""
        n_tokens, (n_held, _, n_fit, _) = self.keys.shape[2], self._rooms[0].shape
        if n_rows > n_held or n_tokens + n_new > n_fit:
            for number, held in enumerate(self._rooms):
                shape = (max(n_rows, n_held), held.shape[1], n_tokens + n_new + ROOM, held.shape[3])
                self._rooms[number] = held.new_zeros(shape)
                self._rooms[number][:n_held, :, :n_tokens] = held[:, :, :n_tokens]

    def _show(self, n_rows: int, n_tokens: int) -> None:
        self.keys, self.values = (room[:n_rows, :, :n_tokens] for room in self._rooms)


@contextmanager
def grouped_attention(model: Any) -> Iterator[None]:
    """Within the block, compute grouped-query attention (GQA) of one new token without copying keys and values.

    Query heads that share keys and values become several queries of one head. Transformers copies keys and values for
    each query head, which takes half as long again per step on a CPU.
    """

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


@contextmanager
def packed_products(model: Any) -> Iterator[None]:
    """Within the block, let oneDNN compute a float32 model's linear layers, with weights packed in its own order.

    Only on x86 and up to ``PACK_GIB``. PyTorch would use MKL, which on some processors takes up to four times as long
    for the few rows of a step, and 1.6 times as long for a batch of replies (``benchmarks/laptop.md``). Results differ
    by rounding only.
    """
    layers: list[Any] = [module for module in model.modules() if type(module) is torch.nn.Linear]
    fits = model.get_memory_footprint() <= PACK_GIB * 2**30 and model.dtype == torch.float32
    if not (fits and platform.machine() in ("x86_64", "AMD64") and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        layers = []
    for layer in layers:
        packed = {"W": torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach()), "B": layer.bias}
        layer.forward = partial(torch.ops.mkldnn._linear_pointwise, **packed, attr="none", scalars=[], algorithm="")
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def share_prefixes(prompts: list[list[int]]) -> tuple[list[list[int]], list[int]]:
    """Find prefixes that neighbouring prompts share; return them, and for each prompt the index of its prefix.

    A shared prefix is more than a quarter of a prompt and never all of it. A schema before three examples is less than
    half of a prompt; the instruction alone, before another schema, is less than a quarter.
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
