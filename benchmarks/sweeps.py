"""Which matters more, the learning rate or the rank? A grid of both on the smoke profile's rows.

Every run takes the same number of steps with the profile's alpha; only rate and rank change. Optuna goes through the
grid and computes the share of the losses' variance that each setting explains. ``python -m benchmarks.sweeps --ray``
trains the same grid with Ray Tune (``uv pip install --constraint requirements/all.txt --editable .[sweep]``), which
spreads it over the machines of a cluster that share this folder.
"""

import logging
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.__main__ import write_result
from course_utils.artifacts import open_course, peak_memory_gib
from course_utils.data import prepare_dataset
from course_utils.figures import course_style, new_axes, show_logarithmic
from course_utils.files import PROJECT
from course_utils.models import load_tokenizer
from course_utils.setup import probe_machine
from course_utils.tasks import text_to_sql
from course_utils.training import TrainingData, tokenize_rows, train_sft

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATES = (4e-4, 1.3e-3, 4e-3, 1.3e-2, 4e-2)
RANKS = (1, 8, 64)
SEEDS = (0,)
GRID: dict[str, tuple[float, ...]] = {"learning_rate": RATES, "lora_rank": RANKS, "seed": SEEDS}
N_STEPS = 40
N_VALIDATION = 32
Trial = dict[str, float]
"""One run: a value for each name in ``GRID``, and ``loss``."""


def measure(*, on_ray: bool = False) -> dict[str, Any]:
    """Train every combination.

    Returns:
        The machine, each run's settings and validation loss at the end, and what either setting explains.
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

        def loss_of(settings: dict[str, Any]) -> float:
            with tempfile.TemporaryDirectory() as scratch:
                changed = replace(profile, **settings)
                return train_sft(changed, TrainingData(train, validation), Path(scratch) / "run").final_validation_loss

        trials = (_by_ray if on_ray else _by_optuna)(loss_of)
    return {
        "machine": asdict(probe_machine()),
        "n_steps": N_STEPS,
        "n_validation": len(held_out),
        "lora_alpha": profile.lora_alpha,
        "trials": trials,
        "explained": explained_shares(trials),
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


def _by_optuna(loss_of: Callable[[dict[str, Any]], float]) -> list[Trial]:
    """Every point of the grid in this process, one after another."""
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.GridSampler(GRID, seed=0))
    study.optimize(lambda trial: loss_of({name: trial.suggest_categorical(name, GRID[name]) for name in GRID}))
    return sorted(
        ({**trial.params, "loss": round(trial.value, 4)} for trial in study.trials if trial.value is not None),
        key=_place,
    )


def _by_ray(loss_of: Callable[[dict[str, Any]], float]) -> list[Trial]:
    """Every point of the grid on whatever machines Ray finds, as many at once as they have room for."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # telemetry
    from ray import tune

    space = {name: tune.grid_search(list(values)) for name, values in GRID.items()}
    kept = tune.RunConfig(storage_path=str(PROJECT / "artifacts" / "ray"))
    results = tune.Tuner(lambda settings: {"loss": loss_of(settings)}, param_space=space, run_config=kept).fit()
    if results.errors:
        raise results.errors[0]
    trials = [{name: result.config[name] for name in GRID} | {"loss": result.metrics["loss"]} for result in results]
    return sorted(({**trial, "loss": round(trial["loss"], 4)} for trial in trials), key=_place)


def _place(trial: Trial) -> tuple[float, ...]:
    return tuple(trial[name] for name in GRID)


def explained_shares(trials: list[Trial]) -> dict[str, float]:
    """Share of the variance of the logarithm of the loss that rate and rank explain, each from 0 to 1, together 1.

    By functional ANOVA over a random forest (Hutter et al. 2014), as Optuna computes it.
    """
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    names = ["learning_rate", "lora_rank"]
    values: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(sorted({trial[name] for trial in trials})) for name in names
    }
    study = optuna.create_study()
    for trial in trials:
        chosen = {name: trial[name] for name in names}
        study.add_trial(optuna.trial.create_trial(params=chosen, distributions=values, value=math.log(trial["loss"])))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator, params=names)
    return {name: round(float(shares[name]), 3) for name in names}


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
    axes.set(xlabel="learning rate", xscale="log", ylabel="loss (nats per token)")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    show_logarithmic(axes)
    axes.legend()
    return axes


def main(
    ray: Annotated[bool, typer.Option("--ray", help="Train by Ray Tune, on every machine of its cluster.")] = False,
) -> None:
    """Measure and write the result, as ``python -m benchmarks sweeps`` does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    write_result("sweeps", measure(on_ray=ray))


if __name__ == "__main__":
    typer.run(main)
