"""Client of any model server that speaks OpenAI's protocol; each reply is checked before it is passed on."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, NoReturn, cast

import aiohttp
import stamina
from aiohttp.http import HttpProcessingError
from cachetools import TTLCache
from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json
from redis.asyncio import Redis
from redis.exceptions import RedisError

from course_utils.deployment.gateway.admission import BoundedQueue, CircuitBreaker
from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.http_client import HttpClient, HttpReply
from course_utils.deployment.gateway.metrics import NOTES
from course_utils.deployment.gateway.settings import GatewaySettings, ModelRoute
from course_utils.deployment.gateway.tracing import trace_model
from course_utils.prompts import TEMPLATE_OPTIONS

_READY_TIMEOUT_S = 3.0
_RETRY_S = 5
_MAX_MESSAGE = 500
_MAX_KEPT_BYTES = 64 * 2**20
_CONNECT_AGAIN = stamina.AsyncRetryingCaller(attempts=2, wait_initial=0.1, wait_jitter=0.05)

Count = Annotated[int, Field(ge=0, le=10**9)] | None


class _Said(BaseModel, strict=True):
    content: str | None = None


class _Usage(BaseModel, strict=True):
    prompt_tokens: Count = None
    completion_tokens: Count = None


class _Choice(BaseModel):
    message: _Said = Field(default_factory=_Said)  # a default instance would be deep-copied for each reply
    delta: _Said = Field(default_factory=_Said)


class _Reply(BaseModel):
    """The fields of a reply, or of an event of a stream, that the gateway reads; other fields pass unchecked."""

    choices: list[_Choice] = []
    usage: _Usage | None = None


class ReplyCache:
    """Keeps replies for ``seconds`` (0: no cache): on Redis, or in memory without Redis or while it fails."""

    def __init__(self, redis: Redis | None, seconds: float) -> None:
        self.redis, self.seconds = redis, seconds
        self._kept = TTLCache[str, bytes](_MAX_KEPT_BYTES, seconds, getsizeof=len)

    async def get(self, key: str) -> bytes | None:
        """The reply that is kept under a key, or None."""
        with suppress(RedisError, OSError):
            if self.redis:
                return cast(bytes | None, await self.redis.get(key))
        return self._kept.get(key)

    async def put(self, key: str, reply: bytes) -> None:
        """Keep a reply; a full memory drops the least recently used ones."""
        with suppress(RedisError, OSError):
            if self.redis:
                await self.redis.set(key, reply, px=int(1000 * self.seconds))
                return
        self._kept[key] = reply


class ModelClient:
    """One model: connections to its server, a queue and a circuit breaker before it, and a cache of its replies."""

    def __init__(self, name: str, route: ModelRoute, settings: GatewaySettings, cache: ReplyCache) -> None:
        self.name, self._url, self._cache = name, route.url, cache
        self.http = HttpClient(route.url, settings.model_timeout_s)
        asks = {"model": name, "chat_template_kwargs": TEMPLATE_OPTIONS}  # vLLM has no server-wide default
        self._asks, self.version = asks | route.body, settings.model_version
        self.queue = BoundedQueue(settings.max_concurrent, settings.max_queue, settings.model_timeout_s)
        self._breaker = CircuitBreaker()

    async def is_ready(self) -> str:
        """Ask the server for its models; an empty text if it answers 200, else what is wrong."""
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                with await self.http.send("GET", "/v1/models") as response:
                    return "" if response.status == HTTPStatus.OK else f"answers {response.status}"
        except (TimeoutError, aiohttp.ClientError, HttpProcessingError) as error:
            return f"no answer ({type(error).__name__})"

    async def complete(self, body: dict[str, Any]) -> tuple[bytes, dict[str, int] | None]:
        """Return a whole reply, as JSON with a message, and its ``usage`` in tokens, None if unknown or from the cache.

        Only a request at temperature 0 is answered from the cache.

        Raises:
            ApiError: 503 if the server is down or overloaded, 504 if it takes too long, 502 if it fails or its reply is
                not a chat completion, 400, 413, 422 or 429 if it refuses the request.
        """
        NOTES.get().update(model=self.name, version=self.version)
        if not self._cache.seconds or body.get("temperature") != 0:
            return await self._ask(body)
        asked = to_json([self._url, self.version, self._asks, body])
        key = f"course:reply:{hashlib.sha256(asked).hexdigest()}"
        kept = await self._cache.get(key)
        NOTES.get()["cache"] = "hit" if kept else "miss"
        if kept:
            return kept, None
        reply, usage = await self._ask(body)
        await self._cache.put(key, reply)
        return reply, usage

    async def _ask(self, body: dict[str, Any]) -> tuple[bytes, dict[str, int] | None]:
        with trace_model(self.name) as usage:
            async with self.queue:
                with self._breaker, _as_api_errors(), await self._send(body) as response:
                    raw = _mend(await response.read())
                    reply = _read_reply(raw)
                    if not reply.get("choices") or "message" not in reply["choices"][0]:
                        raise ValueError("it has no message")
            usage.update(reply.get("usage") or {})
        return raw, reply.get("usage")

    @asynccontextmanager
    async def stream(self, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Open a streamed reply once it begins; reading its events may raise ApiError, too.

        Raises:
            ApiError: As ``complete``.
        """
        NOTES.get().update(model=self.name, version=self.version)
        with trace_model(self.name) as usage:
            async with self.queue, aclosing(self._read_events(body, usage)) as events:
                await anext(events)
                yield events

    async def _read_events(self, body: dict[str, Any], usage: dict[str, int]) -> AsyncGenerator[dict[str, Any]]:
        """Yield an empty dict once the server answers 200, then the JSON objects of its server-sent events.

        They end at ``[DONE]``, and ``usage`` is updated from them. A failure before that is one of the server.
        """
        rest = b""
        with self._breaker, _as_api_errors(), await self._send(body) as response:
            yield {}
            while piece := await response.read_piece():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    data = line.removeprefix(b"data:").strip()
                    if data == b"[DONE]":
                        return
                    if line.startswith(b"data:"):
                        event = _read_reply(_mend(data))
                        usage.update(event.get("usage") or {})
                        yield event
            raise ValueError("a stream that ends without [DONE] was cut off")

    async def _send(self, body: dict[str, Any]) -> HttpReply:
        """Post a request and return the response if its status is 200; ApiError for others."""
        post = partial(self.http.send, "POST", "/v1/chat/completions", to_json(body | self._asks))
        try:
            response = await post()
        except aiohttp.ClientConnectorError as error:  # the server has not received the request
            response = await _CONNECT_AGAIN(type(error), post)  # only now, because stamina takes longer than the rest
        if response.status != HTTPStatus.OK:
            with response:
                _refuse(response.status, await response.read())
        return response


def _refuse(status: int, raw: bytes) -> NoReturn:
    """Raise ApiError with the server's own message, shortened."""
    try:
        message = str(from_json(raw)["error"]["message"])[:_MAX_MESSAGE]
    except (ValueError, KeyError, TypeError):
        message = f"status {status} without a reason"
    if status in (400, 413, 422, 429):  # not 404: a server that lacks the model is not the caller's fault
        raise ApiError(status, message, code="model_server_refused")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise ApiError(503, message, code="model_server_down", retry_after_s=_RETRY_S)
    raise ApiError(502, f"the model server failed: {message}; its log says more", code="model_server_failed")


@contextmanager
def _as_api_errors() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise ApiError(504, "the model server took too long; ask again", code="model_server_timeout") from error
    except aiohttp.ClientConnectorError as error:
        message = "the model server cannot be reached"
        raise ApiError(503, message, code="model_server_down", retry_after_s=_RETRY_S) from error
    except aiohttp.ClientError as error:
        message = "the model server closed the connection"
        raise ApiError(503, message, code="model_server_failed", retry_after_s=_RETRY_S) from error
    except (ValueError, RecursionError, HttpProcessingError) as error:
        message = "the model server's reply is not a chat completion; check COURSE_MODEL_URL and its log"
        raise ApiError(502, message, code="model_server_failed") from error


def _mend(raw: bytes) -> bytes:
    """Replace half characters (lone surrogates), which models write and strict JSON forbids."""
    if b"\\ud" in raw.lower():
        return json.dumps(json.loads(raw), ensure_ascii=False).encode(errors="replace")
    return raw


def _read_reply(raw: bytes) -> dict[str, Any]:
    """Parse a reply or an event of a stream; ValueError if it is neither."""
    reply: dict[str, Any] = from_json(raw, allow_inf_nan=False)
    _Reply.model_validate(reply)
    return reply
