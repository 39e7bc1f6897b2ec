"""A gateway whose model replies with hostile statements, many of them at once."""

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from course_utils.deployment import start_gateway
from tests.http_servers import JsonHandler, serve
from tests.unit.sql.hostile import build_database

DATABASE = "things"
HONEST, HONEST_QUERY, HONEST_ROWS = "How many things are there?", "SELECT count(*) FROM t", [[50]]
MANY = 100


class _Model(JsonHandler):
    """Replies to "hostile 17" with the statement of that number, and to all else with the honest query."""

    def do_GET(self) -> None:
        self.answer({})

    def do_POST(self) -> None:
        number = re.search(r"hostile (\d+)", self.read_json()["messages"][-1]["content"])
        self.say(self.server.statements[int(number[1])] if number else HONEST_QUERY, model="hostile")


@dataclass(frozen=True)
class Siege:
    """What became of many hostile questions at once."""

    responses: list[httpx.Response]
    health_s: dict[str, list[float]]
    """Seconds that each health check took meanwhile, by its path."""
    seconds: float
    honest_s: float
    """Seconds that an honest question took afterwards."""

    @property
    def n_by_status(self) -> dict[str, int]:
        """How many questions ended with each status."""
        statuses = [str(response.status_code) for response in self.responses]
        return {status: statuses.count(status) for status in sorted({*statuses})}


@contextmanager
def attacked_gateway(
    statements: Sequence[str], databases: Path, query_timeout_s: float, **more: str
) -> Iterator[httpx.Client]:
    """A client of a real gateway before a model that replies with the statements; ``more`` are settings."""
    file = build_database(databases / DATABASE / f"{DATABASE}.sqlite")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP VIEW vchain")  # nothing can read a schema that grows without end
    settings = {"COURSE_QUERY_TIMEOUT_S": str(query_timeout_s), "COURSE_MAX_ROWS": "10", **more}
    limits = httpx.Limits(max_connections=2 * MANY)
    with (
        serve(_Model, statements=statements) as model,
        start_gateway(model.url, databases, settings=settings) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60, trust_env=False, limits=limits) as client,
    ):
        yield client


def ask(client: httpx.Client, question: str) -> httpx.Response:
    """Put one question to ``/v1/sql``."""
    return client.post("/v1/sql", json={"question": question, "database": DATABASE})


def besiege(client: httpx.Client, numbers: Sequence[int]) -> Siege:
    """Ask for all these statements at once, look at the gateway's health meanwhile, then ask an honest question."""
    health_s: dict[str, list[float]] = {"/health/live": [], "/health/ready": []}
    began = time.perf_counter()
    with ThreadPoolExecutor(len(numbers)) as pool:
        answers = [pool.submit(ask, client, f"hostile {number}") for number in numbers]
        while not all(answer.done() for answer in answers):
            for path, waits in health_s.items():
                waits.append(_seconds_of(lambda path=path: client.get(path).raise_for_status()))
            time.sleep(0.05)
    seconds = time.perf_counter() - began
    honest_s = _seconds_of(lambda: _require_rows(ask(client, HONEST)))
    return Siege([answer.result() for answer in answers], health_s, seconds, honest_s)


def _require_rows(response: httpx.Response) -> None:
    if response.json().get("rows") != HONEST_ROWS:
        raise ValueError(f"an honest question got {response.status_code}: {response.text[:300]}")


def _seconds_of(action: Any) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
