import asyncio
import json
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from course_utils.deployment.gateway.chat import ChatRequest, _relay
from course_utils.deployment.gateway.metrics import NOTES, GatewayMetrics
from tests.http_servers import LocalServer
from tests.unit.deployment.gateway.conftest import MakeClient

CHAT = {"messages": [{"role": "user", "content": "hello"}]}


def test_each_model_has_a_server_and_more_to_say_to_it(make_client: MakeClient, model: LocalServer, url: str) -> None:
    base = {"url": f"{url}/v1", "body": {"model": "course", "lora": [{"id": 0, "scale": 0}]}}
    client = make_client(models=json.dumps({"base": base}))
    assert [each["id"] for each in client.get("/v1/models").json()["data"]] == ["course", "base"]
    for name in (None, "course", "base"):
        assert client.post("/v1/chat/completions", json=CHAT | {"model": name}).status_code == 200
    assert [body["model"] for body in model.asked] == ["course"] * 3
    assert [body.get("lora") for body in model.asked] == [None, None, [{"id": 0, "scale": 0}]]


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/sql", {"question": "?", "database": "music"})]
)
def test_an_unknown_model_is_404(make_client: MakeClient, path: str, body: dict[str, object]) -> None:
    refused = make_client().post(path, json=body | {"model": "gpt-4o"})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "this server has 'course'" in error["message"]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("max_tokens", [2, 2.0], ["2", True, 2.5, 0]),
        ("n", [1, 1.0], [True, "1", 2]),
        ("store", [False], [0, 0.0, True]),
        ("temperature", [1, 0.5], ["0.5", True]),
        ("seed", [2**53 - 1], [2**53]),
        ("logprobs", [False], [0, "no"]),
    ],
)
def test_numbers_are_what_json_schema_says(
    make_client: MakeClient, field: str, good: list[object], bad: list[object]
) -> None:
    client = make_client()
    for values, status in ((good, 200), (bad, 422)):
        answered = [client.post("/v1/chat/completions", json=CHAT | {field: value}).status_code for value in values]
        assert set(answered) == {status}


def test_a_reply_has_at_most_the_tokens_that_are_allowed(make_client: MakeClient, model: LocalServer) -> None:
    client = make_client(max_tokens=24)
    for wanted in (5, 24, 10**6):
        client.post("/v1/chat/completions", json=CHAT | {"max_tokens": wanted})
    client.post("/v1/chat/completions", json=CHAT)
    assert [body["max_tokens"] for body in model.asked] == [5, 24, 24, 24]


def test_openapi_tells_the_statuses_that_occur(make_client: MakeClient, tmp_path: Path) -> None:
    page = make_client(keys_file=tmp_path / "keys.sqlite").get("/openapi.json").json()
    told, feedback = page["paths"], page["components"]["schemas"]["Feedback"]
    assert told["/v1/sql"]["post"]["responses"].keys() >= {"200", "401", "404", "413", "422", "429", "503", "504"}
    assert told["/v1/admin/keys"]["post"]["responses"].keys() >= {"201", "401", "403", "404"}
    assert told["/v1/admin/reviews"]["post"]["responses"].keys() >= {"201", "401", "403", "404", "409", "422", "429"}
    assert "text/plain" in told["/metrics"]["get"]["responses"]["200"]["content"]
    assert "text/event-stream" in told["/v1/chat/completions"]["post"]["responses"]["200"]["content"]
    assert all(each.get("description") for path in told.values() for each in path.values())
    assert "must run" in feedback["properties"]["correction"]["description"]


@pytest.mark.parametrize(
    ("method", "path", "more", "says"),
    [
        ("POST", "/chat/completions", {"json": CHAT}, "/v1/chat/completions"),
        ("POST", "/v1/responses", {"json": {"model": "course", "input": "hi"}}, "/v1/chat/completions"),
        ("GET", "/v1/sql", {}, "the header Allow lists the methods"),
        ("POST", "/v1/sql", {"content": b"{}"}, "the header 'Content-Type: application/json'"),
        ("POST", "/v1/chat/completions", {"content": b"{}"}, "the header 'Content-Type: application/json'"),
    ],
)
def test_a_refusal_says_what_to_do(
    make_client: MakeClient, method: str, path: str, more: dict[str, Any], says: str
) -> None:
    assert says in make_client().request(method, path, **more).json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/sql/", "/v1/admin/keys/", "/metrics/", "//v1/models", "/v1/%2e%2e/metrics"])
def test_no_path_is_redirected(make_client: MakeClient, path: str) -> None:
    """A redirect for a trailing slash would lead to the ``Host`` that the caller sent."""
    headers = {"Host": "evil.example", "Authorization": "Bearer key"}
    refused = make_client(api_key="key").post(path, json={}, headers=headers, follow_redirects=False)
    assert refused.status_code == 404
    assert "Location" not in refused.headers


def test_what_is_checked_is_what_is_asked_where_a_name_stands_twice(
    make_client: MakeClient, model: LocalServer
) -> None:
    body = '{"messages": [{"role": "user", "content": "a"}], "max_tokens": 1, "max_tokens": 99, "n": 2, "n": 1}'
    client = make_client(max_tokens=24)
    assert client.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"}).is_success
    assert (model.asked[0]["max_tokens"], "n" in model.asked[0]) == (24, False)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application"]
)
def test_only_a_body_declared_as_json_is_read(make_client: MakeClient, tmp_path: Path, kind: str) -> None:
    """A browser lets any site send these types without asking first (CORS), but not application/json."""
    client = make_client(keys_file=tmp_path / "keys.sqlite", api_key="key", key="key")
    made = client.post("/v1/admin/keys", content=b'{"name": "x"}', headers={"Content-Type": kind} if kind else {})
    assert made.status_code == 422
    assert client.get("/v1/admin/keys").json()["data"] == []


@pytest.mark.parametrize("charset", ["utf-16", "utf-32"])
def test_json_is_utf_8_whatever_else_is_claimed(make_client: MakeClient, charset: str) -> None:
    body = json.dumps(CHAT | {"user": "é"}, ensure_ascii=False).encode(charset)
    headers = {"Content-Type": f"application/json; charset={charset}"}
    assert make_client().post("/v1/chat/completions", content=body, headers=headers).status_code == 400


SCHEMA: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": [{}] * 20_000}}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [1] * 30_000}),
        ("/v1/chat/completions", CHAT | {"modalities": [1] * 30_000}),
        ("/v1/chat/completions", CHAT | {"response_format": SCHEMA}),
        ("/v1/chat/completions", CHAT | {f"x{number}": 1 for number in range(6000)}),
        ("/v1/sql", {f"x{number}": 1 for number in range(6000)}),
    ],
    ids=["messages", "modalities", "schema", "fields", "fields of another"],
)
def test_a_refusal_stays_short_however_much_is_wrong(make_client: MakeClient, path: str, body: dict[str, Any]) -> None:
    client = make_client()
    compact = json.dumps(body, separators=(",", ":"))
    assert len(compact) < 65_536
    began = time.process_time()
    refused = client.post(path, content=compact, headers={"Content-Type": "application/json"})
    assert time.process_time() - began < 0.5
    assert refused.status_code == 422
    assert len(refused.content) < 2000


def test_a_caller_who_leaves_a_stream_pays_for_its_tokens() -> None:
    async def written() -> AsyncIterator[dict[str, Any]]:
        for _ in range(9):
            yield {"choices": [{"delta": {"content": "x"}}]}
        yield {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 9}}

    async def read(n_events: int) -> int:
        NOTES.set({"tokens": 0, "cache": "off", "began": 0.0})
        async with aclosing(_relay(written(), asked, GatewayMetrics())) as relayed:
            for _ in range(n_events):
                await anext(relayed)
        return int(NOTES.get()["tokens"])

    asked = ChatRequest.model_validate(CHAT | {"user": "x" * 4000})
    left, later, whole = (asyncio.run(read(n_events)) for n_events in (3, 9, 10))
    assert 1000 < left == later - 6 < 1500
    assert whole == 109
    asked = ChatRequest.model_validate(CHAT)
    assert asyncio.run(read(1)) < 20, "fields that nobody sent cost nothing"


def test_the_last_usage_of_a_stream_counts() -> None:
    async def written() -> AsyncIterator[dict[str, Any]]:
        for n in range(1, 6):
            yield {"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 100, "completion_tokens": n}}

    async def read(n_events: int) -> int:
        NOTES.set({"tokens": 0, "cache": "off", "began": 0.0})
        async with aclosing(_relay(written(), ChatRequest.model_validate(CHAT), GatewayMetrics())) as relayed:
            for _ in range(n_events):
                await anext(relayed)
        return int(NOTES.get()["tokens"])

    assert [asyncio.run(read(n_events)) for n_events in (2, 6)] == [102, 105]


def test_many_who_ask_whether_it_is_ready_make_one_check(make_client: MakeClient, model: LocalServer) -> None:
    client = make_client()
    model.may_reply.clear()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.get, "/health/ready") for _ in range(8)]
        time.sleep(0.5)
        model.may_reply.set()
        assert {each.result().json()["model_server"] for each in asked} == {""}
    assert model.n_looks == 1
    client.get("/health/ready")
    assert model.n_looks == 2
