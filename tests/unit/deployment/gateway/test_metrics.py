"""Metrics stay small whatever callers send, and cost next to nothing."""

import asyncio
import gc
import json
import logging
import random
import re
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import generate_latest

from course_utils.deployment.gateway.app import create_app
from course_utils.deployment.gateway.metrics import GatewayMetrics, MeasureRequests
from course_utils.deployment.gateway.settings import GatewaySettings

MIB = 2**20
METHODS = ("GET", "POST", "INVENTED")
COUNTERS = [tracemalloc.Filter(True, "*/prometheus_client/*"), tracemalloc.Filter(True, "*/gateway/metrics.py")]
RNG = random.Random(0)


def invented() -> str:
    return f"{RNG.getrandbits(64):x}"


def hostile_request() -> tuple[dict[str, Any], bytes]:
    """A path, a method, a key, an id, a model or a database that is new in each request."""
    path = RNG.choice([f"/{invented()}", f"/v1/models/{invented()}", f"/v1/databases/{invented()}", "/v1/sql"])
    method = "POST" if path == "/v1/sql" else RNG.choice([*METHODS, invented().upper()])
    body = json.dumps({"question": invented(), "database": invented(), "model": RNG.choice([None, invented()])})
    names = ("authorization", "x-request-id", "origin", f"x-{invented()}")
    headers = [(name.encode(), invented().encode()) for name in names]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": ""}
    scope |= {"method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers}
    return scope | {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}, body.encode()


async def call(app: Any, scope: dict[str, Any], body: bytes) -> None:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(_: dict[str, Any]) -> None:
        """Nobody reads the response."""

    await app(scope, receive, send)


async def call_often(app: Any, n_requests: int) -> None:
    for _ in range(n_requests):
        await call(app, *hostile_request())


async def count(app: FastAPI) -> tuple[int, int]:
    """The lines of ``/metrics``, and the bytes that its counters take, without those of a request's body."""
    page = b""

    async def send(message: dict[str, Any]) -> None:
        nonlocal page
        page += message.get("body", b"")

    scope = hostile_request()[0] | {"method": "GET", "path": "/metrics", "raw_path": b"/metrics"}
    await app(scope, lambda: asyncio.sleep(0, {"type": "http.request", "body": b""}), send)
    gc.collect()
    snapshot = tracemalloc.take_snapshot() if tracemalloc.is_tracing() else None
    statistics = snapshot.filter_traces(COUNTERS).statistics("filename") if snapshot else []
    return page.count(b"\n"), sum(each.size for each in statistics)


def test_a_million_hostile_requests_would_cost_less_than_thirty_mebibytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest keeps every line that is logged
    app = create_app(GatewaySettings(model_url="http://127.0.0.1:1", databases=tmp_path))

    async def grow() -> tuple[tuple[int, int], tuple[int, int]]:
        await call_often(app, 200)
        await count(app)
        await count(app)  # the first is on no page yet
        tracemalloc.start()
        try:
            before = await count(app)
            await call_often(app, 500)
            return before, await count(app)
        finally:
            tracemalloc.stop()

    (lines_before, bytes_before), (lines, n_bytes) = asyncio.run(grow())
    assert lines == lines_before > 100
    assert (n_bytes - bytes_before) * 1_000_000 / 500 < 30 * MIB


def test_the_first_text_of_a_stream_is_timed_from_arrival(url: str, tmp_path: Path) -> None:
    app = create_app(GatewaySettings(model_url=url, databases=tmp_path))
    chat = {"model": "course", "messages": [{"role": "user", "content": "How many?"}], "stream": True}

    async def slowly() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.3)
        yield json.dumps(chat).encode()

    async def ask() -> str:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            headers = {"Content-Type": "application/json"}
            reply = await client.post("/v1/chat/completions", content=slowly(), headers=headers)
            assert "SELECT 1" in reply.text
            return (await client.get("/metrics")).text

    (line,) = re.findall(r"^course_first_token_seconds_sum (.*)$", asyncio.run(ask()), re.MULTILINE)
    assert 0.3 <= float(line) < 5


def test_counting_a_request_takes_less_than_a_hundredth_of_it() -> None:
    """The little model of the course answers in 60 ms at best."""
    metrics = GatewayMetrics()

    async def nothing(*_: object) -> None:
        """An app that does nothing."""

    async def measure(app: Any, n_requests: int) -> float:
        asked = hostile_request()
        began = time.perf_counter()
        for _ in range(n_requests):
            await call(app, *asked)
        return (time.perf_counter() - began) / n_requests

    async def compare() -> float:
        pairs = [(await measure(MeasureRequests(nothing, metrics), 200), await measure(nothing, 200)) for _ in range(5)]
        return min(counted - bare for counted, bare in pairs)

    logging.getLogger("course_utils.deployment.gateway.metrics").setLevel(logging.WARNING)
    try:
        assert asyncio.run(compare()) < 0.01 * 0.060
    finally:
        logging.getLogger("course_utils.deployment.gateway.metrics").setLevel(logging.NOTSET)
    assert b"course_requests_total" in generate_latest(metrics.registry)


def test_a_failure_of_the_gateway_is_found_in_its_log_by_the_id_that_the_caller_gets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, metrics = FastAPI(), GatewayMetrics()
    app.add_middleware(MeasureRequests, metrics=metrics)

    @app.get("/v1/broken")
    async def broken() -> None:
        raise ZeroDivisionError("a fault of ours")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.get("/v1/broken", headers={"X-Request-ID": "asked-1"})

    response = asyncio.run(ask())
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] == "asked-1"
    assert response.json()["error"]["code"] == "internal_error"
    assert "fault of ours" not in response.text
    failed = next(record for record in caplog.records if record.exc_info)
    assert failed.notes == {"request_id": "asked-1"}
    assert 'course_requests_total{method="GET",route="/v1/broken",status="500"} 1.0' in generate_latest(
        metrics.registry
    ).decode("utf-8")
