"""uvicorn's HTTP/1.1 with limits on time and size, which its fast parser, llhttp, does not have."""

import asyncio
import socket
from math import inf
from typing import Any

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from course_utils.deployment.gateway.api_errors import error_response

_MAX_HEAD_BYTES, _PATIENCE_S, _UNREAD_S = 16_384, 10.0, 30.0


class LimitedHttp(HttpToolsProtocol):
    """Waits ``_PATIENCE_S`` for a request's head, or for the rest of an answered request, and refuses long heads (400).

    All bytes but the body's count: request line, headers, trailers and the framing of chunks. The app limits the body.
    A client that does not read for ``_UNREAD_S`` is disconnected (Linux only). A connection beyond uvicorn's limit has
    ``scope["state"]["is_surplus"]``, for the app to refuse, which counts what it refuses; uvicorn does not.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._n_bytes, self._head = 0, b""
        self._timer: asyncio.TimerHandle | None = None
        self._most, self.limit_concurrency = self.limit_concurrency or inf, None  # uvicorn would refuse all requests

    def _wait(self, seconds: float | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.close) if seconds else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._is_surplus = len(self.connections) > self._most
        self.close, self.is_closing = transport.close, transport.is_closing  # with ``write``, all that a response calls
        self._wait(_PATIENCE_S)
        if option := getattr(socket, "TCP_USER_TIMEOUT", None):  # Linux closes a connection that takes no more
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(1000 * _UNREAD_S))

    def data_received(self, data: bytes) -> None:
        """Parse bytes; a client that asks for another protocol (``Upgrade``) is answered in HTTP/1.1."""
        self._n_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._feed(data)
        except HttpParserInvalidMethodError:  # no 501, which RFC 9110 has for it: it is no failure of the server
            self._refuse("HTTP has no such method; check the client")
        except HttpParserError:
            self._refuse("this is not HTTP with one Host header; check the client")
        if self._n_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(f"the request's line and headers exceed {_MAX_HEAD_BYTES} bytes; shorten them")

    def _feed(self, data: bytes) -> bytes:
        """Parse bytes and return those to parse next: a head without ``Upgrade``, with which llhttp reads no body."""
        try:
            self.parser.feed_data(data)
            return b""
        except HttpParserUpgrade as upgrade:
            kept = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
            if len(kept) == len(self.headers):
                raise HttpParserError("a tunnel") from None
            method, version = self.parser.get_method(), self.parser.get_http_version().encode()
            return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, b"".join(kept)) + data[upgrade.args[0] :]

    def _refuse(self, message: str) -> None:
        """Refuse a request that no app can answer, in the form of all other refusals."""
        response = error_response(400, message, code="invalid_http", headers={"Connection": "close"})
        lines = [b"%s: %s\r\n" % header for header in response.raw_headers]
        self.transport.write(b"".join([STATUS_LINE[400], *lines, b"\r\n", bytes(response.body)]))
        self.transport.close()

    def write(self, data: bytes) -> None:
        """Send a part of a response; a head that gives the body's length is sent together with the body."""
        is_head = data.startswith(b"HTTP/1.1 ") and b"\r\ncontent-length: " in data
        if is_head and not self._head:
            self._head = data
        else:
            self.transport.write(self._head + data)
            self._head = b""

    def on_message_begin(self) -> None:
        """Start to wait for the rest of a head."""
        super().on_message_begin()
        self._wait(_PATIENCE_S)

    def on_headers_complete(self) -> None:
        """Stop waiting, check the host, and start the app."""
        if self.parser.should_upgrade():
            return
        n_hosts = [name for name, _ in self.headers].count(b"host")
        if n_hosts > 1 or (n_hosts == 0 and self.parser.get_http_version() == "1.1"):  # RFC 9112, 3.2
            raise HttpParserError("a request names one host")
        self._wait(None)
        self.scope["state"]["is_surplus"] = self._is_surplus
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":  # whose response has no body for its head to wait for
            self.cycle.transport = self  # type: ignore[assignment]
        self.headers = []  # takes the trailers, which must not become headers after the checks

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body, which does not count."""
        self._n_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin a new count and stop waiting, because the request is complete."""
        if self.parser.should_upgrade():
            return
        self._n_bytes = 0
        self._wait(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of a request that was answered before its end."""
        super().on_response_complete()
        if self.cycle.more_body:
            self._wait(_PATIENCE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting, because the connection has ended."""
        self._wait(None)
        super().connection_lost(exc)
