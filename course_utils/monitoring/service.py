"""The service as its users meet it: start it, ask whether it is ready, send real requests, record what each one met."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from course_utils.artifacts import Course
from course_utils.errors import DataError
from course_utils.files import Row
from course_utils.processes import LOOPBACK, Server, choose_port

if TYPE_CHECKING:
    import httpx

Outcome = Literal["answered", "invalid SQL", "client error", "server error", "timeout", "unreachable"]
"""``answered``: the query ran. ``invalid SQL``: the model replied, but the query failed a check. Others are errors."""


def start_service(course: Course, folder: Path, *, settings: Mapping[str, str] | None = None) -> Server:
    """Run ``course serve``, for the stages share no code, and wait until it is ready to answer.

    It writes ``gateway.log``, the ``requests.jsonl`` of its users and their ``feedback.jsonl`` to ``folder``;
    ``settings`` are further ``COURSE_*`` variables of the gateway.

    Raises:
        ServiceError: It ends or is not ready in time; holds the last lines of its log.
    """
    port = choose_port(LOOPBACK)
    options = [f"--{name.lower()}={value}" for name, value in course.parameters.items()]
    kept = {"COURSE_LOG_FILE": str(folder / "requests.jsonl"), "COURSE_FEEDBACK_FILE": str(folder / "feedback.jsonl")}
    return Server(
        "service",
        "course_utils.cli",
        ["serve", *options, f"--port={port}"],
        url=f"http://{LOOPBACK}:{port}",
        health="/health/ready",
        settings={**kept, **(settings or {})},
        log=folder / "gateway.log",
        stop_timeout_s=100.0,  # more than the command itself gives each of its two servers
    )


def read_readiness(url: str) -> dict[str, Any]:
    """What ``/health/ready`` says of each part; only ``ready: False`` and a reason if nobody answers."""
    import httpx

    try:
        return dict(httpx.get(f"{url}/health/ready", timeout=10.0, trust_env=False).json())
    except (httpx.HTTPError, ValueError) as error:
        return {"ready": False, "gateway": f"no answer ({type(error).__name__})"}


@dataclass(frozen=True)
class TrafficRecord:
    """One request and its reply."""

    time: float
    """Unix time at which it was sent, in seconds."""
    phase: str
    """A name for the part of the traffic it belongs to."""
    id: str
    db_id: str
    question: str
    status: int
    """HTTP status; 0 where no reply came."""
    outcome: Outcome
    latency_ms: float
    """From sending to the last byte of the reply, as the user feels it."""
    predicted: str = ""
    """The query of the reply."""
    answer_id: str = ""
    """The gateway's name for its answer, which feedback refers to."""


def send_traffic(
    url: str,
    questions: Sequence[Row],
    *,
    n_requests: int,
    concurrency: int,
    seed: int,
    phase: str = "",
    key: str = "",
    timeout_s: float = 30.0,
    per_second: float | None = None,
) -> list[TrafficRecord]:
    """Ask the gateway's ``/v1/sql`` as ``concurrency`` users would who each wait for their answer.

    With ``per_second`` they wait for nobody: so many requests leave a second, at random moments (Poisson arrivals). One
    leaves late, and its latency says nothing of that, where ``concurrency`` others are under way.

    Questions are drawn in random order, and again from the start when they are used up. No failure
    raises: an error, a timeout and a refused connection are records like the others, in the order of sending. Each
    has the name of its ``phase``; ``timeout_s`` are the seconds to wait for a reply.

    Raises:
        DataError: There are no questions.
    """
    import httpx

    if not questions:
        raise DataError("there are no questions to send; check the test split of the data stage")
    rng, rows = Random(seed), list[Row]()
    while len(rows) < n_requests:
        rows += rng.sample(list(questions), len(questions))[: n_requests - len(rows)]
    gaps_s = [rng.expovariate(per_second) if per_second else 0.0 for _ in rows]
    limits, headers = httpx.Limits(max_connections=concurrency), {"Authorization": f"Bearer {key}"} if key else {}
    with (
        httpx.Client(base_url=url, timeout=timeout_s, limits=limits, trust_env=False, headers=headers) as client,
        ThreadPoolExecutor(concurrency) as pool,
    ):
        moments = accumulate(gaps_s, initial=time.perf_counter())
        records = list(pool.map(lambda row, moment: _ask(client, row, phase, moment), rows, moments))
    return sorted(records, key=lambda record: record.time)


def _ask(client: "httpx.Client", row: Row, phase: str, moment: float) -> TrafficRecord:
    import httpx

    time.sleep(max(0.0, moment - time.perf_counter()))
    sent, began = time.time(), time.perf_counter()
    reply: httpx.Response | None = None
    body: Row = {}
    try:
        reply = client.post("/v1/sql", json={"question": row["question"], "database": row["db_id"]})
        body = reply.json() if reply.status_code < 400 else {}
        outcome = _judge(reply.status_code, body)
    except httpx.TimeoutException:
        outcome = "timeout"
    except httpx.TransportError:
        outcome = "unreachable"
    except (ValueError, AttributeError, httpx.DecodingError):  # not JSON, no object, or not compressed as it says
        outcome, body = "server error", {}
    return TrafficRecord(
        time=sent,
        phase=phase,
        id=str(row.get("id", "")),
        db_id=row["db_id"],
        question=row["question"],
        status=reply.status_code if reply is not None else 0,
        outcome=outcome,
        latency_ms=1000 * (time.perf_counter() - began),
        predicted=body.get("query") or "",
        answer_id=str(body.get("id", "")),
    )


def _judge(status: int, body: Row) -> Outcome:
    if status >= 400:
        return "server error" if status >= 500 else "client error"
    return "answered" if all(body.get("checks", {}).values()) else "invalid SQL"


def error_rate(records: Sequence[TrafficRecord]) -> float:
    """Share of requests that the service failed, in [0, 1]; lower is better."""
    failed = [record.outcome not in ("answered", "invalid SQL") for record in records]
    return sum(failed) / len(failed) if failed else 0.0


def latency_quantile_ms(records: Sequence[TrafficRecord], q: float) -> float:
    """Quantile of the measured latencies of replies, in milliseconds; lower is better.

    Requests without a reply have no latency; NaN where none was answered.
    """
    import numpy as np

    latencies = [record.latency_ms for record in records if record.status]
    return float(np.quantile(latencies, q)) if latencies else float("nan")
