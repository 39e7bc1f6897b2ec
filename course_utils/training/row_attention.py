"""Attention over rows behind a shared prefix that computes no score which the mask of ``shared_prompts`` hides.

A dense mask over 16 rows hides two scores of three, and they are computed all the same. Here the prefix attends to
itself, and every row, as one of a batch, to the prefix and itself: the same numbers, to rounding.
"""

from typing import TYPE_CHECKING, Any

from course_utils.models.load import NARROW
from course_utils.training.shared_prompts import collate_shared

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NAME = "shared_prompt"
"""What Transformers calls this kind of attention."""


def use_row_attention(model: "PreTrainedModel") -> bool:
    """Let a model attend by rows; False, and nothing changed, where it takes no attention from outside or is narrow.

    In a narrow model the many small steps cost more than the scores that they save.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    takes_any = model.config._attn_implementation == "sdpa" and model._supports_attention_backend
    if not takes_any or model.config.hidden_size < NARROW:
        return False
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)
    return True


def collate_rows(batches: list[dict[str, list[int]]]) -> "dict[str, torch.Tensor]":
    """``collate_shared`` of one batch, and ``places`` of shape (rows, longest row): where tokens lie, -1 for none."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    rows = torch.tensor(batches[0]["row_ids"])
    places = [torch.nonzero(rows == number).flatten() for number in range(1, int(rows[-1]) + 1)]
    return collate_shared(batches) | {"places": pad_sequence(places, True, -1)}


def attend(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    places: "torch.Tensor | None" = None,
    **options: Any,
) -> "tuple[torch.Tensor, None]":
    """Attention for Transformers' interface: by SDPA and the mask where no ``places`` are given.

    ``query``, ``key`` and ``value`` are of shape (1, heads, length, width), with as many heads or fewer for the last
    two, ``places`` as ``collate_rows`` gives them; ``options`` hold ``scaling``, the factor of the scores.

    Returns:
        (1, length, heads, width), and no weights.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    if places is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)[0], None
    key, value = (repeat_kv(part, module.num_key_value_groups) for part in (key, value))
    is_token, scale = places.flatten() >= 0, options["scaling"]
    n_shared = query.shape[2] - int(is_token.sum())
    q, k, v = (part[:, :, :n_shared] for part in (query, key, value))
    prefix = scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)[0]

    # A place of -1 takes the last token: as a key it comes after all of its row, as a query it is dropped at the end.
    flat, (n_rows, longest) = places.flatten() % query.shape[2], places.shape
    heads = query.shape[1], n_rows, -1, query.shape[3]
    queries, *own = (part[0].index_select(1, flat).reshape(heads) for part in (query, key, value))
    keys, values = (torch.cat([part[0][:, None].expand(heads), row], 2) for part, row in zip((k, v), own, strict=True))
    later = torch.ones(longest, n_shared + longest, dtype=torch.bool, device=q.device).triu(n_shared + 1)
    weights = (queries @ keys.mT * scale).masked_fill(later, float("-inf")).softmax(-1).to(values.dtype)
    rows = (weights @ values).flatten(1, 2).index_select(1, is_token.nonzero().flatten())
    return torch.cat([prefix, rows.to(prefix.dtype)], 1).transpose(0, 1)[None], None
