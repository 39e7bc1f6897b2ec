"""Read a Prometheus ``/metrics`` page: counts, rates and latency quantiles between two scrapes.

It compares two moments of one server. A real Prometheus keeps the history of many servers; its
``histogram_quantile`` and the one here give the same number.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from course_utils.errors import ServiceError

Labels = frozenset[tuple[str, str]]
Bucket = tuple[float, float]
"""(inclusive upper bound, cumulative count of observations at or below it)."""


@dataclass(frozen=True)
class Scrape:
    """The samples of one page, or their gain between two pages (``after - before``)."""

    samples: dict[tuple[str, Labels], float]
    time: float
    """Unix time in seconds."""
    window_s: float = 0.0
    """Seconds between the two pages of a difference; 0 for a single page."""

    def __sub__(self, earlier: "Scrape") -> "Scrape":
        """The gain of every counter and bucket since ``earlier``.

        A counter that fell is taken, as by Prometheus, to have restarted from zero with its server.
        """
        gained = {
            key: value - earlier.samples.get(key, 0.0) if value >= earlier.samples.get(key, 0.0) else value
            for key, value in self.samples.items()
        }
        return Scrape(gained, self.time, self.time - earlier.time)

    def total(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that have the given ``labels``; 0 if there are none."""
        return sum(value for (found, have), value in self.samples.items() if found == name and labels.items() <= have)

    def by_label(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Sum of a metric for each value of ``label``; values whose sum is 0 are left out."""
        keys = {dict(have).get(label) for found, have in self.samples if found == name and labels.items() <= have}
        sums = {key: self.total(name, **{label: key}, **labels) for key in sorted(keys - {None}, key=str) if key}
        return {key: value for key, value in sums.items() if value}

    def buckets(self, name: str, **labels: str) -> list[Bucket]:
        """Cumulative buckets of the histogram ``name`` by rising bound, summed over every label that is not given."""
        counts = self.by_label(f"{name}_bucket", "le", **labels)
        bounds = {dict(have)["le"] for found, have in self.samples if found == f"{name}_bucket"}
        return sorted((float(bound), counts.get(bound, 0.0)) for bound in bounds)

    def rate(self, name: str, **labels: str) -> float:
        """Gain per second over the window; 0 for a single page."""
        return self.total(name, **labels) / self.window_s if self.window_s else 0.0


def parse_metrics(text: str, time_s: float) -> Scrape:
    """Parse Prometheus' text format; ``time_s`` is the Unix time of the page, in seconds."""
    from prometheus_client.parser import text_string_to_metric_families

    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return Scrape({(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}, time_s)


def scrape(url: str) -> Scrape:
    """Fetch and read ``<url>/metrics``.

    Raises:
        ServiceError: The server does not answer within 10 seconds, or the page is not in Prometheus' format.
    """
    import httpx

    try:
        reply = httpx.get(f"{url}/metrics", timeout=10.0, trust_env=False).raise_for_status()
        return parse_metrics(reply.text, time.time())
    except (httpx.HTTPError, ValueError) as error:
        raise ServiceError(f"{url}/metrics: cannot be read ({error}); is the gateway running?") from error


def histogram_quantile(q: float, buckets: Sequence[Bucket]) -> float:
    """Estimate the ``q`` quantile, 0 to 1, from cumulative buckets, exactly as PromQL's function of this name.

    Observations are assumed to be spread evenly within their bucket. With rank ``q * total``, the first bucket whose
    count reaches the rank, from ``low`` to ``high``, gives

    ``low + (high - low) * (rank - count below) / (count in the bucket)``

    The first bucket starts at 0, as times do. A rank in the last, unbounded bucket gives the highest finite bound, so
    that the result never exceeds it, however slow the requests were. The result is NaN without observations, and for
    q = 0 if the first bucket is empty.

    Source: prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile.
    """
    if len(buckets) < 2 or not buckets[-1][1]:
        return math.nan
    rank = q * buckets[-1][1]
    index = next(i for i, (_, count) in enumerate(buckets) if count >= rank)
    (high, count), (low, below) = buckets[index], buckets[index - 1] if index else (0.0, 0.0)
    if high == math.inf:
        return low
    return low + (high - low) * (rank - below) / (count - below) if count > below else math.nan
