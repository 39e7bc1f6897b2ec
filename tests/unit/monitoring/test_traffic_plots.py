"""Figures show the numbers of their result."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from course_utils.monitoring.traffic import Outcome, TrafficRecord
from course_utils.monitoring.traffic_plots import plot_latency


@pytest.fixture(autouse=True)
def _close() -> object:
    yield
    plt.close("all")


def records() -> list[TrafficRecord]:
    outcomes: list[Outcome] = ["answered"] * 7 + ["server error"] * 3
    return [
        TrafficRecord(100.0 + i, "calm" if i < 5 else "rush", "", "d", "q", 200, outcome, 10.0 * (i + 1) + 0.2)
        for i, outcome in enumerate(outcomes)
    ]


def test_latency_shows_every_request_and_two_quantiles() -> None:
    axes = plot_latency(records())
    assert sum(len(points.get_offsets()) for points in axes.collections) == 10
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["answered", "server error", "p50 = 55 ms", "p95 = 96 ms", "rush begins"]
    assert axes.get_lines()[-1].get_xdata()[0] == 5.0


def test_the_title_states_what_is_to_be_seen() -> None:
    assert plot_latency(records()).figure.get_suptitle().startswith("Half of the requests took up to 55 ms")
