"""Refusals and failures as OpenAI's clients expect them: ``{"error": {"message", "type", "param", "code"}}``."""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from course_utils.deployment.gateway.strict_json import read_json

logger = logging.getLogger(__name__)

_BODY_S = 10.0
_TYPES = {401: "authentication_error", 404: "not_found_error"}


class ApiError(Exception):
    """A request that ends with an error status; the message goes to the caller."""

    def __init__(
        self, status: int, message: str, *, code: str, param: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.retry_after_s = retry_after_s


def error_response(
    status: int, message: str, *, code: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The response for an error."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer", **(headers or {})}
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, headers=headers)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of an app in this form; unexpected ones are logged and not shown."""

    @app.exception_handler(ApiError)
    async def _(request: Request, error: ApiError) -> JSONResponse:
        headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else None
        return error_response(error.status, error.message, code=error.code, param=error.param, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [(".".join(str(part) for part in each["loc"][1:]), each["msg"]) for each in error.errors()]
        message = "; ".join(f"{where or 'body'}: {what}" for where, what in wrong)
        return error_response(422, message, code="invalid_field", param=wrong[0][0] or None)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> JSONResponse:
        code = f"http_{error.status_code}"
        return error_response(error.status_code, str(error.detail), code=code, headers=error.headers)

    @app.exception_handler(Exception)
    async def _(request: Request, error: Exception) -> JSONResponse:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return error_response(500, "the gateway failed; its log says why", code="internal_error")


class CheckBody:
    """Middleware that reads a body before anything else does: 413 if it is large, 408 if slow, 400 if it is no JSON."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(_BODY_S):
                body = await self._read(receive)
            if body:
                read_json(body)
        except TimeoutError:
            refusal = error_response(408, f"the body took longer than {_BODY_S:g} s", code="http_408")
        except OverflowError:
            refusal = error_response(413, f"the body is larger than {self.max_bytes} bytes", code="http_413")
        except json.JSONDecodeError as error:
            refusal = error_response(400, f"the body is not valid JSON: {error.msg}", code="invalid_json")
        else:
            messages: Iterator[Message] = iter([{"type": "http.request", "body": body}])

            async def replay() -> Message:
                return next(messages, None) or await receive()

            await self.app(scope, replay, send)
            return
        await refusal(scope, receive, send)

    async def _read(self, receive: Receive) -> bytes:
        body, more = b"", True
        while more:  # a caller who leaves sends a message without either
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
            if len(body) > self.max_bytes:
                raise OverflowError
        return body
