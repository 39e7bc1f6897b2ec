"""Read a prompt once for all the rows that share it.

Questions about one database repeat its schema, which is most of their tokens. Here rows with the same prefix follow
one copy of it::

    schema | question 1, query 1 | question 2, query 2 | ...

An attention mask lets each row see the shared prefix and itself, and position ids count as if each row stood alone,
so the losses equal those of separate rows, up to rounding. This needs a Transformers model in which tokens interact by
attention alone, with SDPA attention or that of ``attention``; backends with their own kernels (Unsloth,
FlashAttention) do not accept such masks.
"""

from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from course_utils.models.load import attends_only
from course_utils.prompts import EncodedExample

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

Batch = dict[str, list[int]]
"""Rows after one shared prefix: for each token one of ``input_ids``, ``labels``, ``position_ids`` and ``row_ids``,
which are 0 for the shared prefix and then 1, 2, ... for the rows."""
IGNORED = -100
"""The label that cross-entropy skips."""
_PADDING = {"input_ids": 0, "labels": IGNORED, "position_ids": 0, "row_ids": -1}


def can_share(model: Any, max_length: int) -> bool:
    """Whether a mask can separate rows: tokens meet by attention alone, and any window holds ``max_length`` tokens.

    Attention with ALiBi (Bloom) takes no mask of four dimensions, nor does the loss that balances a mixture of experts.
    """
    settings = model.config.get_text_config()
    window, has_experts = getattr(settings, "sliding_window", None), hasattr(settings, "output_router_logits")
    takes_mask = model._supports_sdpa and not has_experts
    return takes_mask and attends_only(model) and (window or max_length) >= max_length


def share_prompts(examples: Sequence[EncodedExample], size: int, seed: int = 0) -> "Dataset":
    """Batches of at most ``size`` rows with the same prefix, as a dataset with one batch per item.

    The batches of one prefix differ in size by one row at most; ``seed`` decides which rows share a batch.
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
    """Put rows after the tokens that all their prompts begin with; each row keeps at least one prompt token."""
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


def collate_shared(batches: list[Batch], length_step: int = 1) -> "dict[str, torch.Tensor]":
    """Tensors for the trainer, of the only batch in the list, padded to a multiple of ``length_step`` tokens.

    Returns:
        ``input_ids``, ``labels`` and ``position_ids`` of shape (1, length), int64, and ``attention_mask`` of shape
        (1, 1, length, length), bool: True where the token of the row may see that of the column.
    """
    import torch

    (batch,) = batches
    n_padding = -len(batch["row_ids"]) % length_step
    padded = {name: torch.tensor([values + [_PADDING[name]] * n_padding]) for name, values in batch.items()}
    rows = padded.pop("row_ids")[0]
    seen = ((rows[:, None] == rows) | (rows == 0)).tril()
    return padded | {"attention_mask": seen[None, None]}


def count_labels(batches: "Dataset") -> int:
    """The number of tokens with a label in shared batches, as ``label_loss`` counts them."""
    return sum(label != IGNORED for labels in batches["labels"] for label in labels[1:])


def label_loss(
    model: Any, batch: "dict[str, torch.Tensor]", n_labels: "torch.Tensor | float | None" = None
) -> "torch.Tensor":
    """Mean cross-entropy of one batch in nats, with logits only where the next token has a label, a third of all.

    It is faster than TRL's loss, which computes the logits twice, in chunks, and their entropy and accuracy too. The
    sum is divided by ``n_labels``, for a mean over several batches, or by the batch's own labels if that is None.
    """
    from torch.nn.functional import cross_entropy

    labels = batch["labels"][0, 1:]
    at = (labels != IGNORED).nonzero().flatten()
    inputs = {name: part for name, part in batch.items() if name != "labels"}
    logits = model(**inputs, logits_to_keep=at, use_cache=False).logits.squeeze(0)  # [0] would copy all in its backward
    total = cross_entropy(logits.float(), labels[at], reduction="sum")
    return total / (max(1, len(at)) if n_labels is None else n_labels)
