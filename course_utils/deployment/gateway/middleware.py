"""Around every request: measure it, and stop reading a body that is too large."""

import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from course_utils.deployment.gateway.api_errors import error_response
from course_utils.deployment.gateway.metrics import GatewayMetrics


class MeasureRequests:
    """Counts requests and times them to the last byte, streams included."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        tracked = self.metrics.in_flight if scope["path"].startswith("/v1/") else None
        if tracked:
            tracked.inc()
        try:
            await self.app(scope, receive, send_and_note)
        finally:
            if tracked:
                tracked.dec()
            # The route's pattern, never the path a caller chose: each label value costs memory for ever.
            route = getattr(scope.get("route"), "path", "unknown")
            self.metrics.requests.labels(route, scope["method"], str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - began)


class LimitBody:
    """Answers 413 to a body above the limit, announced or not."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes
        self.message = f"the body is larger than {max_bytes} bytes"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        announced = dict(scope.get("headers", [])).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.max_bytes:
            response = error_response(413, self.message, code="http_413")
            await response(scope, receive, send)
            return
        n_bytes = 0

        async def receive_and_count() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self.max_bytes:
                raise HTTPException(413, self.message)
            return message

        await self.app(scope, receive_and_count, send)
