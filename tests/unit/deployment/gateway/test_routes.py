import json
from http.server import ThreadingHTTPServer

import pytest

from tests.unit.deployment.gateway.conftest import MakeClient

CHAT = {"messages": [{"role": "user", "content": "hello"}]}


def test_each_model_has_a_server_and_more_to_say_to_it(
    make_client: MakeClient, model: ThreadingHTTPServer, url: str
) -> None:
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


def test_a_request_keeps_a_plain_id_and_gets_one_otherwise(make_client: MakeClient) -> None:
    client = make_client()
    responses = [client.get("/health/live", headers={"X-Request-ID": sent}) for sent in ("a-1", "a\tb", "x" * 65)]
    ids = [response.headers["X-Request-ID"] for response in responses]
    assert ids[0] == "a-1"
    assert all(len(made) == 32 for made in ids[1:])


def test_browsers_may_call_from_the_named_pages_alone(make_client: MakeClient) -> None:
    closed, opened = make_client(), make_client(cors_origins="https://a.example, https://b.example")
    for client, origin, allowed in (
        (closed, "https://a.example", None),
        (opened, "https://b.example", "https://b.example"),
        (opened, "https://evil.example", None),
    ):
        response = client.get("/v1/models", headers={"Origin": origin})
        assert response.headers.get("Access-Control-Allow-Origin") == allowed


def test_openapi_tells_the_statuses_that_occur(make_client: MakeClient) -> None:
    told = make_client().get("/openapi.json").json()["paths"]
    assert told["/v1/sql"]["post"]["responses"].keys() >= {"200", "401", "404", "413", "422", "429", "503", "504"}
    assert told["/v1/admin/keys"]["post"]["responses"].keys() >= {"201", "401", "403", "404"}
