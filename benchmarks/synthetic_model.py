"""A model server that takes its time and no processor: it says the same to everybody after some milliseconds.

``python -m benchmarks.synthetic_model PORT MS``
"""

import asyncio
import json
import sys

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "course",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "SELECT count(*) FROM singer"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 230, "completion_tokens": 9, "total_tokens": 239},
}


class _Connection(asyncio.Protocol):
    """Requests with a body of known length, one after the other."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._received, self._reply = seconds, b"", _response(REPLY)

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
            self._received = self._received[end + 4 + length :]
            seconds = self._seconds if head.startswith(b"post") else 0
            asyncio.get_running_loop().call_later(seconds, self._transport.write, self._reply)


def _response(body: object) -> bytes:
    text = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)


async def serve(port: int, seconds: float) -> asyncio.Server:
    """Listen on a port of this machine; a GET is answered at once."""
    return await asyncio.get_running_loop().create_server(lambda: _Connection(seconds), "127.0.0.1", port)


async def _serve_forever(port: int, seconds: float) -> None:
    await (await serve(port, seconds)).serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve_forever(int(sys.argv[1]), float(sys.argv[2]) / 1000))
