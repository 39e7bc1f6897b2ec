"""Is the memory estimate right? Peak memory of short trainings on a CPU, against ``setup.estimate_memory``.

Models of three shapes are trained for a few steps with TRL, as in ``train_sft``: all weights, by LoRA and by QLoRA
(only on Linux, for which alone bitsandbytes is locked). Weights are random, because they do not affect memory.
Each training runs in its own process, whose peak includes Python and the libraries. One training runs again with an
allocator that returns every large block to the system, which separates what training needs from what C's allocator
keeps.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import peak_memory_gib
from course_utils.figures import course_style, new_axes
from course_utils.files import PROJECT
from course_utils.models.catalogue import ModelShape, find_shape, known_models
from course_utils.setup import estimate_memory, probe_machine
from course_utils.setup.memory import Method

if TYPE_CHECKING:
    from datasets import Dataset
    from matplotlib.axes import Axes
    from transformers import LlamaConfig, PreTrainedModel

logger = logging.getLogger(__name__)
SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
SIZES = ("tiny base", "between", "SmolLM2-135M")
ROWS = {"tiny base": (4, 512), "between": (2, 256), "SmolLM2-135M": (2, 256)}
"""Rows in a batch and tokens of each."""
METHODS: tuple[Method, ...] = ("full", "lora", "qlora")
N_STEPS = 4
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""C's allocator then maps every block from 64 KiB on by itself, and unmaps it when it is freed."""


def shape_of(size: str) -> ModelShape:
    """The dimensions of one of ``SIZES``."""
    if size == "between":
        return ModelShape(512, 12, 1408, 8, 4, 64, 32_000, tied_embeddings=True)
    shape = find_shape(str(PROJECT / "data" / "tiny_base")) if size == "tiny base" else known_models()[SMOLLM2].shape
    assert shape is not None
    return shape


def measure() -> dict[str, Any]:
    """Train each size by each method; returns peaks in GiB beside the estimates, and the largest error."""
    methods = [method for method in METHODS if method != "qlora" or find_spec("bitsandbytes")]
    runs = [_run(size, method) for size in SIZES for method in methods]
    return {
        "machine": asdict(probe_machine()),
        "n_steps": N_STEPS,
        "runs": runs,
        "largest_error": max((run["error"] for run in runs), key=abs),
        "giving_back": _run("between", "lora", GIVE_BACK),
    }


def _run(size: str, method: Method, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """One training in a fresh process."""
    n_rows, n_tokens = ROWS[size]
    shape = shape_of(size)
    command = [sys.executable, "-m", "benchmarks.memory", size, method]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if done.returncode:
        raise RuntimeError(f"{size} by {method}: {done.stderr[-2000:]}")
    measured = json.loads(done.stdout.splitlines()[-1])
    sizes: dict[str, Any] = {"batch_size": n_rows, "n_tokens": n_tokens, "gradient_checkpointing": False}
    estimate = estimate_memory(shape.n_parameters, method, shape=shape, **sizes, on_cpu=True)
    run = {
        "size": size,
        "method": method,
        "n_parameters": shape.n_parameters,
        "shape": asdict(shape),
        "batch_size": n_rows,
        "n_tokens": n_tokens,
        **measured,
        "estimated_gib": round(estimate.total_gib, 3),
        "error": round(estimate.total_gib / measured["peak_gib"] - 1, 3),
        "parts_gb": {name: round(value, 4) for name, value in asdict(estimate).items() if name != "method"},
    }
    logger.info("%s", run)
    return run


def _train(size: str, method: Method) -> dict[str, float]:
    """What a training of a few steps takes at its peak, and what the process took before it loaded the model."""
    import peft
    import psutil
    from trl import SFTConfig, SFTTrainer

    from course_utils.models import load_tokenizer

    shape, (n_rows, n_tokens) = shape_of(size), ROWS[size]
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = load_tokenizer(str(PROJECT / "data" / "tiny_base"))
        subprocess.run([sys.executable, "-m", "benchmarks.memory", size, folder], check=True, capture_output=True)
        before = psutil.Process().memory_info().rss / 2**30
        model = _load(folder, method)
        if method != "full":
            adapter = peft.LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
            model = peft.get_peft_model(model, adapter)
        settings: dict[str, Any] = {"save_strategy": "no", "report_to": "none", "use_cpu": True, "bf16": False}
        settings |= {"completion_only_loss": True, "disable_tqdm": True, "dataloader_pin_memory": False}
        arguments = SFTConfig(
            folder,
            max_length=n_tokens,
            per_device_train_batch_size=n_rows,
            max_steps=N_STEPS,
            gradient_checkpointing=False,
            **settings,
        )
        rows = _rows(n_rows * N_STEPS, n_tokens, shape.vocab_size)
        SFTTrainer(model, args=arguments, train_dataset=rows, processing_class=tokenizer).train()
    return {"before_gib": round(before, 3), "peak_gib": round(peak_memory_gib(), 3)}


def _load(folder: str, method: Method) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quantised = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    options = {"quantization_config": quantised} if method == "qlora" else {}
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, device_map="cpu", **options)


def _rows(n: int, n_tokens: int, vocab_size: int) -> "Dataset":
    """Rows of any tokens, whose last quarter is learned."""
    from datasets import Dataset

    ids, masks = zip(*(random_row(number, n_tokens, vocab_size) for number in range(n)), strict=True)
    return Dataset.from_dict({"input_ids": ids, "completion_mask": masks})


def random_row(number: int, n_tokens: int, vocab_size: int) -> tuple[list[int], list[int]]:
    """Token ids without meaning, and a mask by which their last quarter is learned."""
    n_learned = n_tokens // 4
    ids = [(7 * number + 11 * place) % vocab_size for place in range(n_tokens)]
    return ids, [0] * (n_tokens - n_learned) + [1] * n_learned


def llama_config(shape: ModelShape) -> "LlamaConfig":
    """Transformers' configuration of a model of this shape."""
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.n_layers,
        intermediate_size=shape.intermediate_size,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_kv_heads,
        vocab_size=shape.vocab_size,
        tie_word_embeddings=shape.tied_embeddings,
    )


def _write_model(size: str, folder: str) -> None:
    """A model with random weights, made in a process of its own so that the measured one never holds it twice."""
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_config(llama_config(shape_of(size))).save_pretrained(folder)


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Measured and estimated peak of each run."""
    runs = result["runs"]
    title = f"The estimate is at most {abs(result['largest_error']):.0%} off the measured peak"
    axes = new_axes(title, height=1.5 + 0.35 * len(runs))
    for place, (key, name, hatch) in enumerate((("peak_gib", "measured", ""), ("estimated_gib", "estimated", "//"))):
        places = [number + 0.38 * place for number in range(len(runs))]
        axes.barh(places, [run[key] for run in runs], 0.36, hatch=hatch, label=name)
    axes.set_yticks([number + 0.19 for number in range(len(runs))], [f"{r['size']}, {r['method']}" for r in runs])
    axes.invert_yaxis()
    axes.set_xlabel("peak memory of the process (GiB)")
    axes.legend()
    return axes


if __name__ == "__main__":
    if sys.argv[2] in METHODS:
        sys.stdout.write(f"{json.dumps(_train(sys.argv[1], sys.argv[2]))}\n")
    else:
        _write_model(sys.argv[1], sys.argv[2])
