"""pip-audit itself, before a database that says what the test wants, or that is not there."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from course_utils.processes import choose_port
from tools.vulnerabilities import audit

FLAW = {
    "id": "PYSEC-1",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "summary": "It leaks.",
    "affected": [
        {
            "package": {"name": "idna", "ecosystem": "PyPI"},
            "versions": ["3.10"],
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.11"}]}],
        }
    ],
}
Serve = Callable[[dict[str, Any]], str]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "lock.txt"
    file.write_text("idna==3.10\ncertifi==2026.1.1\n")
    return file


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ThreadingHTTPServer] = []

    def start(flaws: dict[str, Any]) -> str:
        class Database(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(flaws.get(asked["package"]["name"], {})).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Database))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/v1/query"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(lock: Path, url: str) -> tuple[int, str]:
    return audit(lock, "--vulnerability-service", "osv", "--osv-url", url, "--timeout", "5")


def test_a_vulnerability_fails_and_is_named(lock: Path, serve: Serve) -> None:
    status, said = ask(lock, serve({"idna": {"vulns": [FLAW]}}))
    assert (status, said.splitlines()[0]) == (1, "idna 3.10: PYSEC-1, mended in 3.11")


def test_none_passes(lock: Path, serve: Serve) -> None:
    assert ask(lock, serve({})) == (0, "2 packages checked, 0 vulnerabilities known.")


def test_without_a_network_nothing_fails_and_that_is_said(lock: Path) -> None:
    status, said = ask(lock, f"http://127.0.0.1:{choose_port('127.0.0.1')}/v1/query")
    assert status == 0
    assert "NOTHING was checked" in said


def test_another_failure_is_no_network_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("no requirement at all ((")
    status, said = ask(tmp_path / "lock.txt", "http://127.0.0.1:1")
    assert status == 2
    assert "pip-audit failed" in said
