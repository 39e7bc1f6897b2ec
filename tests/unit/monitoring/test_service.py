"""Real requests to a real little server: every way to fail is a record, and both ends agree."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from course_utils.errors import DataError
from course_utils.monitoring.service import (
    TrafficRecord,
    error_rate,
    latency_quantile_ms,
    read_readiness,
    send_traffic,
)
from course_utils.processes import LOOPBACK, choose_port
from course_utils.prometheus import scrape


def rows(*questions: str) -> list[dict[str, str]]:
    return [{"id": f"q{i}", "db_id": "d", "question": question} for i, question in enumerate(questions)]


def send(url: str, questions: list[dict[str, str]], n_requests: int, **options: float) -> list[TrafficRecord]:
    return send_traffic(url, questions, n_requests=n_requests, concurrency=4, seed=0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "status", "outcome"),
    [
        ("fine", 200, "answered"),
        ("invalid", 200, "invalid SQL"),
        ("unknown", 404, "client error"),
        ("fail", 500, "server error"),
        ("garbage", 200, "server error"),
        ("no object", 200, "server error"),
        ("not gzip", 0, "server error"),
        ("slow", 0, "timeout"),
    ],
)
def test_each_outcome(little_gateway: str, question: str, status: int, outcome: str) -> None:
    (record,) = send(little_gateway, rows(question), 1, timeout_s=0.5)
    assert (record.status, record.outcome) == (status, outcome)
    assert (record.id, record.db_id, record.question) == ("q0", "d", question)


def test_a_server_that_is_not_there() -> None:
    url = f"http://{LOOPBACK}:{choose_port(LOOPBACK)}"
    (record,) = send(url, rows("fine"), 1)
    assert (record.status, record.outcome) == (0, "unreachable")
    assert read_readiness(url) == {"ready": False, "gateway": "no answer (ConnectError)"}


def test_an_answer_is_recorded(little_gateway: str) -> None:
    (record,) = send(little_gateway, rows("fine"), 1)
    assert (record.predicted, record.answer_id) == ("SELECT 'fine'", "a1")


def test_client_and_server_count_the_same(fresh_gateway: tuple[str, Path]) -> None:
    url, _ = fresh_gateway
    before = scrape(url)
    records = send(url, rows("fine", "fine too", "fail", "unknown"), 40)
    gained = scrape(url) - before
    statuses = Counter(str(record.status) for record in records)
    assert gained.by_label("little_requests_total", "status") == dict(statuses) == {"200": 20, "404": 10, "500": 10}
    assert gained.total("little_seconds_count") == 40
    assert error_rate(records) == 0.5
    server_mean_ms = 1000 * gained.total("little_seconds_sum") / 40
    assert sum(record.latency_ms for record in records) / 40 > server_mean_ms


def test_requests_overlap_and_latency_is_what_the_user_waits(little_gateway: str) -> None:
    records = send(little_gateway, rows("slow"), 4)
    assert max(r.time for r in records) - min(r.time for r in records) < 0.9
    assert all(1000 <= record.latency_ms < 4000 for record in records)
    assert 1000 <= latency_quantile_ms(records, 0.5) <= latency_quantile_ms(records, 0.95)


def test_order_depends_on_the_seed_alone_and_every_question_is_used(little_gateway: str) -> None:
    questions = rows(*"abcdefgh")
    first, again = (send_traffic(little_gateway, questions, n_requests=12, concurrency=1, seed=3) for _ in range(2))
    assert [record.id for record in first] == [record.id for record in again]
    assert {record.id for record in first[:8]} == {row["id"] for row in questions}


def test_requests_that_wait_for_nobody_leave_at_the_rate_that_is_asked_for(little_gateway: str) -> None:
    records = send_traffic(little_gateway, rows("slow"), n_requests=20, concurrency=20, seed=3, per_second=40.0)
    sent = [record.time for record in records]
    assert max(sent) - min(sent) < 1.0, "none waits for an answer, which takes a second"
    assert max(sent) - min(sent) > 0.2
    assert len({round(later - earlier, 3) for earlier, later in pairwise(sent)}) > 10, "the gaps are random"


def test_no_questions() -> None:
    with pytest.raises(DataError, match="no questions"):
        send("http://127.0.0.1:1", [], 3)


def test_readiness_is_what_the_gateway_says(little_gateway: str) -> None:
    assert read_readiness(little_gateway) == {"ready": True}
