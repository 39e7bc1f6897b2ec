import socket

from course_utils.monitoring.service import read_readiness


def test_readiness_is_what_the_gateway_says(little_gateway: str) -> None:
    assert read_readiness(little_gateway) == {"ready": True}


def test_nobody_answers() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        assert read_readiness(url) == {"ready": False, "gateway": "no answer (ConnectError)"}
