"""Servers that send given bytes; ``tests/stack/test_model_failures.py`` tests what the gateway makes of them."""

import asyncio

import aiohttp
import pytest
from aiohttp.http import HttpProcessingError

from course_utils.deployment.gateway import http_client
from course_utils.deployment.gateway.http_client import HttpClient
from course_utils.processes import LOOPBACK

OK = b"HTTP/1.1 200 OK\r\n"


def ask(
    *replies: bytes, path: str = "", timeout_s: float = 5.0, pause_s: float = 0.0
) -> tuple[list[bytes], list[tuple[int, bytes]], int]:
    """The bytes that a server received, the status and body of each reply, and the number of connections."""

    async def run() -> tuple[list[bytes], list[tuple[int, bytes]], int]:
        asked, left, n_connections = [], iter(replies), 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal n_connections
            n_connections += 1
            while head := await reader.read(65_536):
                asked.append(head)
                writer.write(reply := next(left))
                if b"\r\n\r\n" not in reply or (b"Length" not in reply and b"chunked" not in reply):
                    writer.close()
                    return

        async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
            client = HttpClient(f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}{path}", timeout_s)
            came = []
            for _ in replies:
                with await client.send("POST", "/v1/x", b"{}") as reply:
                    came.append((reply.status, await reply.read()))
                await asyncio.sleep(pause_s)
            await client.close()
            return asked, came, n_connections

    return asyncio.run(run())


def test_a_connection_serves_request_after_request() -> None:
    whole, chunked = OK + b"Content-Length: 2\r\n\r\nab", OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
    asked, came, n_connections = ask(whole, chunked, whole, path="/prefix/")
    assert came == [(200, b"ab"), (200, b"c"), (200, b"ab")]
    assert n_connections == 1
    head, body = asked[0].split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /prefix/v1/x HTTP/1.1"
    assert {"Content-Length: 2", "Content-Type: application/json", "Accept-Encoding: identity"} <= {*lines}
    assert sum(line.startswith("Host: 127.0.0.1:") for line in lines) == 1
    assert body == b"{}"


@pytest.mark.parametrize("limit", ["KEEP_S", "MAX_AGE_S"])
def test_a_connection_that_is_idle_for_long_or_old_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    assert http_client.KEEP_S < 5
    monkeypatch.setattr(http_client, limit, 0.1)
    _, _, n_connections = ask(*[OK + b"Content-Length: 2\r\n\r\nab"] * 3, pause_s=0.2)
    assert n_connections == 3


def test_a_body_may_end_with_its_connection() -> None:
    _, came, n_connections = ask(OK + b"\r\nab", OK + b"Content-Length: 1\r\n\r\nc")
    assert came == [(200, b"ab"), (200, b"c")]
    assert n_connections == 2


def test_a_redirect_is_not_followed() -> None:
    _, came, _ = ask(b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
    assert came == [(307, b"")]


@pytest.mark.parametrize(
    "early", [b"100 Continue\r\n\r\n", b"103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n"]
)
def test_what_comes_before_a_response_is_none(early: bytes) -> None:
    _, came, n_connections = ask(
        b"HTTP/1.1 " + early + OK + b"Content-Length: 1\r\n\r\na", OK + b"Content-Length: 1\r\n\r\nb"
    )
    assert came == [(200, b"a"), (200, b"b")]
    assert n_connections == 1


@pytest.mark.parametrize(
    "late", [OK + b"Content-Length: 4\r\n\r\nlate", OK + b"Content-Length: 9\r\n\r\nla"], ids=["whole", "a part"]
)
def test_a_response_that_nobody_asked_for_is_given_to_nobody(late: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(65_536):
            writer.write(OK + b"Content-Length: 1\r\n\r\n" + request[-1:])
            await asyncio.sleep(0.05)
            writer.write(late)

    async def run() -> list[bytes]:
        async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
            client, came = HttpClient(f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}", 5.0), []
            for body in (b"1", b"2", b"3"):
                with await client.send("POST", "/v1/x", body) as reply:
                    came.append(await reply.read())
                await asyncio.sleep(0.1)
            await client.close()
            return came

    assert asyncio.run(run()) == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", HttpProcessingError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, HttpProcessingError),
        (b"", aiohttp.ServerDisconnectedError),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz", (aiohttp.ClientError, HttpProcessingError)),
    ],
)
def test_a_reply_that_is_not_http_is_an_error(reply: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(reply)


def test_a_body_that_does_not_come_times_out() -> None:
    with pytest.raises(TimeoutError):
        ask(OK + b"Content-Length: 9\r\n\r\nab", timeout_s=0.2)


@pytest.mark.parametrize("sent_before", [b"", OK + b"Content-Length: 5\r\n\r\nla"], ids=["nothing", "a part"])
def test_a_cancelled_request_leaves_no_reply_to_the_next(sent_before: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(65_536):
            is_late = request.endswith(b"late!")
            writer.write(sent_before if is_late else b"")
            await asyncio.sleep(0.1 * is_late)
            text = b"late!"[2:] if is_late and sent_before else OK + b"Content-Length: 5\r\n\r\n" + request[-5:]
            writer.write(text)

    async def read(client: HttpClient, body: bytes) -> bytes:
        with await client.send("POST", "/v1/x", body) as reply:
            return await reply.read()

    async def run() -> bytes:
        async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
            client = HttpClient(f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}", 5.0)
            leaves = asyncio.create_task(read(client, b"late!"))
            await asyncio.sleep(0.05)
            leaves.cancel()
            await asyncio.wait([leaves])
            try:
                return await read(client, b"next!")
            finally:
                await client.close()

    assert asyncio.run(run()) == b"next!"


def test_an_unreachable_server_is_a_client_error() -> None:
    async def run() -> None:
        client = HttpClient(f"http://{LOOPBACK}:9", 1.0)
        try:
            with await client.send("GET", "/v1/models"):
                pass
        finally:
            await client.close()

    with pytest.raises(aiohttp.ClientConnectorError):
        asyncio.run(run())
