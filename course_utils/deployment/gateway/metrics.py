"""Prometheus metrics of the gateway, and notes on each request for its log."""

import asyncio
import logging
import os
import re
import time
from contextlib import nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from course_utils.deployment.gateway.api_errors import error_response
from course_utils.deployment.query_checks import OUTCOMES

logger = logging.getLogger(__name__)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DIRECTIONS = ("prompt", "completion")
_STOP_RETRY_S = 5
_PLAIN = re.compile(rb"[\w.-]{1,64}")
_POLLS = ("/health/live", "/health/ready", "/metrics")
_FULL_TEXT, _FULL_HEADERS = "too many connections; ask again in 2 s", {"Retry-After": "2", "Connection": "close"}
_FULL = error_response(503, _FULL_TEXT, code="overloaded", headers=_FULL_HEADERS)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOTES: ContextVar[dict[str, Any]] = ContextVar("notes")
"""Facts about the request, collected while it is answered: arrival, id, caller, model, version, cache, tokens."""


class GatewayMetrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, buckets=_SECONDS, registry=self.registry)
        self.requests = counter("course_requests", "Requests answered", ["route", "method", "status"])
        self.seconds = histogram("course_request_seconds", "From arrival to the last byte of the response", ["route"])
        self.in_flight = gauge("course_requests_in_flight", "Requests to /v1 that are being answered")
        self.tokens = counter("course_tokens", "Tokens read (prompt) and written (completion)", ["direction"])
        self.first_token_seconds = histogram("course_first_token_seconds", "From arrival to the first text of a stream")
        self.queries = counter("course_queries", "Queries that the model wrote, by outcome", ["outcome"])
        self.sql_seconds = histogram("course_sql_seconds", "Seconds of /v1/sql at the model or the database", ["part"])
        self.feedback = counter("course_feedback", "Ratings of answers that were stored", ["rating"])
        text = "Replies of models that the cache had (hit), did not have (miss) or was not asked for (off)"
        self.cache = counter("course_cache", text, ["state"])
        self.queue = gauge("course_queue_depth", "Requests that wait for a place at a model server")
        text = "Replies to the gateway's own model name by the model that gave them; invalid is SQL that does not run"
        self.model_answers = counter("course_model_answers", text, ["model", "outcome"])
        self.shadows = counter("course_shadow_answers", "Answers of a shadow against the current model's", ["found"])
        self.rollbacks = counter("course_rollbacks", "Candidates that failed too often and were rolled back")
        self.versions = gauge("course_model_info", "1 for each server's version", ["model", "version"])
        # A counter that is absent until its first event cannot show a rate.
        for known, values in {self.queries: OUTCOMES, self.tokens: _DIRECTIONS, self.feedback: ("up", "down")}.items():
            for value in values:
                known.labels(value)

    def count_reply(self, usage: dict[str, int] | None) -> None:
        """Count a reply and its tokens; ``usage`` is None from a cache, or if the model server does not report it."""
        notes = NOTES.get()
        self.cache.labels(notes["cache"]).inc()
        for direction in _DIRECTIONS:
            if n_tokens := (usage or {}).get(f"{direction}_tokens"):
                self.tokens.labels(direction).inc(n_tokens)
                notes["tokens"] += n_tokens


class MeasureRequests:
    """Middleware that counts, times and logs each request to its last byte, streams included.

    Successful polls (health checks, metrics) are not logged, because they would crowd out other requests.
    """

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request while the app answers it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        method = scope["method"] if scope["method"] in _METHODS else "other"
        if method == "HEAD":
            scope = {**scope, "method": "GET"}  # a copy: the server keeps HEAD and omits the body
        asked_id = next((text for name, text in scope["headers"] if name == b"x-request-id"), b"")
        request_id = (asked_id if _PLAIN.fullmatch(asked_id) else os.urandom(16).hex().encode()).decode()
        notes: dict[str, Any] = {"began": began, "request_id": request_id, "cache": "off", "tokens": 0}
        NOTES.set(notes := notes | {"caller": "", "model": "", "version": ""})

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = {"x-request-id": request_id, "x-cache": notes["cache"], "x-model-version": notes["version"]}
                more = [(name.encode(), text.encode()) for name, text in said.items() if text]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        is_work = scope["path"].startswith("/v1/")
        app = _FULL if is_work and scope.get("state", {}).get("is_surplus") else self.app  # see ``LimitedHttp``
        try:
            with self.metrics.in_flight.track_inprogress() if is_work else nullcontext():
                await app(scope, receive, send_and_note)
        except asyncio.CancelledError:  # by uvicorn, when the time to shut down is over
            if not status:
                message, headers = "the gateway is stopping; ask again", {"Retry-After": str(_STOP_RETRY_S)}
                refusal = error_response(503, message, code="stopping", headers=headers)
                await refusal(scope, receive, send_and_note)
        except Exception:  # answered here, because outside of this class the response would lack the request's id
            logger.exception("the gateway failed", extra={"notes": {"request_id": request_id}})
            if not status:
                message = f"the gateway failed; its log says why, under the request id {request_id}"
                await error_response(500, message, code="internal_error")(scope, receive, send_and_note)
        finally:
            # Labels hold no path or method that a caller invents, because each label value takes memory for good.
            status = status or 500
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - notes.pop("began")
            self.metrics.requests.labels(route, method, str(status)).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            notes |= {"route": route, "method": method, "status": status, "seconds": round(seconds, 4)}
            if status >= 400 or route not in _POLLS:
                logger.info("request", extra={"notes": notes})
