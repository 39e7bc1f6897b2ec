"""One call per figure: each takes a result and returns a Matplotlib ``Axes``."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from course_utils.monitoring.traffic import TrafficRecord, latency_quantile_ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "answered": "#0072B2",
    "invalid SQL": "#E69F00",
    "client error": "#CC79A7",
    "server error": "#D55E00",
    "timeout": "#000000",
    "unreachable": "#999999",
}
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""


def plot_latency(records: Sequence[TrafficRecord]) -> "Axes":
    """Latency of every request over time, median and 95th percentile as lines, dotted where a phase begins."""
    axes = _axes()
    start = min(record.time for record in records)
    for outcome in _outcomes(records):
        chosen = [record for record in records if record.outcome == outcome]
        times, latencies = [r.time - start for r in chosen], [r.latency_ms for r in chosen]
        axes.scatter(times, latencies, s=14, color=COLOURS[outcome], label=outcome)
    for q, style in ((0.5, "-"), (0.95, "--")):
        value = latency_quantile_ms(records, q)
        axes.axhline(value, color="#444444", linestyle=style, linewidth=1, label=f"p{100 * q:.0f} = {value:.0f} ms")
    for last, first in pairwise(records):
        if last.phase != first.phase:
            axes.axvline(first.time - start, color="#444444", linestyle=":", linewidth=1, label=f"{first.phase} begins")
    axes.set(xlabel="seconds since the first request", ylabel="latency (ms)", title="Latency of each request")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return axes


def plot_outcomes(records: Sequence[TrafficRecord], *, n_bins: int = 12) -> "Axes":
    """Requests by outcome over time, stacked, in ``n_bins`` equal spans."""
    axes = _axes()
    start = min(record.time for record in records)
    outcomes = _outcomes(records)
    times = [[record.time - start for record in records if record.outcome == outcome] for outcome in outcomes]
    axes.hist(times, bins=n_bins, stacked=True, color=[COLOURS[outcome] for outcome in outcomes], label=outcomes)
    axes.set(xlabel="seconds since the first request", ylabel="requests", title="What requests met")
    axes.legend(fontsize="small")
    return axes


def plot_drift(signal: str, windows: Mapping[str, Sequence[float]]) -> "Axes":
    """Cumulative distribution of a signal in each window; drift is the gap between two curves."""
    axes = _axes()
    for (name, values), colour in zip(windows.items(), ("#444444", "#0072B2", "#D55E00", "#E69F00"), strict=False):
        axes.ecdf(values, label=f"{name} (n = {len(values)})", color=colour)
    axes.set(xlabel=signal, ylabel="share of questions at or below", title=f"Distribution of {signal}")
    axes.legend(fontsize="small", loc="lower right")
    return axes


def plot_cost(machine_usd: Mapping[float, float], api_usd: float) -> "Axes":
    """Price of 1,000 questions on the machine, by questions an hour, against the API's flat price."""
    axes = _axes()
    axes.loglog(list(machine_usd), list(machine_usd.values()), marker="o", color="#0072B2", label="own machine")
    axes.axhline(api_usd, color="#D55E00", linestyle="--", label="API by the token")
    axes.set(xlabel="questions an hour", ylabel="USD per 1,000 questions", title="The price depends on the load")
    axes.legend(fontsize="small")
    return axes


def _axes() -> "Axes":
    import matplotlib.pyplot as plt

    axes: Axes = plt.subplots(figsize=(7, 3), dpi=80, layout="constrained")[1]
    return axes


def _outcomes(records: Sequence[TrafficRecord]) -> list[str]:
    present = {record.outcome for record in records}
    return [outcome for outcome in COLOURS if outcome in present]
