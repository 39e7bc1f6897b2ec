"""A real uvicorn with the gateway's protocol, asked over raw sockets."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
import uvicorn

from course_utils.deployment.gateway import http_protocol
from course_utils.deployment.gateway.metrics import GatewayMetrics, MeasureRequests
from course_utils.processes import LOOPBACK

PATIENCE_S = 0.5
MOST = 20
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
ANSWER = b"HTTP/1.1 200 OK"


LARGE = 8_000_000
METRICS = GatewayMetrics()


async def echo_length(scope, receive, send):
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": b"x" * LARGE})
        return
    length, more = 0, scope["path"] != "/refused"
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    text = f"{length} of {dict(scope['headers'])}".encode() if scope["path"] == "/headers" else str(length).encode()
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch, socket.create_server((LOOPBACK, 0)) as listening:
        patch.setattr(http_protocol, "_PATIENCE_S", PATIENCE_S)
        patch.setattr(http_protocol, "_UNREAD_S", PATIENCE_S)
        options = {"http": http_protocol.LimitedHttp, "lifespan": "off", "log_config": None, "loop": "asyncio"}
        options |= {"ws": "none", "limit_concurrency": MOST}
        server = uvicorn.Server(uvicorn.Config(MeasureRequests(echo_length, METRICS), **options))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def talk(port: int, *parts: bytes, pause_s: float = 0.0) -> tuple[bytes, float]:
    """What comes back until the server closes the connection or a second passes, and the seconds that it took."""
    began, came = time.monotonic(), b""
    with socket.create_connection((LOOPBACK, port), timeout=2 * PATIENCE_S) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause_s)
            while piece := connection.recv(4096):
                came += piece
        except (TimeoutError, ConnectionError):
            pass
    return came, time.monotonic() - began


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET / HTTP/1.1\r\nX: ", *[b"x" * 10_000] * 5],
        [b"GET /", *[b"x" * 10_000] * 5],
        [b"GET / HTTP/1.1\r\n", *[b"".join(b"X-%d: y\r\n" % n for n in range(1000))] * 5],
        [POST + b"Transfer-Encoding: chunked\r\n\r\n1;", *[b"x" * 10_000] * 5],
        [POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", *[b"X: " + b"y" * 9000 + b"\r\n"] * 5],
    ],
    ids=["one header", "path", "many headers", "chunk extension", "trailers"],
)
def test_a_head_without_end_is_refused(port: int, parts: list[bytes]) -> None:
    came, seconds = talk(port, *parts, pause_s=0.02)
    assert came == b"" or came.startswith(b"HTTP/1.1 400 ")
    assert seconds < PATIENCE_S, "refused for its size, before its time is over"


@pytest.mark.parametrize(
    "line",
    [
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"get /a?b HTTP/1.0\r\n\r\n",
        b"GET / HTTP/3.0\r\n\r\n",
        b"no HTTP at all\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["a method nobody knows", "methods have capitals", "another version", "a text", "TLS"],
)
def test_what_no_app_could_be_asked_is_refused_in_the_apis_form(port: int, line: bytes) -> None:
    came, _ = talk(port, line)
    head, _, body = came.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"content-length: {len(body)}" in head.decode().lower()
    assert json.loads(body)["error"]["code"] == "invalid_http"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n", b"400"),
        (POST + b"Host: x\r\nContent-Length: 1\r\n", b"400"),
        (POST + b"Host: y\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n", b"400"),
        (b"GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n", b"200"),
    ],
)
def test_a_request_names_one_host(port: int, head: bytes, status: bytes) -> None:
    came, _ = talk(port, head + b"\r\n" + b"x" * (b"Length: 1" in head) + INNER)
    assert came.startswith(b"HTTP/1.1 " + status)
    assert came.count(b"HTTP/1.1 ") == 1


def test_the_app_judges_large_bodies_and_small_chunks(port: int) -> None:
    came, _ = talk(port, POST + b"Content-Length: 300000\r\nConnection: close\r\n\r\n", b"x" * 300_000)
    assert came.startswith(ANSWER)
    assert came.endswith(b"300000")
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    came, _ = talk(port, head, *[b"1\r\nx\r\n"] * 1000, b"0\r\n\r\n")
    assert came.endswith(b"1000")


def test_many_requests_of_a_connection_are_counted_apart(port: int) -> None:
    request = POST + b"X: " + b"y" * 5000 + b"\r\nContent-Length: 2\r\n\r\nxx"
    came, _ = talk(port, *[request] * 19, request.replace(b"X:", b"Connection: close\r\nX:"))
    assert came.count(ANSWER) == 20


def test_an_answer_is_sent_while_the_next_head_comes(port: int) -> None:
    body = b"Content-Length: 2\r\n\r\nxx"
    came, _ = talk(port, POST + body + POST[:9], POST[9:] + b"Connection: close\r\n" + body)
    assert came.count(ANSWER) == 2


@pytest.mark.parametrize("parts", [[], [b"GET / HT"], [POST, b"X: y\r\n"]], ids=["nothing", "a line", "headers"])
def test_a_client_that_sends_no_head_is_disconnected(port: int, parts: list[bytes]) -> None:
    came, seconds = talk(port, *parts)
    assert came == b""
    assert PATIENCE_S * 0.9 < seconds < PATIENCE_S * 1.9


def test_a_slow_sender_gains_no_time(port: int) -> None:
    _, seconds = talk(port, *[b"GET / HTTP/1.1\r\nX: "], *[b"y"] * 8, pause_s=0.1)
    assert seconds < PATIENCE_S * 2.5


def test_the_rest_of_a_request_that_is_answered_is_not_waited_for_long(port: int) -> None:
    began = time.monotonic()
    with socket.create_connection((LOOPBACK, port), timeout=2 * PATIENCE_S) as connection:
        connection.sendall(POST.replace(b"/ ", b"/refused ") + b"Content-Length: 100\r\n\r\n")
        assert connection.recv(4096).startswith(ANSWER)
        with suppress(ConnectionError):
            while time.monotonic() < began + 4 * PATIENCE_S:
                connection.sendall(b"x")
                time.sleep(PATIENCE_S / 20)
    assert PATIENCE_S * 0.9 < time.monotonic() - began < PATIENCE_S * 3


UPGRADE = POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
INNER = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [UPGRADE + b"Content-Length: 32\r\n\r\n" + INNER],
        [UPGRADE + b"Content-Length: 32\r\n\r\n", INNER],
        [UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n20\r\n", INNER, b"\r\n0\r\n\r\n"],
    ],
    ids=["at once", "later", "chunked"],
)
def test_a_body_stays_one_where_another_protocol_is_asked_for(port: int, parts: list[bytes]) -> None:
    """As Java's client asks by default; llhttp passes over the body, or takes it for the next request."""
    came, _ = talk(port, *parts, POST + b"Connection: close\r\nContent-Length: 1\r\n\r\nx", pause_s=0.05)
    assert [answer.rpartition(b"\r\n")[2] for answer in came.split(ANSWER)[1:]] == [b"32", b"1"]


@pytest.mark.parametrize("head", [b"CONNECT x:80 HTTP/1.1\r\n", b"CONNECT x:80 HTTP/1.1\r\nUpgrade: x\r\n"])
def test_there_is_no_tunnel(port: int, head: bytes) -> None:
    came, _ = talk(port, head + b"Connection: upgrade\r\n\r\n" + INNER)
    assert came.startswith(b"HTTP/1.1 400 ")
    assert ANSWER not in came


def test_trailers_are_no_headers(port: int) -> None:
    head = POST.replace(b"/ ", b"/headers ") + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    came, _ = talk(port, head + b"1\r\nx\r\n0\r\nAuthorization: Bearer smuggled\r\n\r\n")
    assert came.startswith(ANSWER)
    assert b"1 of {" in came
    assert b"smuggled" not in came


def test_head_and_body_come_together(port: int) -> None:
    with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
        for _ in range(2):
            connection.sendall(INNER)
            head, _, body = connection.recv(4096).partition(b"\r\n\r\n")
            assert head.startswith(ANSWER)
            assert body == b"0"


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_a_head_without_body_comes_too(port: int, more: bytes) -> None:
    came, _ = talk(port, b"HEAD / HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n")
    assert came.startswith(ANSWER)
    assert came.endswith(b"\r\n\r\n")


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="an option of Linux")
@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_does_not_read_is_disconnected(port: int, reads: bool) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((LOOPBACK, port))
        connection.settimeout(5)
        connection.sendall(INNER.replace(b"inner", b"large") * 2)
        time.sleep(0 if reads else 6 * PATIENCE_S)
        n_bytes = 0
        with suppress(ConnectionError):
            while n_bytes < 2 * LARGE and (piece := connection.recv(1 << 20)):
                n_bytes += len(piece)
    assert (n_bytes >= 2 * LARGE) == reads


def test_work_on_too_many_connections_is_refused_in_the_apis_form_and_counted(port: int) -> None:
    work = INNER.replace(b"/inner", b"/v1/inner")
    refused = METRICS.requests.labels("unknown", "GET", "503")
    with ExitStack() as opened:
        first, *_ = [opened.enter_context(socket.create_connection((LOOPBACK, port), timeout=2)) for _ in range(MOST)]
        came, _ = talk(port, work)
        live, _ = talk(
            port, INNER.replace(b"/inner", b"/health/live").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        first.sendall(work)
        kept = first.recv(4096)
    assert came.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 2" in came
    assert json.loads(came.partition(b"\r\n\r\n")[2])["error"]["code"] == "overloaded"
    assert refused._value.get() == 1
    assert live.startswith(ANSWER), "or a supervisor would kill a gateway that many strangers connect to"
    assert kept.startswith(ANSWER), "who came before the crowd is served"
    time.sleep(0.1)
    assert talk(port, POST + b"Connection: close\r\nContent-Length: 0\r\n\r\n")[0].startswith(ANSWER)
