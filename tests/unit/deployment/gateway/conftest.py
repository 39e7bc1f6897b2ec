"""The gateway in this process, before a model server that always answers the same and records its requests."""

import json
import shutil
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from course_utils.deployment.gateway.app import create_app
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.processes import choose_port
from tests.stack.programs import is_open

with warnings.catch_warnings():  # it would rather have a successor of httpx, which nothing else here uses
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

USAGE = {"prompt_tokens": 30, "completion_tokens": 20}
MakeClient = Callable[..., TestClient]


class Model(BaseHTTPRequestHandler):
    """Replies at once, or when the server's ``may_reply`` is set; with ``head_first``, no more than the head."""

    def do_GET(self) -> None:
        self.server.n_looks += 1
        self.server.may_reply.wait(10)
        self._answer({})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        if self.server.head_first:
            self._send(b"", more=1)
        self.server.may_reply.wait(10)
        if self.server.head_first:
            return
        if body.get("stream"):
            events = [{"choices": [{"delta": {"content": "SELECT 1"}}]}, {"choices": [], "usage": USAGE}]
            self._send(
                b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
            )
        else:
            self._answer({"choices": [{"message": {"role": "assistant", "content": self.server.says}}], "usage": USAGE})

    def _answer(self, body: dict[str, Any]) -> None:
        self._send(json.dumps(body).encode())

    def _send(self, text: bytes, more: int = 0) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text) + more))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def model() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.asked, server.says, server.may_reply = [], "SELECT 1", threading.Event()
    server.may_reply.set()
    server.n_looks, server.head_first = 0, False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def url(model: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{model.server_port}"


@pytest.fixture
def make_client(url: str, tmp_path: Path) -> Iterator[MakeClient]:
    """A client of a gateway with these settings, which ends with the test."""
    (tmp_path / "databases").mkdir()
    with ExitStack() as clients:

        def make(key: str = "", **settings: Any) -> TestClient:
            settings = {"model_url": url, **settings}
            app = create_app(GatewaySettings(databases=tmp_path / "databases", **settings))
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return clients.enter_context(TestClient(app, headers=headers, raise_server_exceptions=False))

        yield make


@pytest.fixture
def redis() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    port = choose_port("127.0.0.1")
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    deadline = time.monotonic() + 30
    while not is_open(port):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"redis://127.0.0.1:{port}", process
    process.kill()
    process.wait()
