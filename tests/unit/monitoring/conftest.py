from collections.abc import Iterator
from pathlib import Path

import pytest

from course_utils.processes import LOOPBACK, Server, choose_port


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


def start(folder: Path) -> Server:
    port = choose_port(LOOPBACK)
    return Server(
        "little gateway",
        "tests.unit.monitoring.little_gateway",
        [str(port)],
        url=f"http://{LOOPBACK}:{port}",
        health="/health/ready",
        settings={"COURSE_FEEDBACK_FILE": str(folder / "feedback.jsonl")},
    )
