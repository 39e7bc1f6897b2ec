"""Traces of a request, its model and its query, without any of their text; the SDK is imported only if it is used.

Names that begin with ``gen_ai`` follow the GenAI conventions, which have moved out of OpenTelemetry's core:
https://github.com/open-telemetry/semantic-conventions-genai/tree/v0.1.0.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.trace import SpanKind

TRACER = trace.get_tracer(__name__)
"""Its spans are dropped unless ``start_tracing`` has set an exporter."""


def start_tracing(app: FastAPI) -> None:
    """Export a trace of each request to ``/v1`` by OTLP over HTTP, if ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")  # the stable attribute names of HTTP
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_SERVICE_NAME", "course-gateway")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    polls = "^[a-z]+://[^/]*/(?!v1/)"  # searched for in the whole URL, whose host may be any
    options: Any = {"excluded_urls": polls, "exclude_spans": ["receive", "send"]}
    # The API reads no query string, but some callers put a key or a question there.
    options["server_request_hook"] = lambda span, _: span.set_attribute("url.query", "")
    FastAPIInstrumentor.instrument_app(app, **options)


@contextmanager
def trace_model(model: str) -> Iterator[dict[str, int]]:
    """Open a span for one request to a model server, its wait included; put its ``usage`` into the yielded dict."""
    names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model}
    usage: dict[str, int] = {}
    # Not the current span, because a stream ends in another context than it began in.
    span = TRACER.start_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=names)
    try:
        yield usage
    finally:
        for name, ours in {"input": "prompt_tokens", "output": "completion_tokens"}.items():
            if usage.get(ours):
                span.set_attribute(f"gen_ai.usage.{name}_tokens", usage[ours])
        span.end()
