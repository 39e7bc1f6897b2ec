"""Attention by plain products on a CPU, for batches whose mask ``shared_prompts`` makes."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CHUNK = 192
"""Queries that attend together: so many that products are long, so few that most keys of other rows are left out."""


def use_chunks(model: Any) -> None:
    """Let a model of Transformers, which takes masks of four dimensions as they are, attend by ``attend_in_chunks``."""
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

    On a CPU that is faster than PyTorch's kernel, in bfloat16 more than twice: it reads only those keys that a chunk
    sees: the shared prefix and its own rows. Transformers calls it, with one batch: (1, heads, length, width) each, and
    a bool mask (1, 1, length, length) that lets each token see itself; it gives (1, length, heads, width), no weights.
    """
    import torch

    n_sharing = getattr(module, "num_key_value_groups", 1)  # heads of queries for one of keys
    keys, values = key[0].to(value.dtype), value[0]  # rotated in float32 where products are narrower
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


@lru_cache(maxsize=1)  # all layers get the same tensor, by which it is found again
def _seen_by_chunks(
    mask: "torch.Tensor", dtype: "torch.dtype", n_repeats: int
) -> "list[tuple[list[slice], torch.Tensor]]":
    """For each chunk of queries the spans of keys that any of them sees, and what hides from one those of another.

    That is 0 or minus infinity, of shape (n_repeats * queries, keys), to be added to the scores.
    """
    import torch

    parts = []
    for seen in torch.split(mask[0, 0], CHUNK):
        at = seen.any(0).nonzero().flatten()
        runs = at.tensor_split((at.diff() != 1).nonzero().flatten() + 1)
        hidden = torch.zeros(len(seen), len(at), dtype=dtype).masked_fill_(~seen[:, at], -torch.inf)
        parts.append(([slice(int(run[0]), int(run[-1]) + 1) for run in runs], hidden.repeat(n_repeats, 1)))
    return parts
