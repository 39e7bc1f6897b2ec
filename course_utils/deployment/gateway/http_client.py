"""HTTP client for one server: aiohttp's pool of connections, without its session.

The session handles redirects, cookies, proxies and passwords at each request: a sixth of the gateway's time.
"""

import asyncio
from contextlib import AbstractContextManager
from functools import cached_property
from http import HTTPStatus
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

MAX_REPLY_BYTES = 4 * 2**20
"""Limit on the body of one reply; 256 tokens with twenty alternatives each take 0.6 MB."""
KEEP_S = 4.0
"""Seconds to keep an idle connection: fewer than servers do (llama.cpp, vLLM: 5), or a request may meet its end."""
MAX_AGE_S = 30.0
"""Seconds after which a busy connection is replaced, too, because new servers may stand behind the address."""
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=5.0)


class HttpReply(AbstractContextManager["HttpReply"]):
    """A response whose head has arrived. A ``with`` block that ends before the body does closes the connection."""

    def __init__(self, status: int, payload: aiohttp.StreamReader, connection: Connection, deadline: float) -> None:
        self.status, self._payload, self._connection, self._deadline = status, payload, connection, deadline
        self._n_bytes = 0

    async def read(self) -> bytes:
        """Read the whole body; raises as ``HttpClient.send``, and ValueError beyond ``MAX_REPLY_BYTES``."""
        pieces = []
        while piece := await self.read_piece():
            pieces.append(piece)
        return b"".join(pieces)

    async def read_piece(self) -> bytes:
        """Wait for the next bytes of the body and return them; empty at its end. Raises as ``read``."""
        if self._payload.is_eof():  # most replies are here as a whole and need no timer
            piece = self._payload.read_nowait()
        else:
            async with asyncio.timeout_at(self._deadline):
                piece = await self._payload.readany()
        self._n_bytes += len(piece)
        if self._n_bytes > MAX_REPLY_BYTES:
            raise ValueError(f"more than {MAX_REPLY_BYTES} bytes")
        return piece

    def __exit__(self, error: object, *_: object) -> None:
        if error:
            self._connection.close()  # or its next request would get the rest of this reply
        else:
            self._connection.release()  # this closes it if the reply has not ended


class HttpClient:
    """Sends JSON and receives JSON; a request may take ``timeout_s`` seconds, the response's body included."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = URL(url), timeout_s
        self._path = self._url.raw_path.rstrip("/")
        self._born = WeakKeyDictionary[object, float]()  # when each connection was made, on the loop's clock

    @cached_property
    def _target(self) -> tuple[aiohttp.TCPConnector, aiohttp.ClientRequest, str]:
        """The connections, their destination, and the headers of each request; made where the event loop runs."""
        # No compression: bytes are counted as they arrive, and a small reply may unpack to a large one.
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        target = aiohttp.ClientRequest("GET", self._url, headers=headers, loop=asyncio.get_running_loop())
        lines = [f"{name}: {value}" for name, value in target.headers.items()]
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_S)  # no limit: ``ModelClient`` has one
        return connector, target, "\r\n".join(lines)

    async def close(self) -> None:
        """Close the connections."""
        await self._target[0].close()

    async def send(self, method: str, path: str, body: bytes = b"") -> HttpReply:
        """Send one request and wait for the head of its response.

        Raises:
            TimeoutError: The head does not arrive in time.
            aiohttp.ClientError: The server cannot be reached or closes the connection.
            HttpProcessingError: The response is not HTTP.
        """
        deadline = (now := asyncio.get_running_loop().time()) + self._timeout_s
        connector, target, headers = self._target
        async with asyncio.timeout_at(deadline):
            connection = await connector.connect(target, [], _TIMEOUT)
            while self._is_spent(connection.protocol, now):
                connection.close()
                connection = await connector.connect(target, [], _TIMEOUT)
            try:
                assert connection.protocol is not None
                assert connection.transport is not None
                connection.protocol.set_response_params(read_until_eof=True, auto_decompress=False)
                head = f"{method} {self._path}{path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n{headers}\r\n\r\n"
                connection.transport.write(head.encode() + body)
                message, payload = await connection.protocol.read()
                while message.code < HTTPStatus.OK:  # 1xx only says that the response is still to come
                    message, payload = await connection.protocol.read()
            except BaseException:
                connection.close()
                raise
        return HttpReply(message.code, payload, connection, deadline)

    def _is_spent(self, idle: ResponseHandler | None, now: float) -> bool:
        """Whether a connection is old, or received something while it was idle, which the next request would get."""
        return idle is None or idle.should_close or now - self._born.setdefault(idle, now) > MAX_AGE_S
