"""The gateway before a real llama.cpp server."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from course_utils.deployment import start_gateway
from course_utils.processes import Server
from course_utils.prompts import to_messages
from course_utils.sql import read_schema, run_query

CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "How many singers are there?"}],
    "temperature": 0,
    "max_tokens": 12,
}
SQL = {"question": "How many singers are there?", "database": "music"}


def metric(client: httpx.Client, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def test_is_ready(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"live": True}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["n_databases"]) == (200, 1)


def test_chat_is_what_the_model_server_says(client: httpx.Client, model_server: Server) -> None:
    direct = httpx.post(f"{model_server.url}/v1/chat/completions", json=CHAT, timeout=60).json()
    through = client.post("/v1/chat/completions", json=CHAT).json()
    assert through["choices"] == direct["choices"]
    assert through["usage"]["completion_tokens"] > 0


NEUTRAL: dict[str, Any] = {
    "n": 1,
    "store": False,
    "metadata": {"run": "7"},
    "user": "u",
    "prompt_cache_key": "k",
    "service_tier": "auto",
    "modalities": ["text"],
    "response_format": {"type": "text"},
    "logit_bias": {},
    "logprobs": False,
    "tools": [],
    "tool_choice": "none",
    "parallel_tool_calls": True,
    "stream_options": {"include_usage": True},
    "stop": None,
    "stream": None,
    "prediction": None,
    "seed": 1,
}


def test_what_clients_send_by_default_changes_nothing(client: httpx.Client) -> None:
    plain = client.post("/v1/chat/completions", json=CHAT).json()
    full = client.post("/v1/chat/completions", json=CHAT | NEUTRAL).json()
    assert full.keys() == plain.keys()
    assert full["choices"] == plain["choices"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("store", True),
        ("service_tier", "priority"),
        ("modalities", ["text", "audio"]),
        ("logit_bias", {"50256": -100}),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("tool_choice", "required"),
        ("reasoning_effort", "high"),
        ("prediction", {"type": "content", "content": "SELECT"}),
        ("top_k", 40),
    ],
)
def test_what_the_server_would_not_do_is_refused(client: httpx.Client, field: str, value: object) -> None:
    response = client.post("/v1/chat/completions", json=CHAT | {field: value})
    assert response.status_code == 422
    assert response.json()["error"]["param"].startswith(field)


def test_the_model_is_listed(client: httpx.Client, model_server: Server) -> None:
    listed = client.get("/v1/models").json()
    assert (listed["object"], [model["id"] for model in listed["data"]]) == ("list", ["course"])
    assert listed["data"][0].keys() == {"id", "object", "created", "owned_by"}
    assert client.get("/v1/models/course").json() == listed["data"][0]
    assert "course" in [model["id"] for model in httpx.get(f"{model_server.url}/v1/models").json()["data"]]


@pytest.mark.parametrize("name", ["gpt-4o", "org/model", "course/x"])
def test_another_model_is_404(client: httpx.Client, name: str) -> None:
    response = client.get(f"/v1/models/{name}")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, "model_not_found")
    assert "this server has 'course'" in error["message"]


def test_the_databases_are_listed_with_the_schemas_that_prompts_show(client: httpx.Client) -> None:
    assert client.get("/v1/databases").json() == {"object": "list", "data": [{"id": "music", "object": "database"}]}
    assert "singer" in client.get("/v1/databases/music").json()["schema"]
    unknown = client.get("/v1/databases/no-such")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_database")


def test_a_stream_carries_the_same_text(client: httpx.Client) -> None:
    whole = client.post("/v1/chat/completions", json=CHAT).json()["choices"][0]["message"]["content"]
    with client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        parts = events(response)
    assert "".join(part["choices"][0]["delta"].get("content") or "" for part in parts) == whole
    assert len(parts) > 3


def test_a_stream_reports_usage_to_who_asks(client: httpx.Client) -> None:
    body = CHAT | {"stream": True, "stream_options": {"include_usage": True}}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        last = events(response)[-1]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_are_counted(client: httpx.Client, stream: bool) -> None:
    before = metric(client, "course_tokens_total", direction="completion")
    client.post("/v1/chat/completions", json=CHAT | {"max_tokens": 5, "stream": stream})
    assert metric(client, "course_tokens_total", direction="completion") == before + 5


def test_sql_asks_as_in_training(client: httpx.Client, model_server: Server, databases: Path) -> None:
    """The answer's query is the model's greedy reply to the course's own prompt."""
    schema = read_schema(databases / "music" / "music.sqlite").render()
    body = {"messages": to_messages(schema, SQL["question"]), "temperature": 0, "max_tokens": 24}
    reply = httpx.post(f"{model_server.url}/v1/chat/completions", json=body, timeout=60).json()
    answer = client.post("/v1/sql", json=SQL).json()
    assert answer["query"] in reply["choices"][0]["message"]["content"]
    assert answer["checks"].keys() == {"parses", "read_only", "executed"}
    assert bool(answer["error"]) != answer["checks"]["executed"]
    if answer["checks"]["executed"]:
        wanted = run_query(databases / "music" / "music.sqlite", answer["query"]).rows
        assert [tuple(row) for row in answer["rows"]] == wanted


def test_sql_is_counted(client: httpx.Client) -> None:
    names = [("course_queries_total", {}), ("course_requests_total", {"route": "/v1/sql", "status": "200"})]
    before = [metric(client, name, **labels) for name, labels in names]
    client.post("/v1/sql", json=SQL)
    assert [metric(client, name, **labels) for name, labels in names] == [value + 1 for value in before]
    assert metric(client, "course_requests_in_flight") == 0


@pytest.mark.parametrize("name", ["opera", "../music", "music/music", "music.sqlite"])
def test_an_unknown_database_is_404(client: httpx.Client, name: str) -> None:
    response = client.post("/v1/sql", json=SQL | {"database": name})
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("unknown_database", "database")
    assert "music" in error["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/v1/sql", b"{", 400, "not valid JSON"),
        ("/v1/sql", b'{"question": "How many?"}', 422, "database"),
        ("/v1/sql", b'{"question": " ", "database": "music"}', 422, "question"),
        ("/v1/chat/completions", b'{"messages": []}', 422, "messages"),
        (
            "/v1/chat/completions",
            b'{"messages": [{"role": "user", "content": "x"}], "n_predict": 9999}',
            422,
            "n_predict",
        ),
        (
            "/v1/chat/completions",
            b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": "5"}',
            422,
            "max_tokens",
        ),
        ("/v1/feedback", b'{"id": "x", "rating": "great"}', 422, "rating"),
        ("/v1/sql", b"x" * 300_000, 413, "larger than"),
        ("/v1/nothing", b"{}", 404, "Not Found"),
    ],
)
def test_bad_requests_in_openai_form(client: httpx.Client, path: str, body: bytes, status: int, says: str) -> None:
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    error = response.json()["error"]
    assert response.status_code == status
    assert error.keys() == {"message", "type", "param", "code"}
    assert says in error["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", '{"messages": [{"role": "user", "content": "x"}], "metadata": {"x": NaN}}'),
        ("/v1/chat/completions", '{"messages": [{"role": "user", "content": "x"}], "metadata": {"x": -Infinity}}'),
        ("/v1/chat/completions", '{"messages": [{"role": "user", "content": "x"}], "temperature": 1e999}'),
        ("/v1/chat/completions", '{"messages": [{"role": "user", "content": "x"}], "stop": "\\udc80"}'),
        ("/v1/chat/completions", '{"messages": ' + "[" * 30_000 + "]" * 30_000 + "}"),
        ("/v1/chat/completions", '{"messages": ' + "[" * 300 + "]" * 300 + "}"),
        ("/v1/feedback", '{"id": "\\ud800", "rating": "up"}'),
        ("/v1/sql", '{"question": "\\ud83d?", "database": "music"}'),
        ("/v1/sql", '{"question": ' + "9" * 5000 + ', "database": "music"}'),
    ],
)
def test_what_only_python_takes_for_json_is_refused(client: httpx.Client, path: str, body: str) -> None:
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == httpx.codes.BAD_REQUEST, response.text
    assert response.json()["error"]["code"] == "invalid_json"


def test_whole_characters_pass_however_they_are_written(client: httpx.Client) -> None:
    body = '{"id": "\\ud83d\\ude00", "rating": "up", "comment": "1.5e300"}'
    response = client.post("/v1/feedback", content=body, headers={"Content-Type": "application/json"})
    assert response.json() == {"id": "😀", "stored": True}


def schema(**keywords: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": keywords}}


SMALL = schema(  # as Pydantic writes it for a class of one optional number
    title="Count",
    type="object",
    properties={"n": {"title": "N", "anyOf": [{"type": "integer"}, {"type": "null"}]}},
    required=["n"],
    additionalProperties=False,
)


ZOD = schema(  # as the helper of OpenAI's JavaScript client and Vercel's AI SDK write it
    **{"$schema": "http://json-schema.org/draft-07/schema#"},
    type="object",
    properties={"kind": {"type": "string", "const": "count"}, "n": {"type": "number"}},
    required=["kind", "n"],
    additionalProperties=False,
)


@pytest.mark.parametrize("form", [SMALL, ZOD])
def test_a_small_schema_shapes_the_reply(client: httpx.Client, form: dict[str, Any]) -> None:
    body = CHAT | {"response_format": form}
    assert client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"].startswith("{")


@pytest.mark.parametrize(
    "form",
    [
        schema(type="string", pattern="(a?){50}(a?){50}(a?){50}"),
        schema(**{"$defs": {"d": {"anyOf": [{"$ref": "#/$defs/d"}] * 2}}, "$ref": "#/$defs/d"}),
        schema(type="array", items={"type": "string"}, maxItems=2000),
        schema(type="object", properties={f"p{i}": {"type": "string"} for i in range(200)}),
        schema(enum=["x" * 5000]),
        {"type": "json_object", "schema": {"type": "string", "pattern": "a"}},
        {"type": "grammar", "grammar": "root ::= root root"},
    ],
)
def test_a_schema_that_stalls_the_model_server_is_refused(client: httpx.Client, form: dict[str, Any]) -> None:
    response = client.post("/v1/chat/completions", json=CHAT | {"response_format": form})
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.json()["error"]["param"].startswith("response_format")


def test_an_image_is_refused(client: httpx.Client) -> None:
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    response = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": parts}]})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "unsupported_content")
    text = {"messages": [{"role": "user", "content": parts[:1]}], "max_tokens": 2}
    assert client.post("/v1/chat/completions", json=text).status_code == httpx.codes.OK


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("HEAD", "/v1/sql", "POST"), ("DELETE", "/metrics", "GET, HEAD"), ("PUT", "/v1/admin/keys", "GET, HEAD, POST")],
)
def test_another_method_is_told_the_right_one(client: httpx.Client, method: str, path: str, allow: str) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, allow)


@pytest.mark.parametrize("path", ["/health/live", "/v1/models", "/v1/databases/zoo", "/v1/models/none", "/docs"])
def test_head_says_what_get_would_without_a_body(client: httpx.Client, path: str) -> None:
    wanted, response = client.get(path), client.head(path)
    assert (response.status_code, response.content) == (wanted.status_code, b"")
    for name in ("content-length", "content-type"):
        assert response.headers[name] == wanted.headers[name]
    assert client.get(path).content == wanted.content, "on the same connection"


def test_methods_that_callers_invent_share_one_label(client: httpx.Client) -> None:
    for method in ("PROPFIND", "MKCOL", "REPORT"):
        assert client.request(method, "/v1/sql").status_code == httpx.codes.METHOD_NOT_ALLOWED
    for index in range(3):
        assert client.request(f"INVENTED{index}", "/v1/sql").status_code == httpx.codes.BAD_REQUEST
    assert metric(client, "course_requests_total", route="/v1/sql", method="other") >= 3
    metrics = client.get("/metrics").text
    assert not [method for method in ("INVENTED", "PROPFIND") if method in metrics]


def test_a_web_socket_is_not_offered(client: httpx.Client) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    assert client.get("/health/live", headers=headers).json() == {"live": True}


def test_an_unannounced_large_body_is_413(client: httpx.Client) -> None:
    response = client.post("/v1/sql", content=(b"x" * 10_000 for _ in range(40)))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "http_413")


def test_paths_that_callers_invent_share_one_label(client: httpx.Client) -> None:
    for index in range(3):
        client.get(f"/invented/{index}")
    assert metric(client, "course_requests_total", route="unknown", method="GET", status="404") >= 3
    assert "/invented" not in client.get("/metrics").text


def test_feedback_is_kept(client: httpx.Client, feedback_file: Path) -> None:
    sent = {"id": "sql-1", "rating": "down", "database": "music", "question": "?", "correction": "SELECT 'é'"}
    assert client.post("/v1/feedback", json=sent).status_code == 201
    kept = json.loads(feedback_file.read_text("utf-8").splitlines()[-1])
    assert sent.items() <= kept.items()
    assert kept["time"].endswith("+00:00")


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"correction": "SELECT nothing FROM singer"}, 409),
        ({"correction": "DROP TABLE singer"}, 409),
        ({"correction": "just text"}, 409),
        ({"correction": "SELECT 1", "database": None}, 404),
        ({"correction": "SELECT 1", "database": "opera"}, 404),
        ({"comment": "x" * 2001}, 422),
        ({"id": "x" * 201}, 422),
    ],
)
def test_feedback_that_teaches_nothing_is_refused(
    client: httpx.Client, feedback_file: Path, wrong: dict[str, str | None], status: int
) -> None:
    client.post("/v1/feedback", json={"id": "sql-1", "rating": "up"})
    before = feedback_file.read_bytes()
    response = client.post("/v1/feedback", json={"id": "sql-1", "rating": "down", "database": "music"} | wrong)
    assert (response.status_code, feedback_file.read_bytes()) == (status, before)


def test_feedback_ends_where_its_file_is_full(model_server: Server, databases: Path, tmp_path: Path) -> None:
    settings = {"COURSE_FEEDBACK_FILE": str(tmp_path / "f" / "feedback.jsonl"), "COURSE_MAX_FEEDBACK_BYTES": "1000"}
    row = {"id": "x", "rating": "up", "comment": "y" * 100}
    with (
        start_gateway(model_server.url, databases, settings=settings) as gateway,
        httpx.Client(base_url=gateway.url, trust_env=False) as guarded,
    ):
        responses = [guarded.post("/v1/feedback", json=row) for _ in range(6)]
        (tmp_path / "f").rename(tmp_path / "g")
        (tmp_path / "f").touch()  # a file where the folder was: nothing can be written there
        lost = guarded.post("/v1/feedback", json=row)
    kept = [json.loads(line) for line in (tmp_path / "g" / "feedback.jsonl").read_text("utf-8").splitlines()]
    statuses = [response.status_code for response in responses]
    assert statuses == [201] * len(kept) + [429] * (6 - len(kept))
    assert 0 < len(kept) < 6
    assert int(responses[-1].headers["Retry-After"]) > 0
    assert (lost.status_code, lost.json()["error"]["code"]) == (503, "feedback_failed")


def test_a_key_is_asked_for(model_server: Server, databases: Path) -> None:
    key = {"COURSE_API_KEY": "open-sesame"}
    with (
        start_gateway(f"{model_server.url}/v1", databases, settings=key) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as guarded,
    ):
        statuses = {
            header: guarded.post("/v1/sql", json=SQL, headers={"Authorization": header} if header else {}).status_code
            for header in (
                "",
                "Bearer wrong",
                "open-sesame",
                "Basic open-sesame",
                "Bearer open-sesame",
                "bearer open-sesame",
            )
        }
        feedback = guarded.post(
            "/v1/feedback", json={"id": "x", "rating": "up"}, headers={"Authorization": "Bearer open-sesame"}
        )
        listed = [guarded.get(path).status_code for path in ("/v1/models", "/v1/databases", "/v1/databases/music")]
        operations = [guarded.get(path).status_code for path in ("/health/ready", "/metrics")]
        log = gateway.read_log()
    assert list(statuses.values()) == [401, 401, 401, 401, 200, 200]
    assert listed == [401, 401, 401]
    assert operations == [200, 401]
    assert (feedback.status_code, feedback.json()["error"]["code"]) == (404, "feedback_off")
    assert "sesame" not in log
