"""The gateway before a model server that misbehaves on purpose, which a real one does not do on demand."""

import json
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from course_utils.deployment import start_gateway
from course_utils.deployment.gateway.http_client import MAX_REPLY_BYTES
from course_utils.sql import run_query
from tests.http_servers import JsonHandler, LocalServer, serve
from tests.waiting import comes_true

SQL = {"question": "How many singers are there?", "database": "music"}
CHAT = {"messages": [{"role": "user", "content": "hello"}]}


def reply(content: str, usage: str = "null") -> bytes:
    """A model server's reply, made from two texts of JSON."""
    return f'{{"choices": [{{"message": {{"content": {content}}}}}], "usage": {usage}}}'.encode()


class Script(JsonHandler):
    """Does what the server's ``plan`` says."""

    n_asked = 0

    def do_GET(self) -> None:
        self.answer({})

    def do_POST(self) -> None:
        body = self.read_json()
        kind, value = self.server.plan
        Script.n_asked += 1
        if kind == "says":
            self.say(value, model="scripted")
        elif kind == "sleeps":
            time.sleep(value)
            self.answer({})
        elif kind == "takes" and body.get("stream"):
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(b'data: {"choices": [{"delta": {"content": "SEL"}}]}\n\n')
                time.sleep(value)
                self.wfile.write(b"data: [DONE]\n\n")
        elif kind == "takes":
            time.sleep(value)
            with suppress(OSError):
                self.say("SELECT 1")
        elif kind == "drips":  # never silent for long, and never done
            self.send_response(200)
            self.end_headers()
            until = time.monotonic() + value
            with suppress(OSError):
                while time.monotonic() < until:
                    self.wfile.write(b": still here\n\n")
                    time.sleep(0.2)
        elif kind == "breaks off":
            begun = b'data: {"choices": [{"delta": {"content": "SEL"}}]}\n\n'
            self.answer(begun, Content_Type="text/event-stream", Content_Length="1000")
        else:
            self.answer(value, kind)


@pytest.fixture(scope="module")
def model() -> Iterator[LocalServer]:
    with serve(Script) as server:
        yield server


@contextmanager
def gateway_before(model_url: str, databases: Path, **settings: str) -> Iterator[httpx.Client]:
    with (
        start_gateway(model_url, databases, settings=settings) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client(model: LocalServer, databases: Path) -> Iterator[httpx.Client]:
    limits = {"COURSE_MODEL_TIMEOUT_S": "2", "COURSE_QUERY_TIMEOUT_S": "0.3", "COURSE_MAX_ROWS": "2"}
    with gateway_before(model.url, databases, **limits) as client:
        yield client


@pytest.mark.parametrize(
    ("written", "checks", "says"),
    [
        ("DROP TABLE singer", (True, False, False), "that reads"),
        ("SELECT 1; DELETE FROM singer", (True, False, False), "only one statement"),
        ("PRAGMA user_version = 7", (True, False, False), "that reads"),
        ("I am sorry", (False, False, False), "syntax error"),
        ("SELECT age FROM singer", (True, True, False), "no such column"),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
            (True, True, False),
            "longer",
        ),
    ],
)
def test_bad_sql_is_reported_and_not_executed(
    client: httpx.Client,
    model: LocalServer,
    databases: Path,
    written: str,
    checks: tuple[bool, ...],
    says: str,
) -> None:
    model.plan = ("says", written)
    response = client.post("/v1/sql", json=SQL)
    answer = response.json()
    assert response.status_code == 200
    assert tuple(answer["checks"][name] for name in ("parses", "read_only", "executed")) == checks
    assert says in answer["error"]
    assert answer["rows"] == []
    assert run_query(databases / "music" / "music.sqlite", "SELECT count(*) FROM singer").rows == [(3,)]


def test_rows_come_back(client: httpx.Client, model: LocalServer) -> None:
    model.plan = ("says", "```sql\nSELECT name, 9e999 AS big, x'ff' AS raw FROM singer ORDER BY name;\n```")
    answer = client.post("/v1/sql", json=SQL).json()
    assert answer["query"] == "SELECT name, 9e999 AS big, x'ff' AS raw FROM singer ORDER BY name"
    assert answer["columns"] == ["name", "big", "raw"]
    assert answer["rows"] == [["Ana", None, "ff"], ["Ben", None, "ff"]]
    assert answer["truncated"]
    assert answer["checks"]["executed"]


@pytest.mark.parametrize(
    ("plan", "status", "code"),
    [
        (("sleeps", 4), 504, "model_server_timeout"),
        ((500, b'{"error": {"message": "out of memory"}}'), 502, "model_server_failed"),
        ((503, b"loading"), 503, "model_server_down"),
        ((200, b"<html>"), 502, "model_server_failed"),
        ((200, b"{}"), 502, "model_server_failed"),
        ((200, reply('[{"type": "text", "text": "SELECT 1"}]')), 502, "model_server_failed"),
        ((200, reply("7")), 502, "model_server_failed"),
        ((200, b'{"choices": []}'), 502, "model_server_failed"),
        ((200, reply("null", '{"completion_tokens": -5}')), 502, "model_server_failed"),
        ((200, reply("null", '{"completion_tokens": "many"}')), 502, "model_server_failed"),
        ((200, reply("null", '{"completion_tokens": 1e999}')), 502, "model_server_failed"),
        ((200, reply("null", '{"completion_tokens": NaN}')), 502, "model_server_failed"),
        ((200, reply("null", "[" * 50_000)), 502, "model_server_failed"),
        ((200, reply(f'"{"x" * MAX_REPLY_BYTES}"')), 502, "model_server_failed"),
        (("drips", 4), 504, "model_server_timeout"),
        ((400, b'{"error": {"message": "the prompt is too long"}}'), 400, "model_server_refused"),
    ],
)
def test_failures_of_the_model_server(
    client: httpx.Client, model: LocalServer, plan: tuple[object, object], status: int, code: str
) -> None:
    model.plan = plan
    bodies = {"/v1/sql": SQL, "/v1/chat/completions": CHAT}
    with ThreadPoolExecutor(len(bodies)) as pool:  # at once, because some of these plans take long
        responses = pool.map(lambda path: client.post(path, json=bodies[path]), bodies)
    for path, response in zip(bodies, responses, strict=True):
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), path
        assert ("Retry-After" in response.headers) == (status == httpx.codes.SERVICE_UNAVAILABLE)


def test_an_empty_reply_is_one(client: httpx.Client, model: LocalServer) -> None:
    model.plan = (200, reply("null", '{"completion_tokens": null}'))
    assert client.post("/v1/sql", json=SQL).json()["query"] == ""
    assert client.post("/v1/chat/completions", json=CHAT).json()["choices"][0]["message"]["content"] is None


@pytest.mark.parametrize(
    "event",
    [
        '{"choices": [{"delta": null}]}',
        '{"choices": [{"delta": {"content": ["SEL"]}}]}',
        '{"choices": {}}',
        '{"choices": [], "usage": {"prompt_tokens": -1}}',
        '{"choices": [], "usage": "much"}',
        '{"choices": [{"delta": {"content": "x"}, "logprobs": NaN}]}',
        '{"choices": ' + "[" * 50_000,
        "17",
        '{"choices": []}',  # and then nothing, although a stream ends with [DONE]
        '"' + "x" * MAX_REPLY_BYTES,
    ],
)
def test_a_stream_of_nonsense_ends_in_an_error(client: httpx.Client, model: LocalServer, event: str) -> None:
    model.plan = (200, f'data: {{"choices": [{{"delta": {{"content": "SEL"}}}}]}}\n\ndata: {event}\n\n'.encode())
    lines = [line for line in client.post("/v1/chat/completions", json=CHAT | {"stream": True}).iter_lines() if line]
    assert "SEL" in lines[0]
    assert json.loads(lines[-2].removeprefix("data: "))["error"]["code"] == "model_server_failed"
    assert lines[-1] == "data: [DONE]"


def test_a_stream_without_end_is_ended(client: httpx.Client, model: LocalServer) -> None:
    model.plan = ("drips", 4)
    lines = [line for line in client.post("/v1/chat/completions", json=CHAT | {"stream": True}).iter_lines() if line]
    assert json.loads(lines[-2].removeprefix("data: "))["error"]["code"] == "model_server_timeout"
    assert lines[-1] == "data: [DONE]"


def test_a_stream_that_breaks_off_says_so(client: httpx.Client, model: LocalServer) -> None:
    model.plan = ("breaks off", None)
    lines = [line for line in client.post("/v1/chat/completions", json=CHAT | {"stream": True}).iter_lines() if line]
    assert "SEL" in lines[0]
    assert json.loads(lines[-2].removeprefix("data: "))["error"]["code"] == "model_server_failed"
    assert lines[-1] == "data: [DONE]"


def ask_and_stop(model: LocalServer, databases: Path, n_pairs: int, **settings: str) -> list[httpx.Response]:
    """What becomes of whole requests and as many streams, two by two, of a gateway that is told to end meanwhile."""
    with (
        start_gateway(model.url, databases, settings=settings) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(2 * n_pairs) as pool,
    ):
        responses, before = [], Script.n_asked
        for _ in range(n_pairs):
            bodies = (CHAT, CHAT | {"stream": True})
            responses += [pool.submit(client.post, "/v1/chat/completions", json=body) for body in bodies]
            assert comes_true(lambda: Script.n_asked >= before + 2), "all others wait for a place"
        time.sleep(0.3)
        gateway.process.terminate()
        answered = [each.result() for each in responses]
        assert gateway.process.wait(5) == -signal.SIGTERM
        return answered


def last_lines(stream: httpx.Response) -> list[str]:
    return [line.removeprefix("data: ") for line in stream.iter_lines() if line][-2:]


def test_what_is_under_way_at_shutdown_is_answered(model: LocalServer, databases: Path) -> None:
    model.plan = ("takes", 9)
    whole, stream = ask_and_stop(model, databases, 1)
    assert whole.json()["choices"][0]["message"]["content"] == "SELECT 1"
    event, done = last_lines(stream)
    assert json.loads(event)["choices"][0]["delta"]["content"] == "SEL"
    assert done == "[DONE]"


def test_what_is_left_at_the_end_of_shutdown_is_told(model: LocalServer, databases: Path) -> None:
    """The first two take their two seconds at the model, and the next two would from then on."""
    model.plan = ("takes", 9)
    limits = {"COURSE_MODEL_TIMEOUT_S": "2", "COURSE_QUERY_TIMEOUT_S": "0.1", "COURSE_MAX_CONCURRENT": "2"}
    *first, whole, stream = ask_and_stop(model, databases, 2, **limits)
    assert first[0].json()["error"]["code"] == json.loads(last_lines(first[1])[0])["error"]["code"]
    assert first[0].json()["error"]["code"] == "model_server_timeout"
    assert (whole.status_code, whole.json()["error"]["code"]) == (503, "stopping")
    assert int(whole.headers["Retry-After"]) > 0
    error, done = last_lines(stream)
    assert (json.loads(error)["error"]["code"], done) == ("stopping", "[DONE]")


def test_an_unreachable_model_server_is_503(databases: Path) -> None:
    with gateway_before("http://127.0.0.1:9", databases) as client:
        for path, body in (("/v1/sql", SQL), ("/v1/chat/completions", CHAT | {"stream": True})):
            response = client.post(path, json=body)
            assert (response.status_code, response.json()["error"]["code"]) == (503, "model_server_down")
            assert int(response.headers["Retry-After"]) > 0
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert client.get("/health/live").status_code == httpx.codes.OK


def test_ready_while_one_database_can_be_read(model: LocalServer, databases: Path, tmp_path: Path) -> None:
    with gateway_before(model.url, tmp_path) as client:

        def ready() -> tuple[int, str, int]:
            response = client.get("/health/ready")
            said = response.json()
            assert said["ready"] == response.is_success
            return response.status_code, said["databases"], said["n_databases"]

        assert ready() == (503, "there is none", 0)
        for name in ("broken", "cracked"):
            (tmp_path / name).mkdir()
            text = "this is not a database, whatever its name says" * 20
            (tmp_path / name / f"{name}.sqlite").write_text(text)
        assert ready() == (503, "cannot read broken, cracked", 0)
        shutil.copytree(databases / "music", tmp_path / "music")
        assert ready() == (200, "cannot read broken, cracked", 1)
