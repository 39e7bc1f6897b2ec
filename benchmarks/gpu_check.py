"""``python -m benchmarks.gpu_check``: what the course does on the GPU at hand, with no network, in under eight minutes.

It trains a model of Llama-3.1-8B's shape with random weights in 4 bits, by Unsloth and by TRL; tunes a small real model
on all of the course's rows and asks it the test; and runs the code of notebooks 2, 3 and 4. Each part is a process
of its own, so that one that fails leaves the others their memory. The result is ``benchmarks/gpu/<device>.json``.

``--rehearse`` does the same on a CPU with the tiny model, so that a rented minute is not spent on finding a typo.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.memory import llama_config, random_row, shape_of
from benchmarks.smoke_seeds import tune
from benchmarks.training import step_seconds
from course_utils.artifacts import PROJECT, open_course, peak_memory_gib, write_json
from course_utils.data import prepare_dataset
from course_utils.models import load_tokenizer
from course_utils.models.catalogue import ModelShape, known_models
from course_utils.profiles import Backend, Profile, get_profile
from course_utils.prompts import EncodedExample
from course_utils.setup import estimate_memory, probe_machine
from course_utils.training import TokenizedRows, train_sft

TINY_BASE = PROJECT / "data" / "tiny_base"
LARGE = "meta-llama/Llama-3.1-8B-Instruct"
PART_S = {"large_unsloth": 150, "large_trl": 150, "small": 150, "notebooks": 200}
"""Seconds after which a part is stopped."""
N_STEPS = 12


@dataclass(frozen=True)
class Sizes:
    """What is trained: on a GPU, or in a rehearsal."""

    small_model: str
    """Folder of a small real model."""
    profile: Profile
    large: ModelShape
    n_rows: int = 2
    n_tokens: int = 2048
    small_rows: int | None = None
    """Rows on which the small model is tuned; None for all."""


def sizes(weights: Path, *, rehearse: bool) -> Sizes:
    """The sizes of a check; a rehearsal's are those of ``smoke``."""
    if rehearse:
        profile = replace(get_profile("smoke"), share_prompts=False, method="lora")
        return Sizes(str(TINY_BASE), profile, shape_of("tiny base"), n_tokens=128, small_rows=64)
    shape = known_models()[LARGE].shape
    return Sizes(str(weights.resolve()), replace(get_profile("gpu_24gb"), learning_rate=1e-3), shape)


def check(weights: Path, parts: list[str], *, rehearse: bool) -> dict[str, Any]:
    """Run the parts one after another, each in a process of its own; a failure is written down and stops nothing."""
    found: dict[str, Any] = {}
    for part in parts:
        command = [sys.executable, "-m", "benchmarks.gpu_check", str(weights), "--in-process", part]
        began = time.perf_counter()
        try:
            done = subprocess.run(
                [*command, *(["--rehearse"] if rehearse else [])],
                capture_output=True,
                text=True,
                timeout=None if rehearse else PART_S[part],
                cwd=PROJECT,
            )
            failed = {"failed": done.stderr.splitlines()[-20:]}
            found[part] = failed if done.returncode else json.loads(done.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            found[part] = {"failed": [f"not done after {PART_S[part]} seconds"]}
        found[part]["seconds"] = round(time.perf_counter() - began)
    return {"machine": json.loads(json.dumps(asdict(probe_machine()), default=str)), "rehearsal": rehearse, **found}


def large(check_sizes: Sizes, backend: Backend) -> dict[str, Any]:
    """QLoRA of a large model with random weights: speed, memory beside its estimate, and the first losses."""
    n_rows, n_tokens, shape = check_sizes.n_rows, check_sizes.n_tokens, check_sizes.large
    profile = replace(
        check_sizes.profile,
        backend=backend,
        batch_size=n_rows,
        gradient_accumulation=1,
        max_length=n_tokens,
        max_steps=N_STEPS,
        n_evaluations=1,
        patience=None,
    )
    with tempfile.TemporaryDirectory() as folder, step_seconds(_synchronized) as seconds:
        _write_random_model(shape, Path(folder) / "model")
        rows = [EncodedExample(*random_row(n, n_tokens, shape.vocab_size)) for n in range(n_rows * N_STEPS)]
        train, validation = TokenizedRows(rows, []), TokenizedRows(rows[:n_rows], [])
        result = train_sft(profile, Path(folder) / "model", train, validation, Path(folder) / "adapter")
    method = "qlora_4bit" if profile.load_in_4bit else "lora"
    estimate = estimate_memory(
        shape.n_parameters,
        method,
        shape=shape,
        rank=profile.lora_rank,
        batch_size=n_rows,
        n_tokens=n_tokens,
        offloads=backend == "unsloth",
        on_cpu=not profile.n_gpus,
        gradient_checkpointing=bool(profile.n_gpus),
    )
    return {
        "tokens_per_s": round(n_rows * n_tokens / statistics.median(seconds[len(seconds) // 2 :])),
        "first_losses": [round(record["loss"], 4) for record in result.history if "loss" in record][:2],
        "peak_gib": _peak_gib(),
        "estimated_gib": round(estimate.total_gib, 2),
    }


def small(check_sizes: Sizes) -> dict[str, Any]:
    """LoRA of a small real model on all of the course's rows: speed, final loss and accuracy on the whole test."""
    profile = replace(
        check_sizes.profile,
        method="lora",
        difficulties=None,
        sample="",
        max_train_rows=check_sizes.small_rows,
        max_test_rows=check_sizes.small_rows,
        epochs=1.0,
        n_evaluations=1,
        batch_size=16,
        gradient_accumulation=1,
        generation_batch_size=64,
    )
    with tempfile.TemporaryDirectory() as folder, step_seconds(_synchronized) as seconds:
        course = replace(open_course(profile.name, "data", check_sizes.small_model, folder), profile=profile)
        prepared = prepare_dataset(course, course.folder("data"))
        run = tune(course, prepared, course.folder("data"), seed=0)
    return {
        **run,
        "rows_per_s": round(profile.effective_batch_size / statistics.median(seconds), 1),
        "peak_gib": _peak_gib(),
    }


def notebooks(check_sizes: Sizes) -> dict[str, Any]:
    """Run the code cells of notebooks 2 to 4 as one script each, which needs no kernel; says how long each takes."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        chosen = {"PROFILE": check_sizes.profile.name, "MODEL": check_sizes.small_model, "ARTIFACTS": folder}
        for name in ("02_data", "03_training", "04_evaluation"):
            began = time.perf_counter()
            cells: dict[str, Any] = {"__name__": "__main__", "display": lambda *shown, **options: None}
            for source in _code_cells(PROJECT / "notebooks" / f"{name}.ipynb"):
                exec(compile(source, name, "exec"), cells)
                cells |= chosen if "PROFILE =" in source else {}
            seconds[name] = round(time.perf_counter() - began)
    return {"notebook_seconds": seconds}


def _code_cells(notebook: Path) -> Iterator[str]:
    """The code of each cell, without IPython's own commands."""
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield re.sub(r"(?m)^(\s*)[!%].*", r"\1pass", "".join(cell["source"]))


def _synchronized() -> float:
    """Seconds of the wall's clock, once the GPU has done what it was told."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak_gib() -> float:
    """Peak memory in GiB: what tensors took of the GPU, or the whole process without one."""
    import torch

    return round(torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else peak_memory_gib(), 2)


def _write_random_model(shape: ModelShape, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        AutoModelForCausalLM.from_config(llama_config(shape), dtype=torch.bfloat16).save_pretrained(folder)
    load_tokenizer(TINY_BASE).save_pretrained(folder)


PARTS: dict[str, Callable[[Sizes], dict[str, Any]]] = {
    "large_unsloth": lambda check_sizes: large(check_sizes, "unsloth"),
    "large_trl": lambda check_sizes: large(check_sizes, "trl"),
    "small": small,
    "notebooks": notebooks,
}


def main(
    weights: Annotated[Path, typer.Argument(help="Folder of a small real model, such as SmolLM2-135M-Instruct.")],
    parts: Annotated[list[str] | None, typer.Option("--only", help="Which parts; all by default.")] = None,
    in_process: Annotated[str, typer.Option(help="Run one part here and print its result.", hidden=True)] = "",
    rehearse: Annotated[bool, typer.Option(help="On a CPU, with the tiny model.")] = False,
) -> None:
    """Check the course on this machine's GPU, and write what was measured."""
    if in_process:
        typer.echo(json.dumps(PARTS[in_process](sizes(weights, rehearse=rehearse))))
        return
    possible = [part for part in PARTS if not (rehearse and part == "large_unsloth")]
    if not rehearse and not probe_machine().gpus:
        raise typer.BadParameter("there is no GPU here; --rehearse does the same on a CPU", param_hint="this machine")
    if not rehearse and not (weights / "config.json").is_file():
        raise typer.BadParameter(f"{weights} holds no model: make gpu-check WEIGHTS=folder", param_hint="WEIGHTS")
    result = check(weights, parts or possible, rehearse=rehearse)
    if rehearse:
        typer.echo(json.dumps(result, indent=1))
    else:
        device = re.sub(r"\W+", "-", result["machine"]["gpus"][0]["name"].lower())
        typer.echo(write_json(PROJECT / "benchmarks" / "gpu" / f"{device}.json", result))
    raise typer.Exit(any("failed" in value for value in result.values() if isinstance(value, dict)))


if __name__ == "__main__":
    typer.run(main)
