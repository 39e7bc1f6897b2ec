"""Talk to the model server, whichever it is, in OpenAI's protocol."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from course_utils.deployment.gateway.api_errors import ApiError

_CONNECT_TIMEOUT_S = 5.0
_READY_TIMEOUT_S = 5.0


class ModelClient:
    """One connection pool to the model server."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url
        timeout = httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S)
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def is_ready(self) -> str:
        """Ask for the server's models; empty if it answers, else what is wrong."""
        try:
            response = await self._http.get("/v1/models", timeout=_READY_TIMEOUT_S)
        except httpx.HTTPError as error:
            return f"no answer ({type(error).__name__})"
        return "" if response.is_success else f"answers {response.status_code}"

    async def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """One whole reply; raises as ``send``."""
        response = await self.send(body, stream=False)
        try:
            reply: dict[str, Any] = response.json()
        except ValueError as error:
            raise ApiError(502, "the model server's answer is not JSON", code="model_server_failed") from error
        return reply

    async def send(self, body: dict[str, Any], *, stream: bool) -> httpx.Response:
        """Ask for a reply; of a stream the caller closes the response.

        Raises:
            ApiError: 502 if the server is down or fails, 504 if it stays silent, 4xx as it answers.
        """
        request = self._http.build_request("POST", "/v1/chat/completions", json=body)
        try:
            response = await self._http.send(request, stream=stream)
            if response.is_success:
                return response
            await response.aread()
            await response.aclose()
        except httpx.TimeoutException as error:
            raise ApiError(504, "the model server did not answer in time", code="model_server_timeout") from error
        except httpx.HTTPError as error:
            raise ApiError(502, "the model server cannot be reached", code="model_server_down") from error
        message = _error_message(response)
        if response.status_code in (400, 404, 413, 422, 429):
            raise ApiError(response.status_code, message, code="model_server_refused")
        raise ApiError(502, f"the model server failed: {message}", code="model_server_failed")


def _error_message(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"


async def read_events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of a server-sent event stream, up to its ``[DONE]``."""
    async for line in response.aiter_lines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data != "[DONE]":
            yield json.loads(data)
