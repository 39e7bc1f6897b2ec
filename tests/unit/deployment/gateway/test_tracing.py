"""A real gateway's traces reach a real receiver; without one, the exporter is not even imported."""

import gzip
import os
import queue
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from course_utils.deployment import start_gateway
from course_utils.sql import find_database
from tests.http_servers import JsonHandler, LocalServer, serve

DATA = Path(__file__).resolve().parents[4] / "data"
# FastAPI and Redis load what describes traces by themselves.
SENDERS = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "opentelemetry.instrumentation")
QUESTION = "How many secrets does ana@example.org have?"


class Receiver(JsonHandler):
    """What a collector of traces answers."""

    def do_POST(self) -> None:
        body = self.read_body()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.got.put((self.path, body))
        self.answer(b"")


@pytest.fixture
def receiver() -> Iterator[LocalServer]:
    with serve(Receiver, got=queue.Queue()) as server:
        yield server


def attributes_of(span: object) -> dict[str, object]:
    kinds = {"string_value", "int_value"}
    return {
        each.key: getattr(each.value, kind)
        for each in span.attributes  # type: ignore[attr-defined]
        if (kind := each.value.WhichOneof("value")) in kinds
    }


def test_a_question_is_one_trace_and_a_streamed_reply_counts_its_tokens_too(
    url: str, receiver: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = find_database(DATA, "zoo", tmp_path / "built")
    (tmp_path / "databases" / "zoo").mkdir(parents=True)
    shutil.copy(built, tmp_path / "databases" / "zoo" / "zoo.sqlite")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with start_gateway(url, tmp_path / "databases") as gateway:
        assert httpx.get(f"{gateway.url}/health/live", trust_env=False).is_success
        for host in ("metrics", "health:8000"):  # a host's name must not decide which paths are traced
            assert httpx.get(f"{gateway.url}/v1/models", headers={"Host": host}, trust_env=False).is_success
        question = {"question": QUESTION, "database": "zoo"}
        asked = httpx.post(f"{gateway.url}/v1/sql", params={"q": "ana@example.org"}, json=question, trust_env=False)
        assert asked.is_success
        assert httpx.post(f"{gateway.url}/v1/sql", json=question | {QUESTION: 1}, trust_env=False).is_client_error
        chat = {"model": "course", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
        assert "SELECT 1" in httpx.post(f"{gateway.url}/v1/chat/completions", json=chat, trust_env=False).text
    found, bodies = [], b""
    while not receiver.got.empty():
        path, body = receiver.got.get()
        assert path == "/v1/traces"
        bodies += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            found += [span for scope in resource.scope_spans for span in scope.spans]
    request, query, streamed = (
        next(span for span in found if span.name == name)
        for name in ("POST /v1/sql", "query", "POST /v1/chat/completions")
    )
    children = {each.span_id: [span for span in found if span.parent_span_id == each.span_id] for each in found}
    assert sorted(span.name for span in children[request.span_id]) == ["chat course", "query"]
    assert [span.name for span in children[streamed.span_id]] == ["chat course"]
    assert [span.name for span in found].count("GET /v1/models") == 2
    assert len(found) == 8
    for root in (request, streamed):
        assert {span.trace_id for span in children[root.span_id]} == {root.trace_id}
        (model,) = (span for span in children[root.span_id] if span.name == "chat course")
        assert attributes_of(model) == {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "course",
            "gen_ai.usage.input_tokens": 30,
            "gen_ai.usage.output_tokens": 20,
        }
    assert attributes_of(query) == {"db.namespace": "zoo", "course.query.outcome": "executed"}
    assert b"course-gateway" in bodies
    assert not any(text in bodies for text in (b"example.org", b"SELECT 1"))


def test_without_an_endpoint_nothing_that_could_send_a_trace_is_imported(tmp_path: Path) -> None:
    code = f"""
import sys
from course_utils.deployment.gateway.app import create_app
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.deployment.gateway.tracing import start_tracing, trace_model
start_tracing(create_app(GatewaySettings(model_url="http://127.0.0.1:1", databases={str(tmp_path)!r})))
with trace_model("course") as usage:
    usage["prompt_tokens"] = 1
sys.exit(any(name.startswith({SENDERS}) for name in sys.modules))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
