import builtins
import socket
from typing import Any

import pytest

from course_utils.data.privacy import presidio
from course_utils.data.privacy.detect import find_personal_data
from course_utils.errors import MissingExtraError

from .labelled import POSITIVE
from .test_patterns import score


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("presidio_analyzer"):
            raise ImportError(name)
        return real(name, *rest)

    presidio._engine.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"presidio-analyzer.*privacy"):
        presidio.find_by_presidio("anything")
    presidio._engine.cache_clear()


@pytest.mark.slow
def test_presidio_finds_what_people_labelled_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("presidio_analyzer")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("it tried the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    recall, precision = score("presidio")
    assert recall >= 0.95
    assert precision >= 0.95
    assert [p.kind for p in find_personal_data("Finnish id 131052-308T", engine="presidio")] == ["national_id"]


@pytest.mark.slow
def test_our_checksums_agree_with_presidios() -> None:
    recognizers = pytest.importorskip("presidio_analyzer.predefined_recognizers")
    judges = {"card": recognizers.CreditCardRecognizer(), "iban": recognizers.IbanRecognizer()}
    for kind, it, _ in POSITIVE:
        if kind in judges and it.isupper() | it[0].isdigit():
            compact = it.replace(" ", "").replace("-", "")
            assert judges[kind].validate_result(compact)
            assert not judges[kind].validate_result(compact[:-1] + str((int(compact[-1], 36) + 1) % 10))
