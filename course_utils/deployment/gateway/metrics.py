"""What the gateway counts, in Prometheus's terms."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
OUTCOMES = ("executed", "not_parsed", "refused", "failed", "timeout")
"""What becomes of a query that the model wrote."""


class GatewayMetrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "course_requests", "Requests answered", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "course_request_seconds",
            "From a request's arrival to the last byte of its response",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "course_requests_in_flight", "Requests to /v1 that are being answered", registry=self.registry
        )
        self.tokens = Counter(
            "course_tokens", "Tokens read (prompt) and written (completion)", ["direction"], registry=self.registry
        )
        self.first_token_seconds = Histogram(
            "course_first_token_seconds",
            "From a streamed request's arrival to its first piece of text",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queries = Counter(
            "course_queries",
            "Queries the model wrote, by what became of them",
            ["outcome"],
            registry=self.registry,
        )
        self.sql_seconds = Histogram(
            "course_sql_seconds",
            "Where the time of /v1/sql goes: the model or the database",
            ["part"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        for outcome in OUTCOMES:  # a counter that is absent until its first event cannot show a rate
            self.queries.labels(outcome)
        for direction in ("prompt", "completion"):
            self.tokens.labels(direction)

    def count_tokens(self, usage: dict[str, int] | None) -> None:
        """Add what a model server reports as ``usage``; some report nothing."""
        for direction in ("prompt", "completion"):
            self.tokens.labels(direction).inc((usage or {}).get(f"{direction}_tokens") or 0)
