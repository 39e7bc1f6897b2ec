"""What the gateway counts, in Prometheus's terms, and notes of each request."""

import logging
import re
import time
import uuid
from contextlib import nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from course_utils.deployment.query_checks import OUTCOMES

logger = logging.getLogger(__name__)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DIRECTIONS = ("prompt", "completion")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOTES: ContextVar[dict[str, Any]] = ContextVar("notes")
"""What becomes known of a request while it is answered: its id, caller, model and its version, cache, tokens."""


class GatewayMetrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, buckets=_SECONDS, registry=self.registry)
        self.requests = counter("course_requests", "Requests answered", ["route", "method", "status"])
        text = "From a request's arrival to the last byte of its response"
        self.seconds = histogram("course_request_seconds", text, ["route"])
        self.in_flight = gauge("course_requests_in_flight", "Requests to /v1 that are being answered")
        self.tokens = counter("course_tokens", "Tokens read (prompt) and written (completion)", ["direction"])
        text = "From a streamed request's arrival to its first piece of text"
        self.first_token_seconds = histogram("course_first_token_seconds", text)
        self.queries = counter("course_queries", "Queries the model wrote, by what became of them", ["outcome"])
        text = "Where the time of /v1/sql goes: the model or the database"
        self.sql_seconds = histogram("course_sql_seconds", text, ["part"])
        self.feedback = counter("course_feedback", "Ratings of answers that were kept", ["rating"])
        text = "Replies of models by whether the cache had them (hit), might have (miss) or was not asked (off)"
        self.cache = counter("course_cache", text, ["state"])
        self.queue = gauge("course_queue_depth", "Requests that wait for a place at a model server")
        text = "Replies to the gateway's own model name by the model that gave them; invalid is SQL that does not run"
        self.model_answers = counter("course_model_answers", text, ["model", "outcome"])
        self.shadows = counter("course_shadow_answers", "A candidate's answers beside the current ones", ["found"])
        self.rollbacks = counter("course_rollbacks", "Candidates and models that were rolled back")
        text = "1 for the version that each model's server has"
        self.versions = gauge("course_model_info", text, ["model", "version"])
        for outcome in OUTCOMES:  # a counter that is absent until its first event cannot show a rate
            self.queries.labels(outcome)
        for direction in _DIRECTIONS:
            self.tokens.labels(direction)
        for rating in ("up", "down"):
            self.feedback.labels(rating)

    def count_reply(self, usage: dict[str, int] | None) -> None:
        """Count a reply, and what a model server reports as its ``usage``: some report nothing, a cache spends none."""
        self.cache.labels(NOTES.get()["cache"]).inc()
        for direction in _DIRECTIONS:
            n_tokens = (usage or {}).get(f"{direction}_tokens") or 0
            self.tokens.labels(direction).inc(n_tokens)
            NOTES.get()["tokens"] += n_tokens


class MeasureRequests:
    """Middleware that counts, times and logs requests to their last byte, streams included."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        asked_id = Headers(scope=scope).get("X-Request-ID", "")
        request_id = asked_id if re.fullmatch(r"[\w.-]{1,64}", asked_id, re.ASCII) else uuid.uuid4().hex
        notes: dict[str, Any] = {"request_id": request_id, "cache": "off", "tokens": 0}
        NOTES.set(notes := notes | {"caller": "", "model": "", "version": ""})

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = {"X-Request-ID": request_id, "X-Cache": notes["cache"], "X-Model-Version": notes["version"]}
                MutableHeaders(scope=message).update({name: text for name, text in said.items() if text})
            await send(message)

        is_work = scope["path"].startswith("/v1/")
        try:
            with self.metrics.in_flight.track_inprogress() if is_work else nullcontext():
                await self.app(scope, receive, send_and_note)
        finally:
            # Nothing that a caller can invent, neither path nor method: each label value costs memory for ever.
            route = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            seconds = time.perf_counter() - began
            self.metrics.requests.labels(route, method, str(status)).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            notes |= {"route": route, "method": method, "status": status, "seconds": round(seconds, 4)}
            logger.info("request", extra={"notes": notes})
