"""HTTP by llhttp, which is fast and takes whatever comes for as long as it comes: here there are limits."""

import asyncio
import re
import socket
from typing import Any

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from course_utils.deployment.gateway.api_errors import error_response

_MAX_HEAD_BYTES, _PATIENCE_S, _UNREAD_S = 16_384, 10.0, 30.0
_LINE = re.compile(rb"[\w!#$%&'*+.^`|~-]+ \S+ HTTP/1\.[01]\r\n")
_FULL = error_response(503, "too many callers", code="overloaded", headers={"Retry-After": "2", "Connection": "close"})


class LimitedHttp(HttpToolsProtocol):
    """Waits some seconds for the head of a request, or what is left of an answered one, and refuses (400) long heads.

    What counts is everything but the body, which the app limits: line, headers, trailers and what frames the chunks.
    Who does not read what is sent is let go, too.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._n_bytes, self._head = 0, b""
        self._timer: asyncio.TimerHandle | None = None
        self._most, self.limit_concurrency = self.limit_concurrency, None  # uvicorn would refuse in plain text

    def _wait(self, seconds: float | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.close) if seconds else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self.close, self.is_closing = transport.close, transport.is_closing  # all else that a response asks of it
        self._wait(_PATIENCE_S)
        if option := getattr(socket, "TCP_USER_TIMEOUT", None):  # Linux ends a connection that takes nothing more
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(1000 * _UNREAD_S))

    def data_received(self, data: bytes) -> None:
        """Take what comes; who would rather talk another protocol (``Upgrade``) is answered in this one."""
        self._n_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._feed(data)
        except HttpParserError as error:
            if isinstance(error, HttpParserInvalidMethodError) and _LINE.match(data):
                self._refuse(501, "There is no such method.")  # RFC 9110, 9.1
            else:
                self._refuse(400, "This is no HTTP.")
        if self._n_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(400, "The head of the request is too large.")

    def _feed(self, data: bytes) -> bytes:
        """Parse, and say what is to be parsed next: llhttp takes no body where an upgrade is asked for."""
        try:
            self.parser.feed_data(data)
            return b""
        except HttpParserUpgrade as upgrade:
            kept = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
            if len(kept) == len(self.headers):
                raise HttpParserError("a tunnel") from None
            method, version = self.parser.get_method(), self.parser.get_http_version().encode()
            return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, b"".join(kept)) + data[upgrade.args[0] :]

    def _refuse(self, status: int, message: str) -> None:
        """Refuse what no app could be asked, in the form of every other refusal."""
        response = error_response(status, message, code="invalid_http", headers={"Connection": "close"})
        lines = [b"%s: %s\r\n" % header for header in response.raw_headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", bytes(response.body)]))
        self.transport.close()

    def write(self, data: bytes) -> None:
        """Send what a response has to say, its head together with its body where that has a known length."""
        is_head = data.startswith(b"HTTP/1.1 ") and b"\r\ncontent-length: " in data
        if is_head and not self._head:
            self._head = data
        else:
            self.transport.write(self._head + data)
            self._head = b""

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._wait(_PATIENCE_S)

    def on_headers_complete(self) -> None:
        """A head is there, and the app waits for the body."""
        if self.parser.should_upgrade():
            return
        n_hosts = [name for name, _ in self.headers].count(b"host")
        if n_hosts > 1 or (n_hosts == 0 and self.parser.get_http_version() == "1.1"):  # RFC 9112, 3.2
            raise HttpParserError("a request names one host")
        self._wait(None)
        self.app = _FULL if self._most and len(self.connections) >= self._most else self.config.loaded_app
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":  # whose answers have no body to wait for
            self.cycle.transport = self  # type: ignore[assignment]
        self.headers = []  # where trailers go: as headers they would pass by who has checked those

    def on_body(self, body: bytes) -> None:
        """A piece of a body, which does not count."""
        self._n_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is there."""
        if self.parser.should_upgrade():
            return
        self._n_bytes = 0
        self._wait(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is sent, perhaps before the request has come to its end."""
        super().on_response_complete()
        if self.cycle.more_body:
            self._wait(_PATIENCE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._wait(None)
        super().connection_lost(exc)
