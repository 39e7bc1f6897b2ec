"""HTTP to one server over aiohttp's kept connections, without its session.

The session looks for redirects, cookies, proxies and passwords at each request: a sixth of the gateway's time.
"""

import asyncio
from contextlib import AbstractContextManager
from functools import cached_property
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

MAX_REPLY_BYTES = 4 * 2**20
"""Of one reply; 256 tokens with twenty alternatives each take 0.6 MB."""
KEEP_S = 4.0
"""A connection is kept idle for less long than by servers (llama.cpp and vLLM 5 s): a request must not meet its end."""
MAX_AGE_S = 30.0
"""A connection in constant use is given up as well, for other servers may have come to stand behind the address."""
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=5.0)


class HttpReply(AbstractContextManager["HttpReply"]):
    """A response whose head has come; if its body has not ended with the block, it is broken off."""

    def __init__(self, status: int, payload: aiohttp.StreamReader, connection: Connection, deadline: float) -> None:
        self.status, self._payload, self._connection, self._deadline = status, payload, connection, deadline
        self._n_bytes = 0

    async def read(self) -> bytes:
        """The whole body; errors as those of ``HttpClient.send``, ValueError beyond the limit."""
        pieces = []
        while piece := await self.read_piece():
            pieces.append(piece)
        return b"".join(pieces)

    async def read_piece(self) -> bytes:
        """What has come of the body since the last time, once there is something; nothing at its end."""
        if self._payload.is_eof():  # most replies come in one piece, which waits for nothing and needs no timer
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
            self._connection.close()  # or the next request on it would get what is left of this reply
        else:
            self._connection.release()  # which closes it if the reply has not ended


class HttpClient:
    """Sends JSON and gets it, each request within ``timeout_s`` seconds, body included."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = URL(url), timeout_s
        self._path = self._url.raw_path.rstrip("/")
        self._born = WeakKeyDictionary[object, float]()  # of each connection

    @cached_property
    def _target(self) -> tuple[aiohttp.TCPConnector, aiohttp.ClientRequest, str]:
        """Connections, where they lead, and the headers of each request: made where the event loop runs."""
        # Not compressed: what is read is counted as it comes, and a small reply may unpack to a large one.
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        target = aiohttp.ClientRequest("GET", self._url, headers=headers, loop=asyncio.get_running_loop())
        lines = [f"{name}: {value}" for name, value in target.headers.items()]
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_S)  # who asks limits its connections
        return connector, target, "\r\n".join(lines)

    async def close(self) -> None:
        """Close the connections."""
        await self._target[0].close()

    async def send(self, method: str, path: str, body: bytes = b"") -> HttpReply:
        """The response to one request.

        Raises:
            TimeoutError: It does not come in time.
            aiohttp.ClientError: The server cannot be reached or breaks off.
            HttpProcessingError: It is no HTTP.
        """
        deadline = (now := asyncio.get_running_loop().time()) + self._timeout_s
        connector, target, headers = self._target
        async with asyncio.timeout_at(deadline):
            connection = await connector.connect(target, [], _TIMEOUT)
            while now - self._born.setdefault(connection.protocol, now) > MAX_AGE_S:
                connection.close()
                connection = await connector.connect(target, [], _TIMEOUT)
            try:
                assert connection.protocol is not None
                assert connection.transport is not None
                connection.protocol.set_response_params(read_until_eof=True, auto_decompress=False)
                head = f"{method} {self._path}{path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n{headers}\r\n\r\n"
                connection.transport.write(head.encode() + body)
                message, payload = await connection.protocol.read()
            except BaseException:
                connection.close()
                raise
        return HttpReply(message.code, payload, connection, deadline)
