"""One call per figure: each takes a result and returns a Matplotlib ``Axes`` whose title states what is to be seen."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from course_utils.figures import PALETTE, course_style, new_axes
from course_utils.monitoring.traffic import FAILURES, Outcome, TrafficRecord, latency_quantile_ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#444444"
_BLUE, _ORANGE, _, _VERMILION, _SKY, _PURPLE, _, _BLACK = PALETTE
_LOOKS: dict[Outcome, tuple[str, str, str]] = {
    "answered": (_BLUE, "o", ""),
    "invalid SQL": (_ORANGE, "^", "//"),
    "client error": (_PURPLE, "D", "xx"),
    "server error": (_VERMILION, "s", "\\\\"),
    "timeout": (_BLACK, "x", "--"),
    "unreachable": (_SKY, "+", "++"),
}
"""Colour, marker and hatch of each outcome, so that a print in grey tells them apart too."""


@course_style
def plot_latency(records: Sequence[TrafficRecord]) -> "Axes":
    """Latency of every request over time, median and 95th percentile as lines, dotted where a phase begins."""
    quantiles = {q: latency_quantile_ms(records, q) for q in (0.5, 0.95)}
    axes = new_axes(
        f"Half of the requests took up to {quantiles[0.5]:.0f} ms, one in twenty more than {quantiles[0.95]:.0f} ms"
    )
    start = min(record.time for record in records)
    for outcome in _outcomes(records):
        colour, marker, _ = _LOOKS[outcome]
        chosen = [record for record in records if record.outcome == outcome]
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


@course_style
def plot_outcomes(records: Sequence[TrafficRecord], *, n_bins: int = 12) -> "Axes":
    """Requests by outcome over time, stacked, in ``n_bins`` equal spans."""
    failures = Counter(record.outcome for record in records if record.outcome in FAILURES)
    kinds = ", ".join(f"{n} {outcome}" for outcome, n in failures.items())
    axes = new_axes(f"{failures.total()} of {len(records)} requests failed{f': {kinds}' if kinds else ''}")
    start = min(record.time for record in records)
    outcomes = _outcomes(records)
    colours, _, hatches = zip(*(_LOOKS[outcome] for outcome in outcomes), strict=True)
    times = [[record.time - start for record in records if record.outcome == outcome] for outcome in outcomes]
    axes.hist(times, bins=n_bins, stacked=True, color=colours, hatch=hatches, edgecolor="white", label=outcomes)
    axes.set(xlabel="time since the first request (s)", ylabel="requests")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return axes


def _outcomes(records: Sequence[TrafficRecord]) -> list[Outcome]:
    present = {record.outcome for record in records}
    return [outcome for outcome in _LOOKS if outcome in present]
