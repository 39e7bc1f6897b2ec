import asyncio
import subprocess

import httpx
import pytest

from course_utils.deployment.gateway import model_client
from course_utils.deployment.gateway.model_client import ReplyCache
from tests.http_servers import LocalServer
from tests.unit.deployment.gateway.conftest import MakeClient, TestClient

CHAT = {"messages": [{"role": "user", "content": "hello"}], "temperature": 0}


def ask(client: TestClient, **changes: object) -> tuple[str, httpx.Response]:
    """The ``X-Cache`` of a response, and the response."""
    response = client.post("/v1/chat/completions", json=CHAT | changes)
    assert response.status_code == httpx.codes.OK
    return response.headers["X-Cache"], response


def test_the_same_request_is_answered_from_the_cache(make_client: MakeClient, model: LocalServer) -> None:
    client = make_client(cache_s=60)
    (first, made), (second, kept) = ask(client), ask(client)
    assert (first, second, kept.json()) == ("miss", "hit", made.json())
    assert len(model.asked) == 1
    metrics = client.get("/metrics").text
    assert 'course_cache_total{state="hit"} 1.0' in metrics
    assert 'course_tokens_total{direction="completion"} 20.0' in metrics


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [{"role": "user", "content": "hello "}]},
        {"max_tokens": 3},
        {"seed": 1},
        {"stop": ";"},
        {"response_format": {"type": "json_object"}},
        {"model": "other"},
    ],
)
def test_every_field_that_changes_the_answer_is_part_of_the_key(
    make_client: MakeClient, url: str, change: object
) -> None:
    client = make_client(
        cache_s=60, models=f'{{"other": {{"url": "{url}", "body": {{"model": "course", "lora": []}}}}}}'
    )
    assert [ask(client)[0], ask(client, **change)[0], ask(client, **change)[0]] == ["miss", "miss", "hit"]


@pytest.mark.parametrize("change", [{"temperature": 0.1}, {"temperature": None}, {"stream": True}])
def test_sampled_and_streamed_replies_are_not_kept(make_client: MakeClient, change: object) -> None:
    client = make_client(cache_s=60)
    assert [ask(client, **change)[0] for _ in range(2)] == ["off", "off"]


def test_without_seconds_nothing_is_kept(make_client: MakeClient) -> None:
    assert [ask(make_client())[0] for _ in range(2)] == ["off", "off"]


def test_another_version_is_another_model(
    make_client: MakeClient, redis: tuple[str, "subprocess.Popen[bytes]"]
) -> None:
    url, process = redis
    clients = [make_client(cache_s=60, redis_url=url, model_version=version) for version in ("1", "1", "2")]
    assert [ask(client)[0] for client in clients] == ["miss", "hit", "miss"]
    process.kill()
    process.wait()
    assert [ask(clients[0])[0] for _ in range(2)] == ["miss", "hit"]


def test_memory_keeps_the_newest_and_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> list[bytes | None]:
        cache = ReplyCache(None, 60)
        for key in ("a", "b", "c", "b"):
            await cache.put(key, key.encode() * 40)
        await cache.put("d", b"d" * 20)
        return [await cache.get(key) for key in "abcd"]

    monkeypatch.setattr(model_client, "_MAX_KEPT_BYTES", 100)
    assert asyncio.run(fill()) == [None, b"b" * 40, b"c" * 40, b"d" * 20]


def test_a_reply_is_kept_for_its_time() -> None:
    async def wait() -> list[bytes | None]:
        cache = ReplyCache(None, 0.1)
        await cache.put("a", b"reply")
        found = [await cache.get("a")]
        await asyncio.sleep(0.11)
        return [*found, await cache.get("a")]

    assert asyncio.run(wait()) == [b"reply", None]
