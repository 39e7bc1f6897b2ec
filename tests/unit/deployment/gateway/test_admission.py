import asyncio
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from course_utils.deployment.gateway import admission
from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.callers import Caller
from course_utils.deployment.gateway.metrics import NOTES
from tests.http_servers import LocalServer
from tests.unit.deployment.gateway.conftest import MakeClient, TestClient
from tests.waiting import comes_true

ADMIN = "the environment's key"
CHAT = {"messages": [{"role": "user", "content": "hello"}]}


def ask(client: TestClient, key: str = "", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return client.post("/v1/chat/completions", json=CHAT | more, headers=headers)


def make_key(client: TestClient, **limits: Any) -> str:
    return client.post("/v1/admin/keys", json={"name": "x"} | limits).json()["key"]


@pytest.fixture
def client(make_client: MakeClient, tmp_path: Path) -> TestClient:
    return make_client(ADMIN, api_key=ADMIN, keys_file=tmp_path / "keys.sqlite", max_concurrent=2, max_queue=1)


def test_requests_a_minute_are_each_keys_own(client: TestClient) -> None:
    first, second = (make_key(client, requests_per_minute=3) for _ in range(2))
    responses = [ask(client, first) for _ in range(5)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert responses[-1].json()["error"]["code"] == "rate_limit_exceeded"
    assert 55 <= int(responses[-1].headers["Retry-After"]) <= 60
    assert ask(client, second).status_code == 200
    assert all(ask(client).status_code == 200 for _ in range(5))


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_a_minute_end_in_debt_and_stay_there(client: TestClient, stream: bool) -> None:
    key = make_key(client, tokens_per_minute=60)
    assert [ask(client, key, stream=stream).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert "tokens a minute" in ask(client, key).json()["error"]["message"]


def test_requests_at_once_are_limited_and_come_back(client: TestClient, model: LocalServer) -> None:
    key = make_key(client, max_concurrent=1)
    model.may_reply.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, client, key)
        assert comes_true(lambda: model.asked)
        refused = ask(client, key)
        model.may_reply.set()
        assert slow.result().status_code == 200
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_at_once")
    assert int(refused.headers["Retry-After"]) > 0
    assert ask(client, key).status_code == 200


def test_a_full_queue_sends_away(client: TestClient, model: LocalServer) -> None:
    """Two pass, one waits, and for the fourth the service has too much to do."""
    model.may_reply.clear()
    with ThreadPoolExecutor(3) as pool:
        passing = [pool.submit(ask, client) for _ in range(2)]
        assert comes_true(lambda: len(model.asked) == 2)
        waiting = pool.submit(ask, client)
        assert comes_true(lambda: "course_queue_depth 1.0" in client.get("/metrics").text)
        refused = ask(client)
        model.may_reply.set()
        assert [each.result().status_code for each in (*passing, waiting)] == [200] * 3
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert int(refused.headers["Retry-After"]) > 0
    assert "course_queue_depth 0.0" in client.get("/metrics").text


def test_gateways_count_together_on_redis_and_alone_without(
    make_client: MakeClient, tmp_path: Path, redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    url, process = redis
    settings = {"api_key": ADMIN, "keys_file": tmp_path / "keys.sqlite", "redis_url": url}
    here, there = (make_client(ADMIN, **settings) for _ in range(2))
    key = make_key(here, requests_per_minute=2, tokens_per_minute=1000)
    assert [ask(each, key).status_code for each in (here, there, here, there)] == [200, 200, 429, 429]
    assert here.get("/health/ready").json()["redis"] == ""
    process.kill()
    process.wait()
    assert [ask(each, key).status_code for each in (here, there, here, there, here)] == [200, 200, 200, 200, 429]
    assert "no answer" in here.get("/health/ready").json()["redis"]


def test_expired_counts_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of people may come with web tokens, and no caller is ever deleted here."""
    began, minute, n_kept = time.time(), 0, []
    monkeypatch.setattr(time, "time", lambda: began + 61 * minute)

    async def ask_each_minute() -> None:
        nonlocal minute
        limits = admission.CallerLimits(None)
        NOTES.set({"tokens": 5})
        (memory,) = (window.storage for window in limits._windows)
        for minute in range(3):
            for number in range(20):
                caller = Caller(id=f"jwt-{minute}-{number}", name="x")
                await limits.enter(caller)
                await limits.leave(caller)
            await asyncio.sleep(0)
            n_kept.append(len(memory.storage))

    asyncio.run(ask_each_minute())
    assert n_kept == [40, 40, 40]


def test_a_clock_that_is_set_back_makes_no_minute_longer(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    began, hours = time.time(), 0
    monkeypatch.setattr(time, "time", lambda: began + 3600 * hours)
    for limit in ("requests_per_minute", "tokens_per_minute"):
        key = make_key(client, **{limit: 1})
        assert [ask(client, key).status_code for _ in range(2)] == [200, 429]
        hours -= 1
        assert [ask(client, key).status_code for _ in range(2)] == [200, 429]
        assert int(ask(client, key).headers["Retry-After"]) <= 60


def test_who_is_answered_or_refused_is_running_no_more() -> None:
    """More tokens than were left are no error of the request that spent them, but of the next one."""

    async def ask_three_times() -> None:
        limits, caller = admission.CallerLimits(None), Caller(id="a", name="x", tokens_per_minute=60)
        NOTES.set({"tokens": 50})
        for _ in range(2):
            await limits.enter(caller)
            await limits.leave(caller)
        with pytest.raises(ApiError, match="tokens a minute"):
            await limits.enter(caller)
        assert not limits._running

    asyncio.run(ask_three_times())


def test_an_unreachable_redis_is_no_error(make_client: MakeClient) -> None:
    client = make_client(redis_url="redis://127.0.0.1:9")
    assert ask(client).status_code == 200


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_failing_server_gets_a_pause_and_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, breaker = Clock(), admission.CircuitBreaker()
    monkeypatch.setattr(admission, "time", clock)

    def attempt(status: int | None, leaves: bool = False) -> bool:
        """Whether the breaker lets a request through, which then ends as told."""
        reached = False
        with suppress(ApiError, asyncio.CancelledError), breaker:
            reached = True
            if leaves:
                raise asyncio.CancelledError
            if status:
                raise ApiError(status, "failed", code="x")
        return reached

    assert all(attempt(status) for status in (503, 504, 503, 503, 502, *[504] * 5))  # a 502 is an answer
    assert not any(attempt(None) for _ in range(3))
    clock.now += 2.1
    assert [attempt(503), attempt(None)] == [True, False]  # one tries for all
    clock.now += 2.1
    tried = [attempt(None, leaves=True), attempt(503), attempt(None)]
    assert tried == [True, True, False]  # a caller that leaves has learnt nothing
    clock.now += 2.1
    assert [attempt(None), attempt(None), attempt(503)] == [True, True, True]


def test_callers_of_a_server_that_is_gone_are_told_at_once(make_client: MakeClient, model: LocalServer) -> None:
    client = make_client()
    model.shutdown()
    model.server_close()
    refused = [ask(client) for _ in range(6)]
    assert {response.status_code for response in refused} == {503}
    assert "failed several times" in refused[-1].json()["error"]["message"]
    assert all(int(response.headers["Retry-After"]) > 0 for response in refused)


def test_a_server_whose_streams_fail_is_spared_too(make_client: MakeClient, model: LocalServer) -> None:
    client = make_client(model_timeout_s=0.1)
    model.head_first = True
    model.may_reply.clear()
    texts = [ask(client, stream=True).text for _ in range(6)]
    model.may_reply.set()
    assert all("model_server_timeout" in text for text in texts[:5])
    assert "failed several times" in texts[5]
