"""Attention by plain matrix products on a CPU, for the batches and masks of ``shared_prompts``."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CHUNK = 192
"""Queries that attend together: enough for efficient products, few enough to leave out most keys of other rows."""


def use_chunks(model: Any) -> None:
    """Make a Transformers model attend by ``attend_in_chunks``; it passes masks of four dimensions on unchanged."""
    from transformers import AttentionInterface

    AttentionInterface.register(attend_in_chunks.__name__, attend_in_chunks)
    model.set_attn_implementation(attend_in_chunks.__name__)


def attend_in_chunks(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor",
    scaling: float,
    **_: object,
) -> "tuple[torch.Tensor, None]":
    r"""Attention :math:`\mathrm{softmax}(s Q K^\top) V` by plain products, for ``CHUNK`` queries at a time.

    On a CPU it is faster than PyTorch's kernel, in bfloat16 more than twice as fast, because a chunk reads only the
    keys that it sees: the shared prefix and its own rows. Transformers calls it with ``query``, ``key`` and ``value``
    of shape (1, heads, length, width), the last two with fewer heads under grouped-query attention, and a bool mask of
    shape (1, 1, length, length), in which each token sees itself. It returns (1, length, heads, width) and no weights.
    """
    import torch

    n_sharing = getattr(module, "num_key_value_groups", 1)  # query heads per key head
    keys, values = key[0].to(value.dtype), value[0]  # rotary embedding may have made queries and keys float32
    shape = (len(keys), n_sharing, -1, query.shape[-1])
    queries = query[0].to(value.dtype).reshape(shape)
    attended = []
    parts = _seen_by_chunks(attention_mask, value.dtype, n_sharing)
    for some, (spans, hidden) in zip(torch.split(queries, CHUNK, 2), parts, strict=True):
        seen_keys, seen_values = (torch.cat([part[:, span] for span in spans], 1) for part in (keys, values))
        unseen = hidden.expand(len(keys), -1, -1)
        scores = torch.baddbmm(unseen, some.flatten(1, 2), seen_keys.transpose(1, 2), alpha=scaling)
        attended.append((scores.softmax(-1) @ seen_values).reshape(shape))
    return torch.cat(attended, 2).flatten(0, 1).transpose(0, 1)[None], None


@lru_cache(maxsize=1)  # all layers of a pass get the same mask object, so only the first one computes this
def _seen_by_chunks(
    mask: "torch.Tensor", dtype: "torch.dtype", n_repeats: int
) -> "list[tuple[list[slice], torch.Tensor]]":
    """For each chunk of queries, the spans of keys that any of them sees, and a mask to add to their scores.

    The mask is 0 or minus infinity, of shape (n_repeats * queries, keys).
    """
    import torch

    parts = []
    for seen in torch.split(mask[0, 0], CHUNK):
        at = seen.any(0).nonzero().flatten()
        runs = at.tensor_split((at.diff() != 1).nonzero().flatten() + 1)
        hidden = torch.zeros(len(seen), len(at), dtype=dtype).masked_fill_(~seen[:, at], -torch.inf)
        parts.append(([slice(int(run[0]), int(run[-1]) + 1) for run in runs], hidden.repeat(n_repeats, 1)))
    return parts
