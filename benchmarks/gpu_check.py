"""``python -m benchmarks.gpu_check``: check the course on the GPU at hand, without network, in less than 8 minutes.

It trains a model of Llama-3.1-8B's shape with random weights in 4 bits, with Unsloth and with TRL; tunes a small real
model with TRL alone and with ``train_sft``, then on all of the course's rows, and evaluates it on the test rows; and
runs the code of notebooks 1 to 4 on few rows. Each part runs in its own process, so that a failed part frees its
memory. The result is ``benchmarks/gpu/<device>.json``.

``--rehearse`` does the same on a CPU with the tiny model, so that a rented minute is not spent on finding a typo.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.memory import llama_config, random_row, shape_of
from benchmarks.smoke_seeds import tune
from benchmarks.training_runs import step_seconds
from course_utils.artifacts import open_course, peak_memory_gib
from course_utils.data import prepare_dataset
from course_utils.files import PROJECT, read_json, write_json, writing
from course_utils.models import load_tokenizer
from course_utils.models.catalogue import ModelShape, known_models
from course_utils.profiles import PROFILES, Backend, Profile, get_profile
from course_utils.prompts import EncodedExample
from course_utils.setup import estimate_memory, probe_machine
from course_utils.setup.memory import Method
from course_utils.tasks import text_to_sql
from course_utils.training import TokenizedRows, TrainingData, tokenize_rows, train_sft
from course_utils.training.sft import train_here

TINY_BASE = PROJECT / "data" / "tiny_base"
LARGE = "meta-llama/Llama-3.1-8B-Instruct"
PART_S = {"large_unsloth": 110, "large_trl": 55, "small_trl": 75, "small": 40, "small_course": 80, "notebooks": 110}
"""Seconds after which a part is stopped; on an H200 the first four took 93, 44, 66 and 32."""
N_STEPS = 12
N_COMPARED = 960
"""Rows on which the small model is trained in two ways, to compare their losses."""


@dataclass(frozen=True)
class Sizes:
    """What is trained: on a GPU, or in a rehearsal."""

    small_model: str
    """Folder of a small real model."""
    small_profile: Profile
    profile: Profile
    large: ModelShape
    n_rows: int = 2
    n_tokens: int = 2048
    small_rows: int | None = None
    """Rows on which the small model is tuned; None for all."""


def sizes(weights: Path, *, rehearse: bool) -> Sizes:
    """The sizes of a check; a rehearsal's are those of ``smoke``."""
    if rehearse:
        smoke = get_profile("smoke")
        profile = replace(smoke, name="gpu_24gb", share_prompts=False, method="lora", min_steps=0)
        return Sizes(str(TINY_BASE), smoke, profile, shape_of("tiny base"), n_tokens=128, small_rows=64)
    profile = replace(get_profile("gpu_24gb"), learning_rate=1e-3)
    return Sizes(str(weights.resolve()), get_profile("laptop"), profile, known_models()[LARGE].shape)


def check(weights: Path, parts: list[str], *, rehearse: bool) -> dict[str, Any]:
    """Run the parts one after another, each in a process of its own; a failure is written down and stops nothing."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as shared:
        for part in parts:
            command = [sys.executable, "-m", "benchmarks.gpu_check", str(weights), "--in-process", part]
            command += ["--shared", shared, *(["--rehearse"] if rehearse else [])]
            limit_s = None if rehearse else PART_S[part]
            began = time.perf_counter()
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, cwd=PROJECT)
                failed = {"failed": done.stderr.splitlines()[-40:]}
                found[part] = failed if done.returncode else json.loads(done.stdout.splitlines()[-1])
            except subprocess.TimeoutExpired:
                found[part] = {"failed": [f"not done after {limit_s} seconds"]}
            found[part]["seconds"] = round(time.perf_counter() - began)
    return {"machine": asdict(probe_machine()), "rehearsal": rehearse, **found}


def large(check_sizes: Sizes, backend: Backend, shared: Path) -> dict[str, Any]:
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
    if not (model := shared / "model").is_dir():
        _write_random_model(shape, model)
    with step_seconds(_synchronized) as seconds:
        rows = [EncodedExample(*random_row(n, n_tokens, shape.vocab_size)) for n in range(n_rows * N_STEPS)]
        train, validation = TokenizedRows(rows, []), TokenizedRows(rows[:n_rows], [])
        # ``train_sft`` would run Unsloth in another process, but steps and memory are measured in this one.
        result = train_here(replace(profile, base_model=str(model)), TrainingData(train, validation), shared / backend)
    method: Method = "qlora" if profile.load_in_4bit else "lora"
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


def small(check_sizes: Sizes, shared: Path) -> dict[str, Any]:
    """Few rows by ``train_sft``: each schema is read once for the rows of a step, and each step is one graph."""
    return _compared(check_sizes, _on_all_lengths(check_sizes), shared / "few")


def small_course(check_sizes: Sizes, shared: Path) -> dict[str, Any]:
    """The profile of the small model on all of the course's rows, with the accuracy on the whole test."""
    few = check_sizes.small_rows
    profile = replace(_on_all_lengths(check_sizes), max_train_rows=few, max_test_rows=few, generation_batch_size=400)
    course = open_course(profile.name, "data", check_sizes.small_model, str(shared / "all"))
    course = replace(course, profile=profile)
    run = tune(course, prepare_dataset(course, course.folder("data")), course.folder("data"), seed=0)
    return {**run, "peak_gib": _peak_gib()}


def _on_all_lengths(check_sizes: Sizes) -> Profile:
    return replace(check_sizes.small_profile, difficulties=None, max_length=2048)


def small_trl(check_sizes: Sizes, shared: Path) -> dict[str, Any]:
    """The same few rows as TRL trains on them: each with its own prompt, activations computed twice."""
    return _compared(check_sizes, replace(_on_all_lengths(check_sizes), share_prompts=False), shared / "stock")


def _compared(check_sizes: Sizes, profile: Profile, folder: Path) -> dict[str, Any]:
    """Speed and last validation loss of one epoch over ``N_COMPARED`` rows, 16 a step."""
    few = min(N_COMPARED, check_sizes.small_rows or N_COMPARED)
    profile = replace(profile, max_train_rows=few, max_test_rows=8, min_steps=0, n_evaluations=1, patience=None)
    profile = replace(profile, batch_size=16, epochs=1.0)
    course = replace(open_course(profile.name, "data", check_sizes.small_model, str(folder)), profile=profile)
    prepared, tokenizer = prepare_dataset(course, course.folder("data")), load_tokenizer(course.model)
    train, validation = (
        tokenize_rows(tokenizer, rows, text_to_sql(prepared.schemas), profile.max_length)
        for rows in (prepared.train, prepared.validation[::4])
    )
    with step_seconds(_synchronized) as seconds:
        result = train_sft(profile, TrainingData(train, validation), folder / "adapter")
    speed = round(result.n_examples / result.n_steps / statistics.median(seconds), 1)
    return {"rows_per_s": speed, "n_steps": result.n_steps, "validation_loss": round(result.final_validation_loss, 4)}


def notebooks(check_sizes: Sizes, shared: Path) -> dict[str, Any]:
    """Run the code cells of notebooks 1 to 4 as one script each, which needs no kernel; says how long each takes.

    They run as they are, on the profile of the large model with few rows of data, steps and seconds for experiments.
    """
    few: dict[str, Any] = {"max_train_rows": 320, "max_test_rows": 48, "max_steps": 20, "experiment_s": 30.0}
    PROFILES[check_sizes.profile.name] = replace(check_sizes.profile, **few)
    chosen = {
        "PROFILE": check_sizes.profile.name,
        "MODEL": check_sizes.small_model,
        "ARTIFACTS": str(shared / "notebooks"),
    }
    seconds: dict[str, int | str] = {}
    for name in ("01_setup", "02_data", "03_training", "04_evaluation"):
        began = time.perf_counter()
        cells: dict[str, Any] = {"__name__": "__main__", "display": lambda *shown, **options: None}
        try:
            for source in _code_cells(PROJECT / "notebooks" / f"{name}.ipynb"):
                exec(compile(source, name, "exec"), cells)
                cells |= chosen if "PROFILE =" in source else {}
        except Exception:
            return {
                "notebook_seconds": seconds,
                "failed": [f"{name}: {source[:400]}", *traceback.format_exc().splitlines()[-20:]],
            }
        seconds[name] = round(time.perf_counter() - began)
    return {"notebook_seconds": seconds}


def _code_cells(notebook: Path) -> Iterator[str]:
    """The code of each cell, without IPython's own commands."""
    for cell in read_json(notebook)["cells"]:
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

    with writing(folder) as unfinished, torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        AutoModelForCausalLM.from_config(llama_config(shape), dtype=torch.bfloat16).save_pretrained(unfinished)
        load_tokenizer(TINY_BASE).save_pretrained(unfinished)
    if torch.cuda.is_available():  # the peak so far is that of the whole 16-bit model, not of the training
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def merge(before: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """What was found before with what is found now, but without notes on parts that were run again."""
    notes = [note for note in before.get("notes", []) if result.keys().isdisjoint(re.findall(r"\w+", note))]
    return before | {"notes": notes} | result


PARTS: dict[str, Callable[[Sizes, Path], dict[str, Any]]] = {
    "large_unsloth": lambda check_sizes, shared: large(check_sizes, "unsloth", shared),
    "large_trl": lambda check_sizes, shared: large(check_sizes, "trl", shared),
    "small_trl": small_trl,
    "small": small,
    "small_course": small_course,
    "notebooks": notebooks,
}


def main(
    weights: Annotated[Path, typer.Argument(help="Folder of a small real model, such as SmolLM2-135M-Instruct.")],
    parts: Annotated[
        list[str] | None,
        typer.Option("--only", help="Which parts; all by default. Others stay as they were found before."),
    ] = None,
    in_process: Annotated[str, typer.Option(help="Run one part here and print its result.", hidden=True)] = "",
    shared: Annotated[Path, typer.Option(help="What parts leave for each other.", hidden=True)] = Path(),
    rehearse: Annotated[bool, typer.Option(help="On a CPU, with the tiny model.")] = False,
) -> None:
    """Check the course on this machine's GPU, and write what was measured."""
    if in_process:
        typer.echo(json.dumps(PARTS[in_process](sizes(weights, rehearse=rehearse), shared)))
        return
    possible = [part for part in PARTS if not (rehearse and part == "large_unsloth")]
    if unknown := {*(parts or ())} - PARTS.keys():
        raise typer.BadParameter(f"no part {', '.join(unknown)}; choose from {', '.join(PARTS)}", param_hint="--only")
    if not rehearse and not probe_machine().gpus:
        raise typer.BadParameter("there is no GPU here; --rehearse does the same on a CPU", param_hint="this machine")
    if not rehearse and not (weights / "config.json").is_file():
        raise typer.BadParameter(f"{weights} holds no model: make gpu-check WEIGHTS=folder", param_hint="WEIGHTS")
    result = check(weights, parts or possible, rehearse=rehearse)
    if rehearse:
        typer.echo(json.dumps(result, indent=1))
    else:
        device = re.sub(r"\W+", "-", result["machine"]["gpus"][0]["name"].lower())
        path = PROJECT / "benchmarks" / "gpu" / f"{device}.json"
        before = read_json(path) if path.is_file() else {}
        typer.echo(write_json(path, merge(before, result)))
    raise typer.Exit(any("failed" in value for value in result.values() if isinstance(value, dict)))


if __name__ == "__main__":
    typer.run(main)
