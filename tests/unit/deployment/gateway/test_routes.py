import json
from http.server import ThreadingHTTPServer
from pathlib import Path

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


def test_openapi_tells_the_statuses_that_occur(make_client: MakeClient, tmp_path: Path) -> None:
    told = make_client(keys_file=tmp_path / "keys.sqlite").get("/openapi.json").json()["paths"]
    assert told["/v1/sql"]["post"]["responses"].keys() >= {"200", "401", "404", "413", "422", "429", "503", "504"}
    assert told["/v1/admin/keys"]["post"]["responses"].keys() >= {"201", "401", "403", "404"}
    assert "text/plain" in told["/metrics"]["get"]["responses"]["200"]["content"]
    assert "text/event-stream" in told["/v1/chat/completions"]["post"]["responses"]["200"]["content"]
