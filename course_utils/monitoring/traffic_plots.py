"""The figure of a traffic's latencies."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from course_utils.figures import PALETTE, course_style, new_axes
from course_utils.monitoring.traffic import Outcome, TrafficRecord, latency_quantile_ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#444444"
_BLUE, _ORANGE, _, _VERMILION, _SKY, _PURPLE, _, _BLACK = PALETTE
_LOOKS: dict[Outcome, tuple[str, str]] = {
    "answered": (_BLUE, "o"),
    "invalid SQL": (_ORANGE, "^"),
    "client error": (_PURPLE, "D"),
    "server error": (_VERMILION, "s"),
    "timeout": (_BLACK, "x"),
    "unreachable": (_SKY, "+"),
}
"""Colour and marker of each outcome, so that a print in grey tells them apart too."""


@course_style
def plot_latency(records: Sequence[TrafficRecord]) -> "Axes":
    """Latency of every request over time, median and 95th percentile as lines, dotted where a phase begins."""
    quantiles = {q: latency_quantile_ms(records, q) for q in (0.5, 0.95)}
    axes = new_axes(
        f"Half of the requests took up to {quantiles[0.5]:.0f} ms, one in twenty more than {quantiles[0.95]:.0f} ms"
    )
    start = min(record.time for record in records)
    for outcome, (colour, marker) in _LOOKS.items():
        chosen = [record for record in records if record.outcome == outcome]
        if not chosen:
            continue
        times, latencies = [r.time - start for r in chosen], [r.latency_ms for r in chosen]
        axes.scatter(times, latencies, s=18, color=colour, marker=marker, label=outcome)
    for (q, value), style in zip(quantiles.items(), ("-", "--"), strict=True):
        axes.axhline(value, color=_GREY, linestyle=style, linewidth=1, label=f"p{100 * q:.0f} = {value:.0f} ms")
    for last, first in pairwise(records):
        if last.phase != first.phase:
            axes.axvline(first.time - start, color=_GREY, linestyle=":", linewidth=1, label=f"{first.phase} begins")
    axes.set(xlabel="time since the first request (s)", ylabel="latency (ms)")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return axes
