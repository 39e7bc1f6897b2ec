from itertools import product
from pathlib import Path

import pytest

from benchmarks import sweeps
from benchmarks.sweeps import RANKS, RATES, SEEDS, _by_optuna, _by_ray, explained_shares, plot


def test_the_plot_has_a_line_for_each_rank_over_all_rates() -> None:
    trials = [
        {"learning_rate": rate, "lora_rank": rank, "seed": seed, "loss": 1e-3 / rate + seed}
        for rate in RATES
        for rank in RANKS
        for seed in SEEDS
    ]
    axes = plot({"trials": trials})
    assert [line.get_label() for line in axes.lines] == [f"rank {rank}" for rank in RANKS]
    assert all(list(line.get_xdata()) == sorted(RATES) for line in axes.lines)


def test_the_title_compares_means_over_seeds_at_the_best_rate_and_rank() -> None:
    losses = {(1e-4, 2): (3.0, 5.0), (1e-4, 8): (2.0, 2.0), (1e-3, 2): (0.9, 0.7), (1e-3, 8): (0.4, 0.4)}
    trials = [
        {"learning_rate": rate, "lora_rank": rank, "seed": seed, "loss": loss}
        for (rate, rank), pair in losses.items()
        for seed, loss in enumerate(pair)
    ]
    axes = plot({"trials": trials})
    title = axes.figure.get_suptitle().replace("\n", " ")
    assert title == "The rate changes the loss 5-fold; at the best rate, the rank 2-fold"
    assert list(axes.lines[0].get_ydata()) == [4.0, 0.8]


def test_the_share_that_is_explained_is_that_of_the_setting_that_changes_the_loss() -> None:
    trials = [{"learning_rate": rate, "lora_rank": rank, "loss": 1e-3 / rate} for rate in RATES for rank in RANKS]
    assert explained_shares(trials)["learning_rate"] > 0.95
    turned = [{"learning_rate": rate, "lora_rank": rank, "loss": 1.0 / rank} for rate in RATES for rank in RANKS]
    assert explained_shares(turned)["lora_rank"] > 0.95


def test_optuna_tries_every_point_of_the_grid_once() -> None:
    trials = _by_optuna(lambda settings: settings["learning_rate"] * settings["lora_rank"])
    assert [(trial["learning_rate"], trial["lora_rank"]) for trial in trials] == list(product(RATES, RANKS))
    assert all(trial["loss"] == round(trial["learning_rate"] * trial["lora_rank"], 4) for trial in trials)


def test_ray_gives_what_optuna_gives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="the extra sweep is in no lock that tests install")
    monkeypatch.setattr(sweeps, "GRID", {"learning_rate": (4e-4, 4e-3), "lora_rank": (8,), "seed": (0,)})
    monkeypatch.setattr(sweeps, "PROJECT", tmp_path)
    try:
        trials = _by_ray(lambda settings: settings["learning_rate"] * settings["lora_rank"])
    finally:
        ray.shutdown()
    assert trials == _by_optuna(lambda settings: settings["learning_rate"] * settings["lora_rank"])
    assert len(trials) == 2
