import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_utils.monitoring.service import Gateway, start_server

LITTLE_GATEWAY = [sys.executable, str(Path(__file__).with_name("little_gateway.py"))]


@pytest.fixture(scope="session")
def little_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running little gateway."""
    with start(tmp_path_factory.mktemp("gateway")) as server:
        yield server.url


@pytest.fixture
def fresh_gateway(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address of a little gateway that nobody else asks, and the folder of its ``feedback.jsonl``."""
    with start(tmp_path) as server:
        yield server.url, tmp_path


def start(folder: Path) -> Gateway:
    command = [*LITTLE_GATEWAY, "--url-file", str(folder / "url")]
    settings = {"COURSE_FEEDBACK_FILE": str(folder / "feedback.jsonl")}
    return start_server(command, url_file=folder / "url", log=folder / "log", settings=settings, timeout_s=30)
