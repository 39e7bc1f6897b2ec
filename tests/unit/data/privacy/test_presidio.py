import builtins
import socket
from typing import Any

import pytest

from course_utils.data.privacy import presidio
from course_utils.data.privacy.detect import load_detector
from course_utils.errors import MissingExtraError

from .test_patterns import recall_and_precision


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("presidio_analyzer"):
            raise ImportError(name)
        return real(name, *rest)

    presidio.load_engine.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"presidio-analyzer.*privacy"):
        load_detector("presidio")


@pytest.mark.slow
def test_presidio_finds_what_people_labelled_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("presidio_analyzer")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("it tried the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    recall, precision = recall_and_precision("presidio")
    assert min(recall, precision) >= 0.95
    assert [found.type for found in load_detector("presidio")("Finnish id 131052-308T")] == ["national_id"]
