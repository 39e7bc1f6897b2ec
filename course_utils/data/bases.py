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
    progress: str = "",
) -> dict[str, float]:
    """How well an untuned model already knows the gold queries of rows; nothing is generated.

    ``nats`` is the sum of -ln p(token | prompt, tokens before) over all tokens of all queries but the end token, which
    says more of the template than of the query. From it, lower is better:

    - ``perplexity`` = exp(nats / query tokens), from 1; comparable only under one tokenizer
    - ``bits_per_byte`` = nats / (ln 2 * query bytes in UTF-8), from 0; comparable between tokenizers, one of which may
      have longer and so fewer and more surprising tokens (Gao et al. 2020, arXiv 2101.00027)

    The rows are of the validation split, which is not trained on; ``schemas`` are rendered, by ``db_id``.
    ``progress`` labels a bar, none if empty.

    Raises:
        ConfigurationError: There are no rows.
        ModelError: The tokenizer's chat template does not fit (``prompts.encode_example``).
    """
    import torch
    from torch.nn.functional import cross_entropy
    from tqdm.auto import tqdm

    if not rows:
        raise ConfigurationError("there are no rows to measure a model with; give some of the validation split")
    began, nats, n_prompt_tokens, n_query_tokens = time.perf_counter(), 0.0, 0, 0
    for row in tqdm(rows, progress, unit="row", disable=not progress, leave=False):
        example = encode_example(tokenizer, to_messages(schemas[row["db_id"]], row["question"]), row["query"])
        n_prompt, end = example.completion_mask.index(1), len(example.input_ids)
        while example.input_ids[end - 1] in tokenizer.added_tokens_decoder:
            end -= 1  # what ends the turn
        ids = torch.tensor([example.input_ids[:end]], device=model.device)
        with torch.inference_mode():
            # The logits before a token are those that predict it.
            logits = model(ids, logits_to_keep=end - n_prompt + 1, use_cache=False).logits[0, :-1]
        nats += float(cross_entropy(logits.float(), ids[0, n_prompt:], reduction="sum"))
        n_prompt_tokens, n_query_tokens = n_prompt_tokens + n_prompt, n_query_tokens + end - n_prompt
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
