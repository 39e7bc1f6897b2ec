"""A real gateway whose model replies with hostile SQL: it answers, stays ready, and keeps its databases."""

import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.sql_attack import fingerprint
from course_utils.deployment import start_gateway
from tests.unit.sql.hostile import OTHERS, build_database, statements
from tests.unit.sql.hostile_loads import LOADS

LOAD, OTHER = (list(statements(families).values()) for families in (LOADS, OTHERS))
STATEMENTS = OTHER + LOAD
HONEST = "How many things are there?"
N_PARALLEL = 100
EVERY = 5
"""Of the statements that burn to their limit, one in so many is asked by itself."""
PROMPT_S = 1.0
"""Health checks and an honest question are to be answered in so many seconds."""


class Model(BaseHTTPRequestHandler):
    """Replies to "hostile 17" with the statement of that number, and to all else with an honest query."""

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        number = re.search(r"hostile (\d+)", asked)
        reply = STATEMENTS[int(number[1])] if number else "SELECT count(*) FROM t"
        self._answer({"model": "hostile", "choices": [{"message": {"role": "assistant", "content": reply}}]})

    def _answer(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class ManyAtOnce(ThreadingHTTPServer):
    request_queue_size = 2 * N_PARALLEL


@pytest.fixture(scope="module")
def hostile_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked")
    database = build_database(folder / "things" / "things.sqlite")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP VIEW vchain")  # nothing can read a schema that grows without end
    return folder


@pytest.fixture(scope="module")
def client(hostile_databases: Path) -> Iterator[httpx.Client]:
    server = ManyAtOnce(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {"COURSE_QUERY_TIMEOUT_S": "0.2", "COURSE_MAX_ROWS": "10"}
    limits = httpx.Limits(max_connections=2 * N_PARALLEL)
    with (
        start_gateway(f"http://127.0.0.1:{server.server_port}", hostile_databases, settings=settings) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60, trust_env=False, limits=limits) as connection,
    ):
        yield connection
    server.shutdown()
    server.server_close()


def ask(client: httpx.Client, question: str) -> httpx.Response:
    return client.post("/v1/sql", json={"question": question, "database": "things"})


def seconds_of(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    assert client.get(path).status_code == httpx.codes.OK
    return time.perf_counter() - began


@pytest.mark.timeout(120)
def test_a_hundred_hostile_replies_at_once(client: httpx.Client, hostile_databases: Path) -> None:
    before = fingerprint(hostile_databases)
    assert ask(client, HONEST).json()["rows"] == [[50]]
    numbers = [len(OTHER) + i * len(LOAD) // N_PARALLEL for i in range(N_PARALLEL)]
    with ThreadPoolExecutor(N_PARALLEL) as pool:
        answers = [pool.submit(ask, client, f"hostile {number}") for number in numbers]
        waits = []
        while not all(answer.done() for answer in answers):
            waits += [seconds_of(client, path) for path in ("/health/live", "/health/ready")]
            time.sleep(0.05)
    for number, answer in zip(numbers, answers, strict=True):
        response = answer.result()
        is_told = response.status_code == httpx.codes.OK or (
            response.status_code == httpx.codes.SERVICE_UNAVAILABLE and response.headers["Retry-After"]
        )
        assert is_told, (response.status_code, STATEMENTS[number][:200])
    assert max(waits) < PROMPT_S
    began = time.perf_counter()
    assert ask(client, HONEST).json()["rows"] == [[50]]
    assert time.perf_counter() - began < PROMPT_S
    assert fingerprint(hostile_databases) == before


def test_each_statement_has_an_outcome(client: httpx.Client, hostile_databases: Path) -> None:
    """All that end at once, and some of those that burn to their limit."""
    before = fingerprint(hostile_databases)
    numbers = [*range(len(OTHER)), *range(len(OTHER), len(STATEMENTS), EVERY)]
    with ThreadPoolExecutor(2) as pool:
        for number, response in zip(numbers, pool.map(lambda i: ask(client, f"hostile {i}"), numbers), strict=True):
            assert response.status_code == httpx.codes.OK, (response.text[:300], STATEMENTS[number][:200])
            assert response.json()["checks"].keys() == {"parses", "read_only", "executed"}
    assert fingerprint(hostile_databases) == before


def test_half_a_character_in_a_request_is_refused(client: httpx.Client) -> None:
    for path, body in (
        ("/v1/sql", {"question": "\ud800?", "database": "things"}),
        ("/v1/sql", {"question": HONEST, "database": "\ud800"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "\ud800"}]}),
    ):
        response = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert response.status_code < httpx.codes.INTERNAL_SERVER_ERROR, (path, response.text)
