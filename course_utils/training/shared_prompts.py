"""Read a prompt once for all the rows that share it.

Questions about one database repeat its schema, which is most of their tokens. Here rows with the same prefix lie
behind one copy of it::

    schema | question 1, query 1 | question 2, query 2 | ...

An attention mask lets each row see the shared prefix and itself, and position ids count as if each row stood alone,
so the losses are those of separate rows, to rounding. Any model of Transformers takes such a mask with SDPA
attention; backends with attention kernels of their own (Unsloth, FlashAttention) do not.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from course_utils.figures import course_style, new_axes
from course_utils.prompts import EncodedExample

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from matplotlib.axes import Axes

IGNORED = -100
"""The label that cross-entropy skips."""


@dataclass(frozen=True)
class SharedBatch:
    """Rows behind one shared prefix, as lists of one length: the number of tokens read."""

    input_ids: list[int]
    labels: list[int]
    position_ids: list[int]
    row_ids: list[int]
    """0 for the shared prefix, then 1, 2, ... for the rows."""


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
    return Dataset.from_list([vars(batch) for batch in batches])


def join_rows(rows: Sequence[EncodedExample]) -> SharedBatch:
    """Lay rows behind the tokens that all their prompts begin with; at least one prompt token stays with each row."""
    n_shared = min(row.completion_mask.index(1) for row in rows) - 1
    first = rows[0].input_ids
    n_shared = next((n for n in range(n_shared) if any(row.input_ids[n] != first[n] for row in rows)), n_shared)
    batch = SharedBatch(first[:n_shared], [IGNORED] * n_shared, list(range(n_shared)), [0] * n_shared)
    for number, row in enumerate(rows, 1):
        own, learned = row.input_ids[n_shared:], row.completion_mask[n_shared:]
        batch.input_ids.extend(own)
        batch.labels.extend(token if label else IGNORED for token, label in zip(own, learned, strict=True))
        batch.position_ids.extend(range(n_shared, len(row.input_ids)))
        batch.row_ids.extend([number] * len(own))
    return batch


def collate_shared(batches: "list[dict[str, list[int]]]") -> "dict[str, torch.Tensor]":
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
def plot_mask(batch: dict[str, Any]) -> "Axes":
    """Who sees whom in one batch of ``share_prompts``; black means "sees"."""
    mask = collate_shared([batch])["attention_mask"][0, 0]  # (length, length), True where a token is seen
    axes = new_axes("Rows see the schema and themselves", width=4.0, height=4.2)
    axes.imshow(~mask, cmap="gray", interpolation="none")
    axes.grid(visible=False)
    axes.set(xlabel="token that is seen", ylabel="token that sees")
    return axes
