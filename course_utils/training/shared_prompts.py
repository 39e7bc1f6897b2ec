"""Read a prompt once for all the rows that share it.

Questions about one database repeat its schema, which is most of their tokens. Here rows with the same prefix lie
behind one copy of it::

    schema | question 1, query 1 | question 2, query 2 | ...

An attention mask lets each row see the shared prefix and itself, and position ids count as if each row stood alone,
so the losses are those of separate rows, to rounding. Models of Transformers whose tokens meet by attention alone take
such a mask with SDPA attention, or that of ``attention`` on a CPU; backends with kernels of their own (Unsloth,
FlashAttention) do not.
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
"""Rows behind one shared prefix: ``input_ids``, ``labels`` and ``position_ids``, one of each a token that is read, and
``row_ids``: 0 for the shared prefix, then 1, 2, ... for the rows."""
IGNORED = -100
"""The label that cross-entropy skips."""
_PADDING = {"input_ids": 0, "labels": IGNORED, "position_ids": 0, "row_ids": -1}


def can_share(model: Any, max_length: int) -> bool:
    """Whether a mask keeps the rows of a batch apart in a model, and no window is shorter than they may be."""
    window = getattr(model.config.get_text_config(), "sliding_window", None)
    return attends_only(model) and (window or max_length) >= max_length


def share_prompts(examples: Sequence[EncodedExample], size: int, seed: int = 0) -> "Dataset":
    """Batches of ``size`` rows at most with the same prefix, as a dataset with one batch a row.

    The batches of one prefix differ by one row at most; ``seed`` says which rows come together.
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


def collate_shared(batches: list[Batch], length_step: int = 1) -> "dict[str, torch.Tensor]":
    """Tensors of the one batch that the list holds, as the trainer takes them, padded to a multiple of ``length_step``.

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
    """How many tokens of shared batches ``label_loss`` looks at."""
    return sum(label != IGNORED for labels in batches["labels"] for label in labels[1:])


def label_loss(
    model: Any, batch: "dict[str, torch.Tensor]", n_labels: "torch.Tensor | float | None" = None
) -> "torch.Tensor":
    """Cross-entropy of one batch, with logits only where the next token has a label: a third of the places, or fewer.

    TRL computes them in chunks, twice, and with the entropy and accuracy of each. ``n_labels`` divides the sum, for a
    mean over several batches; None stands for the batch's own labels.
    """
    from torch.nn.functional import cross_entropy

    labels = batch["labels"][0, 1:]
    at = (labels != IGNORED).nonzero().flatten()
    inputs = {name: part for name, part in batch.items() if name != "labels"}
    logits = model(**inputs, logits_to_keep=at, use_cache=False).logits[0]
    total = cross_entropy(logits.float(), labels[at], reduction="sum")
    return total / (max(1, len(at)) if n_labels is None else n_labels)
