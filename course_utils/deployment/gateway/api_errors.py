"""Error responses as OpenAI's clients expect them: ``{"error": {"message", "type", "param", "code"}}``."""

import asyncio
import json
import math
import re
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

_BODY_S = 10.0
_MAX_ERRORS = 20  # named in one response
_JSON = re.compile(r"application/([\w.-]+\+)?json\s*(;|$)", re.IGNORECASE)
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_REMEDIES = {
    404: "the paths are /v1/sql, of OpenAI's API /v1/chat/completions and /v1/models, and what /openapi.json lists",
    405: "the header Allow lists the methods",
}
_CHALLENGES = {401: "Bearer", 403: 'Bearer error="insufficient_scope"'}


class ApiError(HTTPException):
    """Ends a request with an error status; the message goes to the caller, and so does when to ask again."""

    def __init__(
        self, status: int, message: str, *, code: str, param: str | None = None, retry_after_s: int | None = None
    ) -> None:
        message += f"; ask again in {retry_after_s} s" if retry_after_s else ""
        super().__init__(status, message, {"Retry-After": str(retry_after_s)} if retry_after_s else None)
        self.code, self.param = code, param


def errors_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error statuses for OpenAPI."""
    return {status: {"description": HTTPStatus(status).phrase} for status in statuses}


USUAL_ERRORS = errors_of(400, 401, 403, 404, 408, 413, 422, 500, 503)  # of every route that asks for a key


def error_response(
    status: int, message: str, *, code: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The JSON response for an error."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    if challenge := _CHALLENGES.get(status):
        headers = {"WWW-Authenticate": challenge, **(headers or {})}
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, headers=headers)


def add_error_handlers(app: FastAPI) -> None:
    """Answer the errors that an app raises on purpose in this form; for others see ``MeasureRequests``."""

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = error.errors()[:_MAX_ERRORS]
        wrong = [(".".join(str(part) for part in each["loc"][1:]), each["msg"]) for each in errors]
        message = "; ".join(f"{where or 'body'}: {what}" for where, what in wrong)
        if not (wrong[0][0] or _JSON.match(request.headers.get("Content-Type", ""))):
            message += "; send JSON, with the header 'Content-Type: application/json'"
        return error_response(422, message, code="invalid_field", param=wrong[0][0] or None)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> JSONResponse:
        code, param, message = getattr(error, "code", None), getattr(error, "param", None), error.detail
        if code is None and (remedy := _REMEDIES.get(error.status_code)):
            message += f"; {remedy}"
        code = code or f"http_{error.status_code}"
        return error_response(error.status_code, message, code=code, param=param, headers=error.headers)


class CheckedRequest(Request):
    """A request whose body is refused if it is too large (413), too slow (408) or invalid JSON (400)."""

    async def body(self) -> bytes:
        """Read the whole body."""
        max_bytes, body = self.app.state.max_body_bytes, b""
        try:
            async with asyncio.timeout(_BODY_S):
                async for chunk in self.stream():
                    body += chunk
                    if len(body) > max_bytes:
                        raise ApiError(413, f"the body is larger than {max_bytes} bytes; send less", code="http_413")
        except (TimeoutError, ClientDisconnect):
            raise ApiError(408, f"the body did not come within {_BODY_S:g} s; send it again", code="http_408") from None
        self._body = body
        return body

    async def json(self) -> Any:
        """Parse the body as strict JSON without NaN and Infinity; 2.0 becomes the integer 2, as in JSON Schema."""
        try:
            from_json(self._body, allow_inf_nan=False)  # rejects what json reads but cannot write
            return _DECODER.decode(self._body.decode())
        except ValueError as error:
            raise ApiError(400, f"the body is not valid JSON: {error}", code="invalid_json") from error

    async def read(self, field: Any) -> Any:
        """Read the body as FastAPI does: as JSON only if declared so, because any site may send other types (CORS)."""
        body: Any = await self.body()
        if _JSON.match(self.headers.get("Content-Type", "")):
            body = await self.json()
        value, errors = field.validate(body, {}, loc=("body",))
        if errors:
            raise RequestValidationError(errors)
        return value


class CheckedRoute(APIRoute):
    """A route that checks its requests' bodies, and whose 405 names every method of the path in ``Allow``."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in (self.methods or ()):
            others = [route for route in scope["app"].routes if route.matches(scope)[0] is not Match.NONE]
            allow = {method for route in others for method in route.methods}
            allow |= {"HEAD"} if "GET" in allow else set()
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allow))})
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, applied to a ``CheckedRequest``."""
        handle = super().get_route_handler()

        async def check_and_handle(request: Request) -> Response:
            return await handle(CheckedRequest(request.scope, request.receive))

        return check_and_handle


class AdmittedRoute(CheckedRoute):
    """A route for callers whom the app's guard and limits let in, counted from before their body to the last byte.

    A dependency that yields would do the same, but takes longer than everything else in the gateway. So do FastAPI's
    own steps: an endpoint that returns a ``Response`` is called without them, and FastAPI only describes it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.openapi_extra = {"security": [{"HTTPBearer": []}]}
        self._direct = self.body_field if self.endpoint.__annotations__["return"] is Response else None

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request if its caller is let in."""
        request, state = CheckedRequest(scope, receive), scope["app"].state
        caller = state.guard.user(request)
        await state.limits.enter(caller)
        try:
            if self._direct and scope["method"] in (self.methods or ()):
                response = await self.endpoint(await request.read(self._direct))
                await response(scope, receive, send)
            else:
                await super().handle(scope, receive, send)
        finally:
            await state.limits.leave(caller)


def _read_number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is too large")
    return int(value) if value.is_integer() else value


_DECODER = json.JSONDecoder(parse_float=_read_number)
