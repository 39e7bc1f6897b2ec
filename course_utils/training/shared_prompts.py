"""Read a prompt once for all the rows that share it.

Questions about one database repeat its schema, which is most of their tokens. Here rows with the same prefix lie
behind one copy of it::

    schema | question 1, query 1 | question 2, query 2 | ...

An attention mask lets each row see the shared prefix and itself, and position ids count as if each row stood alone,
so the losses are those of separate rows, to rounding. Any model of Transformers takes such a mask with SDPA
attention; backends with attention kernels of their own (Unsloth, FlashAttention) do not.

A dense mask over 16 rows hides two scores of three, and they are computed all the same. ``attend`` computes no other
than those that count: the prefix attends to itself, and every row, as one of a batch, to the prefix and itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from course_utils.figures import course_style, new_axes
from course_utils.models.load import NARROW
from course_utils.prompts import EncodedExample

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from matplotlib.axes import Axes
    from transformers import PreTrainedModel

Batch = dict[str, list[int]]
"""Rows behind one shared prefix: ``input_ids``, ``labels`` and ``position_ids``, one of each a token that is read, and
``row_ids``: 0 for the shared prefix, then 1, 2, ... for the rows."""
IGNORED = -100
"""The label that cross-entropy skips."""


def share_prompts(examples: Sequence[EncodedExample], size: int, seed: int = 0) -> "Dataset":
    """Batches of about ``size`` rows with the same prefix, as a dataset with one batch a row.

    Args:
        examples: Encoded rows.
        size: Rows of a batch at most; the batches of one prefix differ by one row at most.
        seed: Which rows come together.
    """
    from datasets import Dataset

    by_prefix: dict[str, list[EncodedExample]] = defaultdict(list)
    for example in examples:
        by_prefix[example.shared_prefix].append(example)
    rng = Random(seed)
    batches = []
    for rows in by_prefix.values():
        rng.shuffle(rows)
        n_batches = -(-len(rows) // size)
        batches += [join_rows(rows[start::n_batches]) for start in range(n_batches)]
    return Dataset.from_list(batches)


def join_rows(rows: Sequence[EncodedExample]) -> Batch:
    """Lay rows behind the tokens that all their prompts begin with; at least one prompt token stays with each row."""
    n_shared = min(row.completion_mask.index(1) for row in rows) - 1
    first = rows[0].input_ids
    n_shared = next((n for n in range(n_shared) if any(row.input_ids[n] != first[n] for row in rows)), n_shared)
    batch = {"input_ids": first[:n_shared], "labels": [IGNORED] * n_shared}
    batch |= {"position_ids": list(range(n_shared)), "row_ids": [0] * n_shared}
    for number, row in enumerate(rows, 1):
        own, learned = row.input_ids[n_shared:], row.completion_mask[n_shared:]
        batch["input_ids"] += own
        batch["labels"] += [token if label else IGNORED for token, label in zip(own, learned, strict=True)]
        batch["position_ids"] += range(n_shared, len(row.input_ids))
        batch["row_ids"] += [number] * len(own)
    return batch


def collate_shared(batches: list[Batch]) -> "dict[str, torch.Tensor]":
    """Tensors of several batches, padded on the right.

    Returns:
        ``input_ids``, ``labels`` and ``position_ids`` of shape (batches, length), int64, and ``attention_mask`` of
        shape (batches, 1, length, length), bool: True where the token of the row may see that of the column.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def padded(name: str, filler: int) -> torch.Tensor:
        return pad_sequence([torch.tensor(batch[name]) for batch in batches], True, filler)

    rows = padded("row_ids", -1)
    same_row = (rows[:, :, None] == rows[:, None, :]) | (rows[:, None, :] == 0)
    causal = torch.ones(rows.shape[1], rows.shape[1], dtype=torch.bool).tril()
    return {
        "input_ids": padded("input_ids", 0),
        "labels": padded("labels", IGNORED),
        "position_ids": padded("position_ids", 0),
        "attention_mask": (same_row & causal)[:, None],
    }


def label_loss(model: Any, batch: "dict[str, torch.Tensor]", n_labels: "torch.Tensor | None" = None) -> "torch.Tensor":
    """Cross-entropy of one batch, with logits only where the next token has a label: a third of the places, or fewer.

    TRL computes them in chunks, twice, and with the entropy and accuracy of each.

    Args:
        model: One that takes ``logits_to_keep``, as causal models of Transformers do.
        batch: As ``collate_shared`` makes it of one.
        n_labels: By what the sum is divided, for a mean over several batches; None for the batch's own labels.
    """
    from torch.nn.functional import cross_entropy

    labels = batch["labels"][0, 1:]
    at = (labels != IGNORED).nonzero().flatten()
    inputs = {name: part for name, part in batch.items() if name != "labels"}
    logits = model(**inputs, logits_to_keep=at, use_cache=False).logits[0]
    total = cross_entropy(logits.float(), labels[at], reduction="sum")
    return total / (max(1, len(at)) if n_labels is None else n_labels)


@course_style
def plot_mask(batch: Batch) -> "Axes":
    """Who sees whom in one batch of ``share_prompts``; black means "sees"."""
    mask = collate_shared([batch])["attention_mask"][0, 0]  # (length, length), True where a token is seen
    axes = new_axes("Rows see the schema and themselves", width=4.0, height=4.2)
    axes.imshow(~mask, cmap="gray", interpolation="none")
    axes.grid(visible=False)
    axes.set(xlabel="token that is seen", ylabel="token that sees")
    return axes


def use_row_attention(model: "PreTrainedModel") -> bool:
    """Let a model attend by rows; False, and nothing changed, where it takes no attention from outside or is narrow.

    In a narrow model the many small steps cost more than the scores that they save.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    name, takes_any = "shared_prompt", model.config._attn_implementation == "sdpa" and model._supports_attention_backend
    if not takes_any or model.config.hidden_size < NARROW:
        return False
    AttentionInterface.register(name, attend)
    AttentionMaskInterface.register(name, sdpa_mask)
    model.set_attn_implementation(name)
    return True


def collate_rows(batches: list[Batch]) -> "dict[str, torch.Tensor]":
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
