"""A real gateway whose model replies with hostile SQL: it answers, stays ready, and keeps its databases."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from benchmarks.gateway_attack import DATABASE, HONEST, HONEST_ROWS, MANY, ask, attacked_gateway, besiege
from benchmarks.sql_attack import fingerprint
from tests.unit.sql.hostile import OTHERS, statements
from tests.unit.sql.hostile_loads import LOADS

OTHER, LOAD = (list(statements(families).values()) for families in (OTHERS, LOADS))
STATEMENTS = OTHER + LOAD
EVERY = 5
"""Of the statements that burn to their limit, one in so many is asked by itself."""
PROMPT_S = 3.0
"""Health checks and an honest question are to be answered in a second, which the benchmark holds; tests share cores."""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def client(attacked: Path) -> Iterator[httpx.Client]:
    with attacked_gateway(STATEMENTS, attacked, query_timeout_s=0.2) as connection:
        assert ask(connection, HONEST).json()["rows"] == HONEST_ROWS
        yield connection


def test_a_hundred_hostile_replies_at_once(client: httpx.Client, attacked: Path) -> None:
    before = fingerprint(attacked)
    numbers = [len(OTHER) + i * len(LOAD) // MANY for i in range(MANY)]
    siege = besiege(client, numbers)
    for number, response in zip(numbers, siege.responses, strict=True):
        is_told = response.status_code == httpx.codes.OK or (
            response.status_code == httpx.codes.SERVICE_UNAVAILABLE and response.headers["Retry-After"]
        )
        assert is_told, (response.status_code, STATEMENTS[number][:200])
    assert max(wait for waits in siege.health_s.values() for wait in waits) < PROMPT_S
    assert siege.honest_s < PROMPT_S
    assert fingerprint(attacked) == before


def test_each_statement_has_an_outcome(client: httpx.Client, attacked: Path) -> None:
    """All that end at once, and some of those that burn to their limit."""
    before = fingerprint(attacked)
    numbers = [*range(len(OTHER)), *range(len(OTHER), len(STATEMENTS), EVERY)]
    with ThreadPoolExecutor(2) as pool:
        for number, response in zip(numbers, pool.map(lambda i: ask(client, f"hostile {i}"), numbers), strict=True):
            assert response.status_code == httpx.codes.OK, (response.text[:300], STATEMENTS[number][:200])
            assert response.json()["checks"].keys() == {"parses", "read_only", "executed"}
    assert fingerprint(attacked) == before


def test_half_a_character_in_a_request_is_refused(client: httpx.Client) -> None:
    for path, body in (
        ("/v1/sql", {"question": "\ud800?", "database": DATABASE}),
        ("/v1/sql", {"question": HONEST, "database": "\ud800"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "\ud800"}]}),
    ):
        response = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert response.status_code < httpx.codes.INTERNAL_SERVER_ERROR, (path, response.text)
