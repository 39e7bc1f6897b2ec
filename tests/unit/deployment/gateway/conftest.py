"""The gateway in this process, before a model server that always answers the same and records its requests."""

import json
import shutil
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from course_utils.deployment.gateway.app import create_app
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.processes import choose_port
from tests.http_servers import JsonHandler, LocalServer, serve
from tests.programs import run_program

with warnings.catch_warnings():  # it would rather have a successor of httpx, which nothing else here uses
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

USAGE = {"prompt_tokens": 30, "completion_tokens": 20}
MakeClient = Callable[..., TestClient]


class Model(JsonHandler):
    """Replies at once, or when the server's ``may_reply`` is set; with ``head_first``, no more than the head."""

    def do_GET(self) -> None:
        self.server.n_looks += 1
        self.server.may_reply.wait(10)
        self.answer({})

    def do_POST(self) -> None:
        body = self.read_json()
        self.server.asked.append(body)
        if self.server.head_first:
            self.answer(b"", Content_Length="1")
        self.server.may_reply.wait(10)
        if self.server.head_first:
            return
        if body.get("stream"):
            events = [{"choices": [{"delta": {"content": "SELECT 1"}}]}, {"choices": [], "usage": USAGE}]
            self.answer("".join(f"data: {each}\n\n" for each in [*map(json.dumps, events), "[DONE]"]).encode())
        else:
            self.say(self.server.says, usage=USAGE)


@pytest.fixture
def model() -> Iterator[LocalServer]:
    (may_reply := threading.Event()).set()
    with serve(Model, asked=[], says="SELECT 1", may_reply=may_reply, n_looks=0, head_first=False) as server:
        yield server


@pytest.fixture
def url(model: LocalServer) -> str:
    return model.url


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
def redis(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    port = choose_port("127.0.0.1")
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
    with run_program(command, port, tmp_path) as process:
        yield f"redis://127.0.0.1:{port}", process
