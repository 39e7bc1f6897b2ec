"""A model server that waits some milliseconds without processor time, and then always gives the same reply.

``python -m benchmarks.synthetic_model PORT MS [SLOTS [WIDTH_MS]]``: with SLOTS, at most that many requests are answered
at once, and each takes a time around MS that follows from its text. Without SLOTS (or with 0), each request takes MS
or, with WIDTH_MS, the next of times that are spread evenly over WIDTH_MS around MS.
"""

import asyncio
import json
import math
from collections.abc import Iterator
from itertools import count
from typing import Annotated
from zlib import crc32

import typer

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "course",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "SELECT 1"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 230, "completion_tokens": 9, "total_tokens": 239},
}


class _Connection(asyncio.Protocol):
    """Requests with a body of known length, one after the other."""

    def __init__(self, seconds: float, slots: asyncio.Semaphore | None, times: Iterator[float]) -> None:
        self._seconds, self._slots, self._times = seconds, slots, times
        self._received, self._reply = b"", _response(REPLY)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._received) < end + 4 + length:
                return
            body, self._received = self._received[end + 4 :][:length], self._received[end + 4 + length :]
            if self._slots and body:
                self._waiting = asyncio.create_task(self._answer_in(self._slots, body))
            else:
                seconds = next(self._times) if head.startswith(b"post") else 0
                asyncio.get_running_loop().call_later(seconds, self._transport.write, self._reply)

    async def _answer_in(self, slots: asyncio.Semaphore, body: bytes) -> None:
        async with slots:
            await asyncio.sleep(self._seconds * spread(body))
        self._transport.write(self._reply)


def spread(body: bytes) -> float:
    """From 0.03 to 3 times the mean of 1, as exponential times spread, by the text alone."""
    return min(3.0, max(0.03, -math.log((crc32(body) + 1) / 2**32)))


def _even_times(seconds: float, width: float) -> Iterator[float]:
    """Times that fill ``width`` around a mean evenly, however few are taken: multiples of the golden ratio."""
    return (seconds + width * (turn * 0.6180339887 % 1 - 0.5) for turn in count())


def _response(body: object) -> bytes:
    text = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)


async def serve(port: int, seconds: float, n_slots: int = 0, width: float = 0) -> asyncio.Server:
    """Listen on a port of this machine; a GET is answered at once."""
    slots, times = asyncio.Semaphore(n_slots) if n_slots else None, _even_times(seconds, width)
    return await asyncio.get_running_loop().create_server(lambda: _Connection(seconds, slots, times), "127.0.0.1", port)


def main(
    port: int,
    milliseconds: Annotated[float, typer.Argument(help="Of each request, or around which its time lies.")],
    n_slots: Annotated[int, typer.Argument(help="Requests answered at once; 0: all.")] = 0,
    width_ms: Annotated[float, typer.Argument(help="Width of the times, where all are answered at once.")] = 0,
) -> None:
    """Serve until Ctrl-C."""

    async def serve_forever() -> None:
        await (await serve(port, milliseconds / 1000, n_slots, width_ms / 1000)).serve_forever()

    asyncio.run(serve_forever())


if __name__ == "__main__":
    typer.run(main)
