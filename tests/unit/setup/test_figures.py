"""The memory figure draws the numbers it is given."""

import pytest
from matplotlib import pyplot as plt

from course_utils.setup import METHODS, estimate_memory, plot_memory
from course_utils.setup.memory import PARTS


def test_bars_add_up_to_the_totals_and_are_named() -> None:
    estimates = [estimate_memory(7e9, method) for method in METHODS]
    axes = plot_memory(estimates)
    try:
        widths = [bar.get_width() for bar in axes.patches]
        assert len(widths) == len(PARTS) * len(METHODS)
        for place, estimate in enumerate(estimates):
            assert sum(widths[place :: len(METHODS)]) == pytest.approx(estimate.total_gb)
        assert [label.get_text() for label in axes.get_yticklabels()] == list(METHODS)
        assert "GB" in axes.get_xlabel()
        assert [text.get_text() for text in axes.get_legend().get_texts()] == list(PARTS)
        assert axes.get_xlim()[1] > max(estimate.total_gb for estimate in estimates)
    finally:
        plt.close(axes.figure)
