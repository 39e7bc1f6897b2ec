from benchmarks.sweeps import RANKS, RATES, SEEDS, plot


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
