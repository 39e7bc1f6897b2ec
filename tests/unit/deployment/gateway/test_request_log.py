import json
import logging
import sqlite3
import time
from pathlib import Path

import pytest

from course_utils.deployment.gateway import logs
from course_utils.deployment.gateway.logs import JsonFormatter, mask_personal
from course_utils.errors import ConfigurationError
from tests.unit.deployment.gateway.conftest import MakeClient

QUESTION = "How many secrets does ana@example.org have?"
CHAT = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records if hasattr(record, "notes")]


def test_a_request_is_a_line_without_its_question(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = make_client("the key", api_key="the key", cache_s=60)
    for _ in range(2):
        client.post("/v1/chat/completions", json=CHAT, headers={"X-Request-ID": "mine-1"})
    first, second = lines(caplog)
    assert first.pop("seconds") > 0
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "INFO",
        "message": "request",
        "request_id": "mine-1",
        "caller": "admin",
        "model": "course",
        "version": "",
        "cache": "miss",
        "tokens": 50,
        "route": "/v1/chat/completions",
        "method": "POST",
        "status": 200,
    }
    assert (second["cache"], second["tokens"], second["model"]) == ("hit", 0, "course")
    for text in (QUESTION, "SELECT 1", "the key", "ana"):
        assert text not in caplog.text
        assert text not in json.dumps([first, second])


def test_what_callers_invent_is_not_logged(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    make_client().request("INVENTED", "/invented?secret=1", headers={"X-Request-ID": 'x", "status": 200'})
    (line,) = lines(caplog)
    assert (line["route"], line["method"], line["status"]) == ("unknown", "other", 404)
    assert len(line["request_id"]) == 32
    assert "secret" not in json.dumps(line)


def test_polls_are_logged_when_they_fail(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = make_client("the key", api_key="the key")
    paths = ("/health/live", "/health/ready", "/metrics", "/v1/models")
    statuses = {path: client.get(path).status_code for path in paths}
    del client.headers["Authorization"]
    statuses |= {"/metrics": client.get("/metrics").status_code}
    assert statuses == {"/health/live": 200, "/health/ready": 503, "/metrics": 401, "/v1/models": 200}
    logged = [(line["route"], line["status"]) for line in lines(caplog)]
    assert logged == [("/health/ready", 503), ("/v1/models", 200), ("/metrics", 401)]


def test_a_request_keeps_a_plain_id_and_gets_one_otherwise(make_client: MakeClient) -> None:
    client = make_client()
    responses = [client.get("/health/live", headers={"X-Request-ID": sent}) for sent in ("a-1", "a\tb", "x" * 65)]
    ids = [response.headers["X-Request-ID"] for response in responses]
    assert ids[0] == "a-1"
    assert all(len(made) == 32 for made in ids[1:])


def test_no_other_site_may_read_an_answer(make_client: MakeClient) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS"):
        response = make_client().request(method, "/v1/models", headers=asked)
        assert not any(name.startswith("access-control-") for name in response.headers)


def test_an_exception_is_one_line_too() -> None:
    try:
        raise ValueError("lost")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "%s failed", ("it",), (ValueError, error, None))
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "it failed\nValueError: lost"


def log_as_a_new_process(file: Path | None, monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    logs.log_to(file)
    return root


def test_the_log_starts_anew_before_it_grows_large(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_MAX_BYTES", 1000)
    root = log_as_a_new_process(tmp_path / "logs" / "gateway.jsonl", monkeypatch)
    for n in range(100):
        root.info("request", extra={"notes": {"n": n}})
    root.warning("something is wrong")
    root.handlers[1].close()
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 6
    assert all(file.stat().st_size < 1000 + 120 for file in files)
    assert json.loads(files[0].read_text("utf-8").splitlines()[-1])["message"] == "something is wrong"
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["level"] == "WARNING"


def test_without_a_file_requests_are_told_to_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = log_as_a_new_process(None, monkeypatch)
    root.info("request", extra={"notes": {"status": 200}})
    assert json.loads(capsys.readouterr().err)["status"] == 200


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="COURSE_LOG_FILE"):
        log_as_a_new_process(tmp_path / "file" / "log", monkeypatch)


def test_questions_are_logged_where_somebody_switched_it_on_and_without_personal_data(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "databases" / "d").mkdir(parents=True, exist_ok=True)
    sqlite3.connect(tmp_path / "databases" / "d" / "d.sqlite").close()
    for switched_on in (False, True):
        client = make_client(log_questions=switched_on)
        assert client.post("/v1/sql", json={"question": QUESTION, "database": "d"}).is_success
    silent, telling = lines(caplog)
    assert "question" not in silent
    assert silent["outcome"] == telling["outcome"] == "executed"
    assert silent["shape"] == telling["shape"] == "one table"
    assert telling["question"] == "How many secrets does *** have?"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to Ana.Lopez+db@mail.example.org, please", "Write to ***, please"),
        ("Who has 4111 1111 1111 1111?", "Who has ***?"),
        ("Who is +49 (30) 123-4567?", "Who is ***?"),
        ("How many of 12 singers sold 250000 in 2020?", "How many of 12 singers sold 250000 in 2020?"),
    ],
)
def test_addresses_and_long_numbers_are_masked(text: str, masked: str) -> None:
    assert mask_personal(text) == masked


def test_the_longest_question_is_masked_soon() -> None:
    began = time.process_time()
    for text in ("a" * 2000, "1-" * 1000, "1 2 3 4 5 6 x" * 150):
        mask_personal(text)
    assert time.process_time() - began < 1


def test_masking_takes_no_longer_than_the_text(caplog: pytest.LogCaptureFixture) -> None:
    began = time.process_time()
    for text in ("a" * 200_000, "a@" * 100_000, "1 2 " * 50_000, "+" * 200_000, "1" * 200_000):
        mask_personal(text)
    assert time.process_time() - began < 2
