"""HTTP to one server over aiohttp's kept connections, without its session.

The session looks for redirects, cookies, proxies and passwords at each request: a sixth of the gateway's time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property

import aiohttp
from yarl import URL

MAX_REPLY_BYTES = 4 * 2**20
"""Of one reply; 256 tokens with twenty alternatives each take 0.6 MB."""
_TIMEOUT = aiohttp.ClientTimeout(sock_connect=5.0)


@dataclass(frozen=True)
class HttpReply:
    """A response whose head has come."""

    status: int
    _payload: aiohttp.StreamReader
    _deadline: float

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of its body as they come; errors as those of ``HttpClient.send``, ValueError beyond the limit."""
        n_bytes = 0
        while not self._payload.at_eof():
            async with asyncio.timeout_at(self._deadline):
                chunk = await self._payload.readany()
            n_bytes += len(chunk)
            if n_bytes > MAX_REPLY_BYTES:
                raise ValueError(f"more than {MAX_REPLY_BYTES} bytes")
            yield chunk


class HttpClient:
    """Sends JSON and gets it, each request within ``timeout_s`` seconds, body included."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = URL(url), timeout_s
        self._path = self._url.raw_path.rstrip("/")

    @cached_property
    def _connector(self) -> aiohttp.TCPConnector:
        """Made at the first use, where the event loop runs; who asks limits its connections."""
        return aiohttp.TCPConnector(limit=0)

    @cached_property
    def _target(self) -> tuple[aiohttp.ClientRequest, str]:
        """Where to connect to, and the headers of each request."""
        # Not compressed: what is read is counted as it comes, and a small reply may unpack to a large one.
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        target = aiohttp.ClientRequest("GET", self._url, headers=headers, loop=asyncio.get_running_loop())
        return target, "\r\n".join(f"{name}: {value}" for name, value in target.headers.items())

    async def close(self) -> None:
        """Close the connections."""
        await self._connector.close()

    @asynccontextmanager
    async def send(self, method: str, path: str, body: bytes = b"") -> AsyncIterator[HttpReply]:
        """The response to one request; one that has not ended is broken off with the block.

        Raises:
            TimeoutError: It does not come in time.
            aiohttp.ClientError: The server cannot be reached or breaks off.
            ValueError: It is no HTTP.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        target, headers = self._target
        async with asyncio.timeout_at(deadline):
            connection = await self._connector.connect(target, [], _TIMEOUT)
        try:
            assert connection.protocol is not None
            assert connection.transport is not None
            connection.protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            head = f"{method} {self._path}{path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n{headers}\r\n\r\n"
            connection.transport.write(head.encode() + body)
            async with asyncio.timeout_at(deadline):
                message, payload = await connection.protocol.read()
            yield HttpReply(message.code, payload, deadline)
        except BaseException as error:
            connection.close()  # or the next request on it would get this one's reply
            if isinstance(error, aiohttp.http.HttpProcessingError):
                raise ValueError("no HTTP") from error
            raise
        connection.release()  # which closes it if the reply has not ended
