"""Traces from request to model to SQL, without a word of either; their libraries are loaded where somebody wants them.

Names that begin with ``gen_ai`` are those of the GenAI conventions, which the core of OpenTelemetry has given away:
https://github.com/open-telemetry/semantic-conventions-genai/tree/v0.1.0.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import SpanKind

TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,  # they would quote what was asked
    "operation_spans": False,
    "exclude": lambda scope: not scope["path"].startswith("/v1/"),
}
"""What FastAPI tells of requests by itself."""


def start_tracing() -> None:
    """Let apps made from now on send traces to ``OTEL_EXPORTER_OTLP_ENDPOINT`` by OTLP over HTTP, if there is one."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_SERVICE_NAME", "course-gateway")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    TELEMETRY["tracing"], TELEMETRY["tracer_provider"] = True, provider


@contextmanager
def trace_step(name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
    """A span of the current request, with what stands in the dict at its end; nothing where tracing is off."""
    # Not made the current span: a stream ends in another context than it began in.
    provider = TELEMETRY.get("tracer_provider")
    span = provider.get_tracer(__name__).start_span(name, kind=SpanKind.CLIENT) if provider else None
    try:
        yield attributes
    finally:
        if span:
            span.set_attributes(attributes)
            span.end()


@contextmanager
def trace_model(model: str) -> Iterator[dict[str, int]]:
    """The span of one request to a model server, the wait for its turn included; the dict takes its ``usage``."""
    names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model}
    usage: dict[str, int] = {}
    with trace_step(f"chat {model}", **names) as known:
        yield usage
        for name, ours in {"input": "prompt_tokens", "output": "completion_tokens"}.items():
            known |= {f"gen_ai.usage.{name}_tokens": usage[ours]} if usage.get(ours) else {}
