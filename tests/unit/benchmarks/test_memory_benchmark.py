"""The benchmark of the memory estimate: its sizes, its rows and its plot."""

import pytest
from matplotlib import pyplot as plt

from benchmarks.memory import SIZES, _rows, plot, shape_of


def test_there_are_three_sizes_each_larger_than_the_one_before() -> None:
    n_parameters = [shape_of(size).n_parameters for size in SIZES]
    assert n_parameters == sorted(n_parameters)
    assert n_parameters[-1] == 134_515_008  # SmolLM2-135M
    assert n_parameters[1] == 51_786_240


@pytest.mark.parametrize("size", SIZES)
def test_a_quarter_of_every_row_is_learned_and_its_tokens_are_in_the_vocabulary(size: str) -> None:
    vocab_size = shape_of(size).vocab_size
    rows = _rows(6, 512, vocab_size)
    assert len(rows) == 6
    assert all(len(row["input_ids"]) == 512 and max(row["input_ids"]) < vocab_size for row in rows)
    assert {sum(row["completion_mask"]) for row in rows} == {128}


def test_the_plot_names_the_largest_error() -> None:
    runs = [{"size": "tiny base", "method": "lora", "peak_gib": 0.9, "estimated_gib": 0.8}]
    axes = plot({"runs": runs, "largest_error": -0.11})
    try:
        assert axes.figure.get_suptitle() == "The estimate is at most 11% off the measured peak"  # type: ignore[union-attr]
        assert len(axes.patches) == 2
    finally:
        plt.close(axes.figure)
