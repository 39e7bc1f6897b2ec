import socket

import pytest

from course_utils.deployment.processes import choose_port, run_server
from course_utils.errors import ServiceError


def test_zero_gives_a_port_that_can_be_taken() -> None:
    port = choose_port("127.0.0.1")
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_port_in_use_says_where_and_what_next() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"127\.0\.0\.1:{port}.*in use.*choose another"):
            choose_port("127.0.0.1", port)


def test_a_server_that_ends_at_once_shows_its_log() -> None:
    with (
        pytest.raises(ServiceError, match=r"(?s)exit code 2.*unrecognized arguments: --nonsense"),
        run_server(
            "model server",
            "course_utils.deployment.model_server",
            ["--nonsense", "--model", "x"],
            url="http://127.0.0.1:9",
            health="/",
        ),
    ):
        pytest.fail("it must not become healthy")
