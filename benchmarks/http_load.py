"""Clients that send a request over and over and cost next to nothing themselves."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit


def send_repeatedly(
    *urls: str, bodies: list[dict[str, Any]], n_clients: int, seconds: float, headers: Mapping[str, str] | None = None
) -> list[float]:
    """The seconds that each request took; every client has a connection and takes the next body when it has its answer.

    Several servers of this machine, with one path, share the clients.

    Raises:
        RuntimeError: A request was not answered with status 200.
    """
    return asyncio.run(_send(urls, bodies, n_clients, seconds, headers or {}))


async def _send(
    urls: Sequence[str], bodies: list[dict[str, Any]], n_clients: int, seconds: float, headers: Mapping[str, str]
) -> list[float]:
    requests = cycle([_request(urls[0], body, headers) for body in bodies])
    until = time.perf_counter() + seconds
    ports = [urlsplit(urls[number % len(urls)]).port for number in range(n_clients)]
    taken = await asyncio.gather(*(_one_client(port, requests, until) for port in ports))
    return [each for client in taken for each in client]


async def _one_client(port: int | None, requests: Iterator[bytes], until: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken = []
    while (began := time.perf_counter()) < until:
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        taken.append(time.perf_counter() - began)
        if b" 200 " not in head[:16]:
            raise RuntimeError(f"{head.decode()}{body.decode()}")
    writer.close()
    return taken


def _request(url: str, body: dict[str, Any], headers: Mapping[str, str]) -> bytes:
    text = json.dumps(body).encode()
    sent = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(text)), **headers}
    lines = [f"POST {urlsplit(url).path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + text
