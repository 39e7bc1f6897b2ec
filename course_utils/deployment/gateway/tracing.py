"""Traces from request to model to SQL, without a word of either; their libraries are loaded where somebody wants them.

Names that begin with ``gen_ai`` are those of the GenAI conventions, which the core of OpenTelemetry has given away:
https://github.com/open-telemetry/semantic-conventions-genai/tree/v0.1.0.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.trace import SpanKind

TRACER = trace.get_tracer(__name__)
"""Its spans go nowhere until ``start_tracing`` says where to."""


def start_tracing(app: FastAPI) -> None:
    """Send a trace of each request to ``/v1`` to ``OTEL_EXPORTER_OTLP_ENDPOINT`` by OTLP over HTTP, if it is set."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")  # HTTP's stable names, not those of before 2023
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_SERVICE_NAME", "course-gateway")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    polls = "^[a-z]+://[^/]*/(?!v1/)"  # looked for in a whole address, whose host may be called anything
    FastAPIInstrumentor.instrument_app(app, excluded_urls=polls, exclude_spans=["receive", "send"])


@contextmanager
def trace_model(model: str) -> Iterator[dict[str, int]]:
    """The span of one request to a model server, the wait for its turn included; the dict takes its ``usage``."""
    names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model}
    usage: dict[str, int] = {}
    # Not made the current span: a stream ends in another context than it began in.
    span = TRACER.start_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=names)
    try:
        yield usage
    finally:
        for name, ours in {"input": "prompt_tokens", "output": "completion_tokens"}.items():
            if usage.get(ours):
                span.set_attribute(f"gen_ai.usage.{name}_tokens", usage[ours])
        span.end()
