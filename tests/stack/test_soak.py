"""``make soak``: the gateway under twice the load it can carry, while what it needs is killed, frozen or full.

``SOAK_S`` says for how many seconds; without it this is skipped. The model is one whose answers are known, so a wrong
one shows.
"""

import asyncio
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import httpx
import psutil
import pytest

from course_utils.deployment import start_gateway
from course_utils.processes import LOOPBACK, Server, choose_port
from deploy.services import Redis
from tests.stack.conftest import SINGERS
from tests.stack.steady_model import query_for

SOAK_S = float(os.environ.get("SOAK_S", "0"))
LOADS = (1, 2, 4, 8, 16, 32)
RECOVERY_S, DOWN_S = 5.0, 4.0
"""Seconds for the gateway to recover, and seconds for which a dependency is down."""
MEMORY_GROWTH = 1.1
ADMIN = {"Authorization": "Bearer open-sesame"}
pytestmark = [
    pytest.mark.takes(SOAK_S),
    pytest.mark.skipif(SOAK_S == 0, reason="make soak asks for it"),
    pytest.mark.timeout(SOAK_S + 300),
]


@dataclass
class Request:
    """One request and its outcome."""

    kind: str
    began: float
    status: int | None = None
    """None if no answer came."""
    wrong: str = ""
    seconds: float = 0.0


@dataclass
class Fault:
    """A dependency that is down between two moments, and which requests may fail because of it."""

    name: str
    began: float
    returned: float = 0.0
    fails: str = "sql stream"
    """Kinds of requests that may fail meanwhile."""


@dataclass
class Traffic:
    """Clients that each send request after request without a pause, and the outcomes of all."""

    url: str
    key: dict[str, str]
    requests: list[Request] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1000))
    chance: Random = field(default_factory=partial(Random, 7))

    @asynccontextmanager
    async def running(self, n_clients: int) -> AsyncIterator[None]:
        async with httpx.AsyncClient(
            base_url=self.url, headers=self.key, timeout=30, trust_env=False, limits=httpx.Limits(max_connections=None)
        ) as client:
            stop = asyncio.Event()
            tasks = [asyncio.create_task(self._ask_until(stop, client)) for _ in range(n_clients)]
            try:
                yield
            finally:
                stop.set()
                await asyncio.gather(*tasks)

    async def _ask_until(self, stop: asyncio.Event, client: httpx.AsyncClient) -> None:
        kinds = {"sql": self._sql, "known": self._known, "stream": self._stream, "gone": self._gone, "rate": self._rate}
        while not stop.is_set():
            (kind,) = self.chance.choices([*kinds], [6, 1, 1, 1, 1])
            request = Request(kind, time.monotonic())
            try:
                await kinds[kind](client, request)
            except httpx.HTTPError as error:
                request.wrong = repr(error)
            request.seconds = time.monotonic() - request.began
            self.requests.append(request)
            if request.status in (429, 503):
                await asyncio.sleep(0.2)  # which is less than they are told

    async def _sql(self, client: httpx.AsyncClient, request: Request, number: int | None = None) -> None:
        number = number or next(self.numbers)
        response = await client.post("/v1/sql", json={"question": f"Who is singer {number}?", "database": "music"})
        request.status = response.status_code
        if response.is_success and response.json()["rows"] != [[number, SINGERS[number % 3]]]:
            request.wrong = response.text

    async def _known(self, client: httpx.AsyncClient, request: Request) -> None:
        """A question that the cache has."""
        await self._sql(client, request, self.chance.randrange(1, 20))

    async def _stream(self, client: httpx.AsyncClient, request: Request) -> None:
        """A stream that is accepted ends with [DONE] or says why not."""
        number, text, end = next(self.numbers), "", ""
        async with client.stream("POST", "/v1/chat/completions", json=streamed(number)) as response:
            request.status = response.status_code
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    event = json.loads(line.removeprefix("data: "))
                    end = "error" if "error" in event else end
                    text += "" if end else event["choices"][0]["delta"].get("content") or ""
                elif line == "data: [DONE]":
                    end = end or "done"
        if response.is_success and (not end or (end == "done" and text != query_for(number))):
            request.wrong = f"{end or 'no end'}: {text}"
        if end == "error":
            request.status = httpx.codes.BAD_GATEWAY

    async def _gone(self, client: httpx.AsyncClient, request: Request) -> None:
        """A client that disconnects in the middle of its stream."""
        async with client.stream("POST", "/v1/chat/completions", json=streamed(next(self.numbers))) as response:
            request.status = response.status_code
            async for _ in response.aiter_lines():
                return

    async def _rate(self, client: httpx.AsyncClient, request: Request) -> None:
        response = await client.post("/v1/feedback", json={"id": "x", "rating": "up", "comment": "x" * 200})
        request.status = response.status_code


def streamed(number: int) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": f"Who is singer {number}?"}], "stream": True}


async def find_knee(traffic: Traffic) -> tuple[int, dict[int, float]]:
    """The smallest number of clients with nine tenths of the most answers a second."""
    per_s = {}
    for n_clients in LOADS:
        before, began = len(traffic.requests), time.monotonic()
        async with traffic.running(n_clients):
            await asyncio.sleep(min(3.0, SOAK_S / 40))
        per_s[n_clients] = round((len(traffic.requests) - before) / (time.monotonic() - began), 1)
    return next(n for n in LOADS if per_s[n] >= 0.9 * max(per_s.values())), per_s


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of a hundred megabytes, or None where nobody may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Dependencies:
    """The model server and Redis, processes that can be killed or frozen and started again on their ports."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._ports = {name: choose_port(LOOPBACK) for name in ("model", "redis")}
        self.has_redis = shutil.which("redis-server") is not None
        self.model = self.start_model()
        self.redis = self.start_redis() if self.has_redis else None

    def start_model(self) -> Server:
        port = self._ports["model"]
        arguments, url = ["--port", str(port)], f"http://{LOOPBACK}:{port}"
        return self._stack.enter_context(
            Server("model", "tests.stack.steady_model", arguments, url=url, health="/health", stop_timeout_s=0.5)
        )

    def start_redis(self) -> Server:
        return self._stack.enter_context(Redis(self._ports["redis"]))

    async def kill_model(self) -> None:
        os.killpg(self.model.process.pid, signal.SIGKILL)
        await asyncio.sleep(DOWN_S)
        self.model = await asyncio.to_thread(self.start_model)

    async def freeze_model(self) -> None:
        os.killpg(self.model.process.pid, signal.SIGSTOP)
        await asyncio.sleep(DOWN_S)
        os.killpg(self.model.process.pid, signal.SIGCONT)

    async def kill_redis(self) -> None:
        assert self.redis
        os.killpg(self.redis.process.pid, signal.SIGKILL)
        await asyncio.sleep(DOWN_S)
        self.redis = await asyncio.to_thread(self.start_redis)

    async def freeze_redis(self) -> None:
        assert self.redis
        os.killpg(self.redis.process.pid, signal.SIGSTOP)
        await asyncio.sleep(DOWN_S)
        os.killpg(self.redis.process.pid, signal.SIGCONT)

    async def fill_disk(self, disk: Path) -> None:
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file:
            for block in (b"x" * 2**20, b"x"):  # to the last byte
                with suppress(OSError):
                    while file.write(block):
                        pass
        await asyncio.sleep(DOWN_S)
        filler.unlink()


async def hurt(faults: dict[str, tuple[Callable[[], Awaitable[None]], str]], until: float) -> list[Fault]:
    """Cause one fault after the other until the time is over, with time to recover in between."""
    happened = []
    for name in itertools.cycle(faults):
        if time.monotonic() + 2 * DOWN_S + 2 * RECOVERY_S > until:
            return happened
        act, fails = faults[name]
        happened.append(Fault(name, time.monotonic(), fails=fails))
        await act()
        happened[-1].returned = time.monotonic()
        await asyncio.sleep(RECOVERY_S + DOWN_S)
    return happened


def find_unexplained(requests: list[Request], faults: list[Fault]) -> list[Request]:
    """Requests that failed although everything that they need had been up for ``RECOVERY_S`` seconds."""
    return [
        each
        for each in requests
        if each.status not in (200, 201)
        and not any(
            each.kind in fault.fails.split() and fault.began - each.seconds <= each.began <= fault.returned + RECOVERY_S
            for fault in faults
        )
    ]


def recovery_s(requests: list[Request], fault: Fault) -> float:
    """Seconds from the end of a fault to the start of the last request that failed before the next fault."""
    late = [
        each.began - fault.returned
        for each in requests
        if each.status not in (200, 201)
        and fault.returned < each.began
        and each.began + each.seconds < fault.returned + RECOVERY_S + DOWN_S
    ]
    return round(max(late, default=0.0), 2)


async def watch_memory(pid: int, samples: list[float]) -> None:
    process = psutil.Process(pid)
    while True:
        samples.append(process.memory_info().rss / 2**20)
        await asyncio.sleep(0.5)


async def soak(
    gateway: Server, key: dict[str, str], dependencies: Dependencies, disk: Path | None
) -> dict[str, object]:
    traffic, memory = Traffic(gateway.url, key), list[float]()
    pid = gateway.process.pid
    knee, per_s = await find_knee(traffic)
    faults = {
        "model server killed": (dependencies.kill_model, "sql known stream gone"),
        "model server frozen": (dependencies.freeze_model, "sql known stream gone"),
    }
    if dependencies.has_redis:
        faults["Redis killed"] = dependencies.kill_redis, ""
        faults["Redis frozen"] = dependencies.freeze_redis, ""
    if disk:
        faults["disk full"] = partial(dependencies.fill_disk, disk), "rate"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(traffic.running(2 * knee))
        await asyncio.sleep(SOAK_S / 10)  # to warm up
        watching = asyncio.create_task(watch_memory(pid, memory))
        happened = await hurt(faults, time.monotonic() + 0.85 * SOAK_S)
        watching.cancel()
    part = max(1, len(memory) // 5)
    first, last = statistics.median(memory[:part]), statistics.median(memory[-part:])
    unexplained = find_unexplained(traffic.requests, happened)
    return {
        "knee_clients": knee,
        "requests_per_s_by_clients": per_s,
        "clients": 2 * knee,
        "n_requests": len(traffic.requests),
        "statuses": {
            kind: dict(Counter(str(each.status) for each in traffic.requests if each.kind == kind))
            for kind in ("sql", "known", "stream", "gone", "rate")
        },
        "wrong": [f"{each.kind} {each.status}: {each.wrong}" for each in traffic.requests if each.wrong][:9],
        "no_status": sum(each.status is None for each in traffic.requests),
        "unexplained": [f"{each.kind} {each.status} after {each.seconds:.1f} s" for each in unexplained][:20],
        "recovery_s": [(fault.name, recovery_s(traffic.requests, fault)) for fault in happened],
        "memory_mib": [round(first, 1), round(last, 1)],
    }


def test_no_fault_makes_an_answer_wrong_or_lasts(databases: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk"))
        dependencies = Dependencies(stack)
        folder = disk or tmp_path
        settings = {
            "COURSE_API_KEY": ADMIN["Authorization"].removeprefix("Bearer "),
            "COURSE_KEYS_FILE": str(tmp_path / "keys.sqlite"),
            "COURSE_FEEDBACK_FILE": str(folder / "feedback.jsonl"),
            "COURSE_MAX_FEEDBACK_BYTES": str(10**8),  # one user's share is a tenth, and this one rates for all
            "COURSE_LOG_FILE": str(folder / "requests.jsonl"),
            "COURSE_MODEL_TIMEOUT_S": "3",
            "COURSE_CACHE_S": "5",
        }
        if dependencies.redis:
            settings["COURSE_REDIS_URL"] = dependencies.redis.url
        gateway = stack.enter_context(start_gateway(dependencies.model.url, databases, settings=settings))
        limits = {
            "name": "soak",
            "requests_per_minute": 1_000_000,
            "tokens_per_minute": 1_000_000_000,
            "max_concurrent": 1000,
        }
        made = httpx.post(f"{gateway.url}/v1/admin/keys", json=limits, headers=ADMIN).json()
        report = asyncio.run(soak(gateway, {"Authorization": f"Bearer {made['key']}"}, dependencies, disk))
        time.sleep(1)
        metrics = httpx.get(f"{gateway.url}/metrics", headers=ADMIN).text
    print(json.dumps(report, indent=2))  # noqa: T201  # what `make soak` is for
    happened = dict(report["recovery_s"])  # type: ignore[call-overload]
    assert not disk or "disk full" in happened, f"SOAK_S={SOAK_S:g} is too short for every fault"
    assert (report["wrong"], report["no_status"], report["unexplained"]) == ([], 0, [])
    assert all(seconds <= RECOVERY_S for _, seconds in report["recovery_s"])  # type: ignore[attr-defined]
    first, last = report["memory_mib"]  # type: ignore[misc]
    assert last <= MEMORY_GROWTH * first
    assert {"course_requests_in_flight 0.0", "course_queue_depth 0.0"} <= {*metrics.splitlines()}
