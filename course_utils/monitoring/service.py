"""Use the service as its users do: start it, ask whether it is ready, send real requests, and record each outcome."""

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
    """Run ``course serve`` as a child process, because stages share no code, and wait until it is ready.

    It writes ``gateway.log``, and its users' ``requests.jsonl`` and ``feedback.jsonl``, to ``folder``; ``settings`` are
    further ``COURSE_*`` variables of the gateway.

    Raises:
        ServiceError: It ends or is not ready in time; the message holds the last lines of its log.
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
    """The reply of ``/health/ready``, with the state of each part; ``ready: False`` and a reason if there is none."""
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
    """Ask the gateway's ``/v1/sql`` as ``concurrency`` users do who each wait for an answer before they ask again.

    With ``per_second``, that many requests a second are sent at random moments instead (Poisson arrivals). While
    ``concurrency`` requests are running, further ones are sent late, and their latencies do not include the delay.

    Questions are drawn in an order that ``seed`` determines, and anew when all are used. No failure raises: an error, a
    timeout and a refused connection are records, too. Records are in the order of sending, and each has the name of its
    ``phase``; ``timeout_s`` is the time to wait for a reply (s).

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
    except (ValueError, AttributeError, httpx.DecodingError):  # not JSON, not an object, or wrongly compressed
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
    """Share of requests without an answer (client errors included), in [0, 1], 0 without records; lower is better."""
    failed = [record.outcome not in ("answered", "invalid SQL") for record in records]
    return sum(failed) / len(failed) if failed else 0.0


def latency_quantile_ms(records: Sequence[TrafficRecord], q: float) -> float:
    """Quantile ``q``, in [0, 1], of the latencies of replies, in milliseconds; lower is better.

    Requests without a reply are left out; NaN if none had a reply.
    """
    import numpy as np

    latencies = [record.latency_ms for record in records if record.status]
    return float(np.quantile(latencies, q)) if latencies else float("nan")
