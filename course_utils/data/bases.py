"""Which model to start from: what one's own rows say of it."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_utils.errors import ConfigurationError
from course_utils.prompts import encode_example, to_messages

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def measure_base(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Mapping[str, Any]],
    schemas: Mapping[str, str],
    *,
    batch_size: int = 8,
    progress: str = "",
) -> dict[str, float]:
    """How well an untuned model already knows the gold queries of rows; nothing is generated.

    ``nats`` is the sum of -ln p(token | prompt, tokens before) over all tokens of all queries but the end token, which
    says more of the template than of the query. From it, lower is better:

    - ``perplexity`` = exp(nats / query tokens), from 1; comparable only under one tokenizer
    - ``bits_per_byte`` = nats / (ln 2 * query bytes in UTF-8), from 0; comparable between tokenizers, one of which may
      have longer and so fewer and more surprising tokens (Gao et al. 2020, arXiv 2101.00027)

    The rows are of the validation split, which is not trained on; ``schemas`` are rendered, by ``db_id``.
    ``batch_size`` rows share a forward pass, and ``progress`` labels a bar, none if empty.

    Raises:
        ConfigurationError: There are no rows, or ``batch_size`` is below 1.
        ModelError: The tokenizer's chat template does not fit (``prompts.encode_example``).
    """
    from tqdm.auto import tqdm

    if not rows or batch_size < 1:
        raise ConfigurationError(f"{len(rows)} rows in batches of {batch_size}: both must be at least 1")
    encoded = [_split(tokenizer, row, schemas[row["db_id"]]) for row in rows]
    encoded.sort(key=lambda pair: len(pair[0]) + len(pair[1]))  # like lengths share a batch
    began, nats = time.perf_counter(), 0.0
    with tqdm(total=len(rows), desc=progress, unit="row", disable=not progress, leave=False) as bar:
        for start in range(0, len(encoded), batch_size):
            batch = encoded[start : start + batch_size]
            nats += _batch_nats(model, tokenizer, batch)
            bar.update(len(batch))
    n_prompt_tokens, n_query_tokens = (sum(map(len, parts)) for parts in zip(*encoded, strict=True))
    n_query_bytes = sum(len(str(row["query"]).strip().encode()) for row in rows)
    measured = {
        "n_rows": len(rows),
        "n_prompt_tokens": n_prompt_tokens,
        "n_query_tokens": n_query_tokens,
        "n_query_bytes": n_query_bytes,
        "nats": nats,
        "seconds": time.perf_counter() - began,
        "perplexity": math.exp(nats / n_query_tokens),
        "bits_per_byte": nats / math.log(2) / n_query_bytes,
        "tokens_per_prompt": n_prompt_tokens / len(rows),
        "tokens_per_query": n_query_tokens / len(rows),
    }
    return {name: round(value, 4) for name, value in measured.items()}


def _split(tokenizer: "PreTrainedTokenizerBase", row: Mapping[str, Any], schema: str) -> tuple[list[int], list[int]]:
    """Token ids of the prompt and of the query, without what ends the turn."""
    example = encode_example(tokenizer, to_messages(schema, row["question"]), row["query"])
    n_prompt, end = example.completion_mask.index(1), len(example.input_ids)
    while example.input_ids[end - 1] in tokenizer.added_tokens_decoder:
        end -= 1
    return example.input_ids[:n_prompt], example.input_ids[n_prompt:end]


def _batch_nats(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", batch: list[tuple[list[int], list[int]]]
) -> float:
    import torch
    from torch.nn.functional import cross_entropy

    # Padded on the left all queries end together, so that the vocabulary head, the largest matrix of a small
    # model, is computed for the last tokens only.
    inputs = tokenizer.pad({"input_ids": [p + q for p, q in batch]}, padding_side="left", return_tensors="pt")
    inputs = inputs.to(model.device)
    positions = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)  # (batch, length)
    n_kept = 1 + max(len(query) for _, query in batch)
    with torch.inference_mode():
        logits = model(**inputs, position_ids=positions, logits_to_keep=n_kept, use_cache=False).logits
    nats = 0.0
    for kept, (_, query) in zip(logits, batch, strict=True):  # kept: (n_kept, vocabulary)
        targets = torch.tensor(query, device=model.device)
        # The logits before a token are those that predict it.
        nats += float(cross_entropy(kept[-len(query) - 1 : -1].float(), targets, reduction="sum"))
    return nats
