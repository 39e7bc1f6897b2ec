"""``/v1/chat/completions``: OpenAI's chat, whole or streamed, passed on to the model server."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Annotated, Any, Literal, Self

from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, BeforeValidator, Field, StrictBool, TypeAdapter, WithJsonSchema, model_validator
from starlette.types import Receive, Scope, Send

from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.metrics import NOTES, GatewayMetrics
from course_utils.deployment.gateway.model_client import ModelClient
from course_utils.deployment.gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)
_MAX_SCHEMA_BYTES = 4096
_BOOL = BeforeValidator(TypeAdapter(StrictBool).validate_python)  # or 0 would pass, which equals False in Python
_ONE_ERROR: Any = Field(fail_fast=True)  # or a list of thousands of errors would keep everybody waiting
_MAX_SEED = 2**53 - 1  # many JSON parsers round larger integers
_BYTES_PER_TOKEN = 4  # an estimate, where the server has not counted


class ContentPart(BaseModel):
    """A part of a message; only text is supported."""

    type: Annotated[str, WithJsonSchema({"const": "text"})]
    text: str = ""


class ChatMessage(BaseModel):
    """One message. Other fields that a reply had, such as ``refusal``, may be sent back with it and are ignored."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[ContentPart], _ONE_ERROR]


class NeutralFields(BaseModel):
    """Fields that clients send by default or for their own records, each with the values that change nothing.

    The model server does not get them, so any value that would change the reply is refused.
    """

    n: Annotated[int, Field(ge=1, le=1, strict=True)] | None = None
    store: Annotated[Literal[False], _BOOL] | None = None
    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    modalities: Annotated[list[Literal["text"]], _ONE_ERROR] | None = None
    reasoning_effort: Literal["none"] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    prediction: None = None
    audio: None = None


class JsonSchema(BaseModel, extra="forbid", strict=True):
    """A JSON Schema of keywords that compile fast, because the model server lets all its users wait meanwhile.

    A ``pattern``, a chain of ``$ref`` or a repetition of a few hundred bytes may take minutes.
    """

    type: str | Annotated[list[str], _ONE_ERROR] | None = None
    title: str | None = None
    description: str | None = None
    properties: dict[str, "JsonSchema"] | None = None
    required: Annotated[list[str], _ONE_ERROR] | None = None
    additionalProperties: "bool | JsonSchema | None" = None  # noqa: N815 - as the standard spells it
    items: "JsonSchema | None" = None
    anyOf: Annotated[list["JsonSchema"], _ONE_ERROR] | None = None  # noqa: N815
    enum: Annotated[list[str | int | float | bool | None], _ONE_ERROR] | None = None
    const: str | int | float | bool | None = None
    dialect: str | None = Field(None, alias="$schema")


class NamedSchema(BaseModel, extra="forbid", strict=True):
    """A JSON Schema as OpenAI's clients wrap it."""

    name: str = ""
    strict: bool | None = None
    json_schema: JsonSchema | None = Field(None, alias="schema")


class ResponseFormat(BaseModel, extra="forbid"):
    """The form of a reply. A schema's size is limited, because the time to compile it grows with the square."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None

    @model_validator(mode="after")
    def _is_small(self) -> Self:
        if len(self.model_dump_json(exclude_none=True)) > _MAX_SCHEMA_BYTES:
            raise ValueError(f"the schema is larger than {_MAX_SCHEMA_BYTES} bytes; shorten it")
        return self


_HAS_LOGPROBS = {"properties": {"logprobs": {"const": True}}, "required": ["logprobs"]}
_ALTERNATIVES_NEED_LOGPROBS: Any = {"anyOf": [{"properties": {"top_logprobs": {"type": "null"}}}, _HAS_LOGPROBS]}


class ChatRequest(NeutralFields, extra="forbid", strict=True, json_schema_extra=_ALTERNATIVES_NEED_LOGPROBS):
    """A chat. A model server's own fields are refused, because some would lift the limit on tokens."""

    messages: Annotated[list[ChatMessage], _ONE_ERROR] = Field(min_length=1)
    model: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    seed: int | None = Field(None, ge=-_MAX_SEED, le=_MAX_SEED)
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    response_format: ResponseFormat | None = None
    user: str | None = None


_NOT_PASSED_ON = {"model", "max_completion_tokens", "stream_options", *NeutralFields.model_fields}


def to_body(request: ChatRequest, settings: GatewaySettings) -> dict[str, Any]:
    """The body for the model server: the fields that change the reply, and at most ``settings.max_tokens``.

    Raises:
        ApiError: 400 if a message has parts other than text.
    """
    parts = [part for message in request.messages if isinstance(message.content, list) for part in message.content]
    if other := next((part.type for part in parts if part.type != "text"), None):
        message = f"content of type {other!r} is not supported; send text only"
        raise ApiError(400, message, code="unsupported_content", param="messages")
    body = request.model_dump(by_alias=True, exclude_none=True, exclude=_NOT_PASSED_ON)
    wanted = request.max_completion_tokens or request.max_tokens or settings.max_tokens
    body["max_tokens"] = min(wanted, settings.max_tokens)  # "at most", as OpenAI has it
    if request.stream:
        body["stream_options"] = {"include_usage": True}  # the only way to count a stream's tokens
    return body


async def chat(
    request: ChatRequest, settings: GatewaySettings, client: ModelClient, metrics: GatewayMetrics
) -> Response:
    """Ask the model server and return its reply, as JSON or as server-sent events.

    Raises:
        ApiError: As ``to_body`` and ``ModelClient.complete``.
    """
    body = to_body(request, settings)
    if not request.stream:
        reply, usage = await client.complete(body)
        metrics.count_reply(usage)
        return Response(reply, media_type="application/json")
    async with AsyncExitStack() as opened:
        events = await opened.enter_async_context(client.stream(body))
        relayed = await opened.enter_async_context(aclosing(_relay(events, request, metrics)))
        return _ClosingStream(relayed, opened.pop_all())


class _ClosingStream(StreamingResponse):
    """A streamed response that closes the model server's stream when it ends or the caller disconnects."""

    def __init__(self, events: AsyncIterator[str], opened: AsyncExitStack) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self.opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        async with self.opened:
            await super().__call__(scope, receive, send)


async def _relay(
    events: AsyncIterator[dict[str, Any]], request: ChatRequest, metrics: GatewayMetrics
) -> AsyncGenerator[str]:
    """Pass events on as text; where the stream ends before the server reports its tokens, count an estimate."""
    n_pieces, usage = 0, None
    try:
        async for event in events:
            choices = event.get("choices")
            if choices and choices[0].get("delta", {}).get("content"):
                n_pieces += 1
                if n_pieces == 1:
                    metrics.first_token_seconds.observe(time.perf_counter() - NOTES.get()["began"])
            if event.get("usage"):
                usage = event["usage"]  # cumulative: some servers report it with each event
                if not choices and not (request.stream_options or {}).get("include_usage"):
                    continue
            yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
    except ApiError as error:  # the status is sent already, so an event has to report it
        logger.warning("a stream broke off: %s (%s)", error.detail, type(error.__cause__).__name__)  # no text of users
        yield _to_event(error.detail, error.code)
    except asyncio.CancelledError:  # at shutdown, or because the caller has disconnected
        yield _to_event("the gateway is stopping; ask again", "stopping")
    finally:
        if usage:
            metrics.count_reply(usage)
        else:
            n_bytes = len(request.model_dump_json(exclude_none=True))
            NOTES.get()["tokens"] += n_bytes // _BYTES_PER_TOKEN + n_pieces
    yield "data: [DONE]\n\n"


def _to_event(message: str, code: str) -> str:
    return f"data: {json.dumps({'error': {'message': message, 'type': 'server_error', 'code': code}})}\n\n"
