"""Which matters more, the learning rate or the rank? A grid of both on the smoke profile's rows.

Every run takes the same number of steps; alpha stays at the profile's, and only rate and rank change.
"""

import json
import tempfile
from dataclasses import asdict, replace
from itertools import product
from statistics import fmean
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import open_course, peak_memory_gib
from course_utils.data import prepare_dataset
from course_utils.figures import course_style, new_axes
from course_utils.models import load_tokenizer
from course_utils.setup import probe_machine
from course_utils.tasks import text_to_sql
from course_utils.training import tokenize_rows, train_sft
from course_utils.training.history import show_losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATES = (4e-4, 1.3e-3, 4e-3, 1.3e-2, 4e-2)
RANKS = (1, 8, 64)
SEEDS = (0,)
N_STEPS = 40
N_VALIDATION = 32


def measure() -> dict[str, Any]:
    """Train every combination.

    Returns:
        The machine and, for each run, its settings and its validation loss at the end.
    """
    with tempfile.TemporaryDirectory() as folder:
        course = open_course("smoke", artifacts=folder)
        prepared = prepare_dataset(course, course.folder("data"))
        tokenizer, task = load_tokenizer(course.model), text_to_sql(prepared.schemas)
        held_out = prepared.validation[:: max(1, len(prepared.validation) // N_VALIDATION)]
        train, validation = (
            tokenize_rows(tokenizer, rows, task, course.profile.max_length) for rows in (prepared.train, held_out)
        )
        profile = replace(course.profile, max_steps=N_STEPS, n_evaluations=2, patience=None)
        trials = []
        for rate, rank, seed in product(RATES, RANKS, SEEDS):
            settings = replace(profile, learning_rate=rate, lora_rank=rank, seed=seed)
            loss = train_sft(settings, course.model, train, validation, course.root / "sweep").final_validation_loss
            trials.append({"learning_rate": rate, "lora_rank": rank, "seed": seed, "loss": round(loss, 4)})
    return {
        "benchmark": "sweeps",
        "machine": json.loads(json.dumps(asdict(probe_machine()), default=str)),
        "n_steps": N_STEPS,
        "n_validation": len(held_out),
        "lora_alpha": profile.lora_alpha,
        "trials": trials,
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Validation loss at the end by learning rate, one line a rank: means over seeds, on logarithmic axes."""
    trials = result["trials"]
    rates, ranks = (sorted({trial[name] for trial in trials}) for name in ("learning_rate", "lora_rank"))
    losses = {
        (rate, rank): fmean(t["loss"] for t in trials if (t["learning_rate"], t["lora_rank"]) == (rate, rank))
        for rate, rank in product(rates, ranks)
    }
    best_rate, best_rank = min(losses, key=lambda place: losses[place])
    spreads = [
        max(group) / min(group)
        for group in ([losses[rate, best_rank] for rate in rates], [losses[best_rate, rank] for rank in ranks])
    ]
    axes = new_axes("The rate changes the loss {:.2g}-fold; at the best rate, the rank {:.2g}-fold".format(*spreads))
    for number, rank in enumerate(ranks):
        axes.plot(rates, [losses[rate, rank] for rate in rates], "os^Dvx"[number % 6] + "-", label=f"rank {rank}")
    axes.set(xlabel="learning rate", xscale="log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    show_losses(axes)
    axes.legend()
    return axes
