"""What makes training fast on a CPU? TRL's stock ``SFTTrainer`` against ``train_sft``, one improvement at a time.

All runs take the same steps over the same rows in the same order, with the same initial adapter, optimizer and
schedule. Times are processor seconds per step, which other programs on the machine affect little.
"""

import logging
import statistics
import tempfile
import textwrap
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

from course_utils.artifacts import open_course, peak_memory_gib
from course_utils.data import prepare_dataset
from course_utils.figures import course_style, new_axes
from course_utils.models import load_model, load_tokenizer
from course_utils.models.load import Choice
from course_utils.profiles import Profile
from course_utils.setup import probe_machine
from course_utils.tasks import text_to_sql
from course_utils.training import (
    TokenizedRows,
    adapter_config,
    backends,
    reply_loss,
    sft,
    tokenize_rows,
    trainer,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
SIZES = (("smoke", 8, 24), ("laptop", 8, 6), ("laptop", 16, 6))
"""Profile, rows a step and steps: as the profiles have it, and more rows behind one schema."""
N_VALIDATION = 32
RUNS = (
    "TRL's SFTTrainer as it comes: bfloat16 by autocast, activations computed twice",
    "TRL's SFTTrainer in float32",
    "train_sft, which keeps the activations, in float32",
    "and reads a schema once for the rows of a step",
    "and computes logits at labels alone, and once",
    "and attends by plain products, in chunks",
    "and multiplies in bfloat16, where the machine is faster in it",
)
"""Each run of ``train_sft`` has one thing more than the one before."""
NOTES = Path(__file__).with_suffix(".md")


def measure(sizes: tuple[tuple[str, int, int], ...] = SIZES) -> dict[str, Any]:
    """Train on each profile's model, stock first and then with one gain more each time; write ``training.md``.

    Returns:
        The machine and, for each of ``sizes``, the runs with their seconds a step and last validation loss.
    """
    machine = asdict(probe_machine())
    profiles = {f"{name}, {n_rows} rows a step": _measure(name, n_rows, n_steps) for name, n_rows, n_steps in sizes}
    result = {
        "machine": machine,
        "profiles": profiles,
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }
    NOTES.write_text(to_markdown(result), "utf-8")
    return result


def _measure(name: str, n_rows: int, n_steps: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, _in_order():
        course = open_course(name, artifacts=folder)
        prepared, tokenizer = prepare_dataset(course, course.folder("data")), load_tokenizer(course.model)
        changes = {"max_steps": n_steps, "n_evaluations": 1, "patience": None, "loraplus_ratio": 1.0}
        profile = replace(course.profile, batch_size=n_rows, **changes)
        rows, schemas = _groups(prepared.train, prepared.schemas, profile.batch_size, n_steps)
        train = tokenize_rows(tokenizer, rows, text_to_sql(schemas), profile.max_length)
        held_out = prepared.validation[:: max(1, len(prepared.validation) // N_VALIDATION)]
        validation = tokenize_rows(tokenizer, held_out, text_to_sql(prepared.schemas), profile.max_length)
        runs = {}
        for number, label in enumerate(RUNS):
            with step_seconds() as seconds:
                adapter = (_ours if number > 1 else _stock)(profile, course.model, train, Path(folder) / "run", number)
            loss = reply_loss(load_model(course.model, adapter=adapter), validation)
            runs[label] = {"s_per_step": round(statistics.median(seconds), 3), "validation_loss": round(loss, 4)}
            logger.info("%s: %s: %s", name, label, runs[label])
    return {"n_steps": n_steps, "runs": runs}


def _groups(
    rows: list[dict[str, Any]], schemas: dict[str, str], size: int, n: int
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """``n`` groups of ``size`` rows, each with a schema of its own, so that ``train_sft`` makes the same groups."""
    by_database: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_database[row["db_id"]].append(row)
    whole = [of[at : at + size] for of in by_database.values() for at in range(0, len(of) - size + 1, size)]
    chosen = Random(0).sample(whole, n)
    numbered = {f"group {k}": f"{schemas[group[0]['db_id']]}\n-- {k}" for k, group in enumerate(chosen)}
    return [row | {"db_id": f"group {k}"} for k, group in enumerate(chosen) for row in group], numbered


def _stock(profile: Profile, model: str, train: TokenizedRows, folder: Path, number: int) -> Path:
    from peft import get_peft_model
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    base, n_steps = load_model(model), profile.max_steps or 0
    set_seed(profile.seed)
    settings = SFTConfig(
        output_dir=str(folder),
        use_cpu=True,
        bf16=number == 0,
        per_device_train_batch_size=profile.batch_size,
        max_steps=n_steps,
        learning_rate=profile.learning_rate,
        warmup_steps=min(profile.warmup_steps, max(1, n_steps // 10)),
        max_length=profile.max_length,
        completion_only_loss=True,
        train_sampling_strategy="sequential",
        save_strategy="no",
        report_to="none",
        seed=profile.seed,
    )
    stock = SFTTrainer(
        model=get_peft_model(base, adapter_config(profile, base.config.num_hidden_layers)),
        args=settings,
        train_dataset=train.to_dataset().remove_columns("length"),
        processing_class=load_tokenizer(model),
    )
    stock.train()
    stock.save_model(str(folder))
    return folder


def _ours(profile: Profile, model: str, train: TokenizedRows, folder: Path, number: int) -> Path:
    plain = mock.Mock(return_value=Choice("float32", "for comparison"))
    with ExitStack() as stack:
        if number < 6:
            stack.enter_context(mock.patch.object(backends, "choose_product_dtype", plain))
        if number < 5:
            stack.enter_context(mock.patch.object(trainer, "use_chunks"))
        if number < 4:
            stack.enter_context(mock.patch.dict(trainer._SHARED, loss_type="chunked_nll"))
        few = replace(train, examples=train.examples[:1])  # validation is not timed, so one row is enough
        return sft.train_sft(replace(profile, share_prompts=number >= 3), model, train, few, folder).adapter


@contextmanager
def _in_order() -> Iterator[None]:
    """Let ``train_sft`` take rows in the order that they have."""
    order = {"train_sampling_strategy": "sequential"}
    with mock.patch.dict(trainer._SHARED, order), mock.patch.dict(trainer._SEPARATE, order):
        yield


@contextmanager
def step_seconds(clock: Callable[[], float] = time.process_time) -> Iterator[list[float]]:
    """A list that fills with the seconds between optimizer steps, of processor time if no other clock is given."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    ends: list[float] = []
    seconds: list[float] = []

    def note(*_: object) -> None:
        ends.append(clock())
        seconds.extend([ends[-1] - ends[-2]] if ends[1:] else [])

    hook = register_optimizer_step_post_hook(note)
    try:
        yield seconds
    finally:
        hook.remove()


def to_markdown(result: dict[str, Any]) -> str:
    """One table a profile, one line a gain."""
    machine = result["machine"]
    lines = ["# What makes training fast on a CPU", ""]
    lines += [
        "Written by `python -m benchmarks training`, which says how it is measured. Seconds are of processor time.",
        "",
    ]
    lines += [f"Machine: {machine['cpu']}, {machine['n_cores']} cores.", ""]
    for name, found in result["profiles"].items():
        runs = found["runs"]
        stock, before = (next(iter(runs.values()))["s_per_step"] for _ in range(2))
        lines += [f"## {name}, {found['n_steps']} steps", ""]
        lines += [
            "| run | s/step | gain over the line above | times stock | validation loss |",
            "|---|---|---|---|---|",
        ]
        for label, run in runs.items():
            s = run["s_per_step"]
            gain, times = before / s, stock / s
            lines.append(f"| {label} | {s:.2f} | {gain:.2f} | {times:.1f} | {run['validation_loss']:.4f} |")
            before = s
        lines.append("")
    return "\n".join(lines)


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """How many times as fast as stock each run is, one line a profile."""
    axes = new_axes("Each gain on the way from stock to train_sft", width=8.0)
    for number, (name, found) in enumerate(result["profiles"].items()):
        seconds = [run["s_per_step"] for run in found["runs"].values()]
        axes.plot([seconds[0] / s for s in seconds], range(len(seconds)), "os^"[number] + "-", label=name)
    axes.set_yticks(range(len(RUNS)), [textwrap.fill(label, 34) for label in RUNS])
    axes.invert_yaxis()
    axes.set(xlabel="times as fast as stock")
    axes.legend(loc="upper right")
    return axes
