"""pip-audit itself, before a database that says what the test wants, or that is not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from course_utils.processes import choose_port
from tests.http_servers import JsonHandler, serve
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


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "lock.txt"
    file.write_text("idna==3.10\ncertifi==2026.1.1\n")
    return file


class Database(JsonHandler):
    """Knows the flaws of some packages, by their names."""

    def do_POST(self) -> None:
        self.answer(self.server.flaws.get(self.read_json()["package"]["name"], {}))


@contextmanager
def knows(flaws: dict[str, Any]) -> Iterator[str]:
    """Address of a database of these flaws."""
    with serve(Database, flaws=flaws) as server:
        yield f"{server.url}/v1/query"


def ask(lock: Path, url: str) -> tuple[int, str]:
    return audit(lock, "--vulnerability-service", "osv", "--osv-url", url, "--timeout", "5")


def test_a_vulnerability_fails_and_is_named(lock: Path) -> None:
    with knows({"idna": {"vulns": [FLAW]}}) as url:
        status, said = ask(lock, url)
    assert (status, said.splitlines()[0]) == (1, "idna 3.10: PYSEC-1, mended in 3.11")


def test_none_passes(lock: Path) -> None:
    with knows({}) as url:
        assert ask(lock, url) == (0, "2 packages checked, 0 vulnerabilities known.")


def test_without_a_network_nothing_fails_and_that_is_said(lock: Path) -> None:
    status, said = ask(lock, f"http://127.0.0.1:{choose_port('127.0.0.1')}/v1/query")
    assert status == 0
    assert "NOTHING was checked" in said


def test_another_failure_is_no_network_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("no requirement at all ((")
    status, said = ask(tmp_path / "lock.txt", "http://127.0.0.1:1")
    assert status == 2
    assert "pip-audit failed" in said
