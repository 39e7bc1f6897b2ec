"""Greedy generation on a CPU in a third of the time, for there every token of a batch costs some.

What neighbours begin with in common, such as a schema, is read once, and a reply that has ended leaves the batch.
It loads PyTorch and Transformers, so import it where it is used.
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
"""Tokens that are made room for at a time."""
PACK_GIB = 2.0
"""Weights of a model that are packed, at most, for they are held twice meanwhile."""


def generate_on_cpu(
    model: Any, tokenizer: Any, prompts: list[list[int]], max_new_tokens: int, stop: str
) -> list[list[int]]:
    """What ``generate_tokens`` says, by a model on a CPU."""
    set_threads()
    prefixes, owners = share_prefixes(prompts)
    rests = [prompt[len(prefixes[owner]) :] for prompt, owner in zip(prompts, owners, strict=True)]
    window = getattr(model.config.get_text_config(), "sliding_window", None)
    if window and max(map(len, prefixes)) + max(map(len, rests)) + max_new_tokens > window:
        # A window counts places: padding between a prefix and what follows would make it narrower.
        prefixes, owners = [prompt[:-1] for prompt in prompts], [*range(len(prompts))]
        rests = [prompt[-1:] for prompt in prompts]
    ends = find_end_tokens(model, tokenizer)
    replies: list[list[int]] = [[] for _ in prompts]
    ranked, order = (sorted(range(len(part)), key=lambda n: -len(part[n])) for part in (prefixes, rests))
    going, texts = [replies[place] for place in order], [rests[place] for place in order]
    kept = [ranked.index(owners[place]) for place in order]
    with grouped_attention(model), packed_products(model):
        batch = _Batch(model, tokenizer, len(prefixes))
        if any(prefixes):  # not where each prompt is one token
            batch.read([prefixes[place] for place in ranked])
        for _ in range(max_new_tokens):
            batch.keep(kept)
            for reply, token in zip(going, batch.read(texts), strict=True):
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


class _Batch:
    """Rows, and what the model has read of each: keys and values, and a mask (n_rows, length) of what is no padding."""

    def __init__(self, model: Any, tokenizer: Any, n_rows: int) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._cache = Cache(layer_class_to_replicate=RoomyLayer)
        self._mask = torch.empty(n_rows, 0, dtype=torch.long)

    def keep(self, places: list[int]) -> None:
        """Let the rows be those at these places, in this order; they may repeat."""
        if places != [*range(len(self._mask))]:
            self._cache.batch_select_indices(torch.tensor(places))
            self._mask = self._mask[places]

    def read(self, texts: list[list[int]]) -> list[int]:
        """Read a further text of each row, the longest best first, and say the most likely next tokens.

        Texts end together, and no pass reads the rows below the last that has begun.
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
    """One layer's keys and values, (rows, heads, tokens, width) each, at the front of tensors that have room for more.

    Transformers' own layer copies all that it holds at every token, and again where a reply leaves the batch: together
    a third of the time on a CPU. Here a step writes its own token, and only rows that change places are copied.
    """

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Add the keys and values of further tokens of the first rows, and return all of theirs."""
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
        """Let the rows be those at ``indices``, in this order; they may repeat."""
        self._make_room(len(indices), 0)
        if len(moved := (indices != torch.arange(len(indices))).nonzero().flatten()):
            for room in self._rooms:
                room[moved] = room[indices[moved]]
        self._show(len(indices), self.keys.shape[2])

    def _make_room(self, n_rows: int, n_new: int) -> None:
        """Room for so many rows and further tokens: zeros, for a mask hides no NaN of memory that others have left."""
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
    """Let query heads that share keys and values (GQA) be queries of one head, where a row has one new token.

    Transformers copies keys and values for each of these heads, and on a CPU a step takes half as long again for it.
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
    """Let oneDNN multiply by a float32 model's matrices, in an order of its own, where the processor is an x86.

    PyTorch leaves these products to MKL, which on some processors takes up to four times as long for the few rows of a
    step, and a batch of replies 1.6 times as long (``benchmarks/laptop.md``). The two differ by rounding.
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
