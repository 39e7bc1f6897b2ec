"""A real gateway whose model replies with hostile SQL: it answers, stays ready, and keeps its databases."""

import json
import resource
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.gateway_attack import DATABASE, HONEST, HONEST_ROWS, MANY, ask, attacked_gateway, besiege
from benchmarks.sql_attack import fingerprint
from course_utils.deployment import start_gateway
from course_utils.processes import Server
from tests.unit.deployment.gateway.test_callers import ADMIN, ATTACKS, jwks, sign
from tests.unit.sql.hostile import OTHERS, statements
from tests.unit.sql.hostile_loads import LOADS

OTHER, LOAD = (list(statements(families).values()) for families in (OTHERS, LOADS))
STATEMENTS = OTHER + LOAD
EVERY = 20
"""Of the statements that burn to their limit, one in so many is asked by itself; the siege asks a hundred of them."""
LIMIT_S, SIEGE_LIMIT_S = 0.2, 2.0
"""Time limits of a query (s), alone and under attack, where honest queries would reach the first one, too."""
PROMPT_S = 20.0
"""Limit for an answer under attack (s); a busy machine took 9. ``benchmarks sql_workers`` measures a quiet one."""

pytestmark = pytest.mark.takes(30)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def client(attacked: Path) -> Iterator[httpx.Client]:
    with attacked_gateway(STATEMENTS, attacked, LIMIT_S) as connection:
        ask(connection, HONEST)  # the schema is read with the first question
        yield connection


def test_a_hundred_hostile_replies_at_once(tmp_path: Path) -> None:
    numbers = [len(OTHER) + i * len(LOAD) // MANY for i in range(MANY)]
    with attacked_gateway(STATEMENTS, tmp_path, SIEGE_LIMIT_S) as client:
        assert ask(client, HONEST).json()["rows"] == HONEST_ROWS
        before = fingerprint(tmp_path)
        siege = besiege(client, numbers)
    for number, response in zip(numbers, siege.responses, strict=True):
        is_told = response.status_code == httpx.codes.OK or (
            response.status_code == httpx.codes.SERVICE_UNAVAILABLE and response.headers["Retry-After"]
        )
        assert is_told, (response.status_code, STATEMENTS[number][:200])
    assert max(wait for waits in siege.health_s.values() for wait in waits) < PROMPT_S
    assert siege.honest_s < PROMPT_S
    assert fingerprint(tmp_path) == before


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"


def test_endless_corrections_of_one_caller_do_not_block_others(tmp_path: Path) -> None:
    feedback = {"id": "x", "rating": "down", "database": DATABASE}
    files = {f"COURSE_{name}_FILE": str(tmp_path / name) for name in ("KEYS", "FEEDBACK")}
    with attacked_gateway([], tmp_path / "databases", 5.0, COURSE_API_KEY=ADMIN, **files) as client:
        admin = {"Authorization": f"Bearer {ADMIN}"}
        new = {"requests_per_minute": None, "tokens_per_minute": None}
        made = [client.post("/v1/admin/keys", headers=admin, json={"name": name} | new).json() for name in "ab"]
        honest, hostile = ({"Authorization": f"Bearer {each['key']}"} for each in made)
        client.headers.update(honest)

        def seconds_of_twenty() -> float:
            times = []
            for _ in range(20):
                began = time.perf_counter()
                assert ask(client, HONEST).json().get("rows") == HONEST_ROWS
                times.append(time.perf_counter() - began)
            return statistics.median(times)

        def attack(_: int) -> set[int]:
            body, statuses = feedback | {"correction": ENDLESS}, set[int]()
            while not is_over.is_set():
                statuses.add(client.post("/v1/feedback", headers=hostile, json=body).status_code)
            return statuses

        ask(client, HONEST)
        usual_s, is_over = seconds_of_twenty(), threading.Event()
        with ThreadPoolExecutor(8) as pool:
            attacks = pool.map(attack, range(8))
            time.sleep(1)
            try:
                attacked_s = seconds_of_twenty()
                corrected = client.post("/v1/feedback", json=feedback | {"correction": "SELECT 1"})
            finally:
                is_over.set()
        assert set.union(*attacks) <= {httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE}
    assert attacked_s < max(2 * usual_s, 0.1)
    assert corrected.status_code == httpx.codes.CREATED


@pytest.fixture(scope="module")
def silent(client: httpx.Client) -> Iterator[socket.socket]:
    """A caller who sends a part of a body and no more."""
    with socket.create_connection((client.base_url.host, client.base_url.port)) as caller:
        caller.sendall(b"POST /v1/sql HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        caller.settimeout(30)
        yield caller


@pytest.mark.usefixtures("silent")  # its ten seconds pass meanwhile
def test_each_statement_has_an_outcome(client: httpx.Client, attacked: Path) -> None:
    """All that end at once, and some of those that run to their time limit."""
    before = fingerprint(attacked)
    numbers = [*range(len(OTHER)), *range(len(OTHER), len(STATEMENTS), EVERY)]
    with ThreadPoolExecutor(2) as pool:
        for number, response in zip(numbers, pool.map(lambda i: ask(client, f"hostile {i}"), numbers), strict=True):
            assert response.status_code == httpx.codes.OK, (response.text[:300], STATEMENTS[number][:200])
            assert response.json()["checks"].keys() == {"parses", "read_only", "executed"}
    assert fingerprint(attacked) == before


def test_a_body_that_does_not_come_is_408(silent: socket.socket) -> None:
    assert silent.recv(100).startswith(b"HTTP/1.1 408 ")


def test_half_a_character_in_a_request_is_refused(client: httpx.Client) -> None:
    for path, body in (
        ("/v1/sql", {"question": "\ud800?", "database": DATABASE}),
        ("/v1/sql", {"question": HONEST, "database": "\ud800"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "\ud800"}]}),
    ):
        response = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert response.status_code < httpx.codes.INTERNAL_SERVER_ERROR, (path, response.text)


@pytest.fixture(scope="module")
def guarded(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway with API keys and web tokens; no request of these tests reaches its model."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "jwks.json").write_text(jwks("r", "e", "o"), "utf-8")
    settings = {
        "COURSE_API_KEY": ADMIN,
        "COURSE_KEYS_FILE": str(folder / "keys.sqlite"),
        "COURSE_JWT_KEYS": str(folder / "jwks.json"),
        "COURSE_JWT_AUDIENCE": "course",
        "COURSE_JWT_ISSUER": "https://issuer",
    }
    with start_gateway("http://127.0.0.1:9", databases, settings=settings) as server:
        yield server


def test_no_forged_token_opens_a_route(guarded: Server) -> None:
    honest = {"Authorization": f"Bearer {sign()}"}
    assert httpx.get(f"{guarded.url}/v1/models", headers=honest).status_code == httpx.codes.OK
    for name, forge in ATTACKS.items():
        headers = {"Authorization": f"Bearer {forge()}"}
        for path in ("/v1/models", "/v1/admin/keys"):
            response = httpx.get(f"{guarded.url}{path}", headers=headers)
            assert response.status_code == httpx.codes.UNAUTHORIZED, (name, path)


def test_a_users_key_makes_no_keys(guarded: Server) -> None:
    url, admin = f"{guarded.url}/v1/admin/keys", {"Authorization": f"Bearer {ADMIN}"}
    made = httpx.post(url, headers=admin, json={"name": "user"}).json()
    user = {"Authorization": f"Bearer {made['key']}"}
    attempts = [
        httpx.get(url, headers=user),
        httpx.post(url, headers=user, json={"name": "mine", "scope": "admin"}),
        httpx.delete(f"{url}/{made['id']}", headers=user),
    ]
    assert [attempt.status_code for attempt in attempts] == [httpx.codes.FORBIDDEN] * 3
    assert [key["id"] for key in httpx.get(url, headers=admin).json()["data"]] == [made["id"]]


def test_a_shells_limit_on_open_files_is_none_on_connections(databases: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = start_gateway("http://127.0.0.1:9", databases)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with server, ExitStack() as opened:
        address = (httpx.URL(server.url).host, httpx.URL(server.url).port)
        for _ in range(300):
            opened.enter_context(socket.create_connection(address))
        assert httpx.get(f"{server.url}/v1/models", trust_env=False).status_code == httpx.codes.OK


def test_invented_keys_make_nothing_grow(guarded: Server) -> None:
    process = psutil.Process(guarded.process.pid)
    with httpx.Client(base_url=guarded.url, trust_env=False) as client:

        def invent(numbers: range) -> tuple[int, int]:
            """Sizes of the metrics page and of the process (bytes) after refused requests with these numbers."""
            for number in numbers:
                response = client.get("/v1/models", headers={"Authorization": f"Bearer course_{number}"})
                assert response.status_code == httpx.codes.UNAUTHORIZED
            return len(client.get("/metrics", headers=admin).text), process.memory_info().rss

        admin = {"Authorization": f"Bearer {ADMIN}"}
        client.get("/metrics", headers=admin)  # which counts itself from now on

        (metrics_before, memory_before), (metrics_after, memory_after) = invent(range(500)), invent(range(500, 3000))
    assert metrics_after < metrics_before + 100
    assert memory_after < memory_before + 4 * 2**20
