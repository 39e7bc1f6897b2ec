"""Models are switched while requests run: real gateway, real HTTP, and model servers that answer as told."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from course_utils.deployment import start_gateway
from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.metrics import NOTES, GatewayMetrics
from course_utils.deployment.gateway.rollout import Rollout, Switch
from course_utils.deployment.gateway.sql_answers import SqlAnswer
from course_utils.prometheus import scrape
from tests.http_servers import JsonHandler, LocalServer, serve
from tests.sqlite_files import write_database
from tests.unit.deployment.gateway.conftest import MakeClient

QUESTION = {"question": "How many?", "database": "shop"}
SALES = "CREATE TABLE sale (price integer)"
GREEN = {"model": "green", "version": "2", "mode": "canary", "share": 0.5}


class Says(JsonHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer({})

    def do_POST(self) -> None:
        self.read_body()
        said = self.server.said
        if said is None or isinstance(said, int):
            self.answer({"error": {"message": "broken"}}, said or 500)
        else:
            self.say(said)


@pytest.fixture
def servers() -> Iterator[dict[str, LocalServer]]:
    """The current model, which is right, and a green one."""
    with serve(Says, said="SELECT 1") as course, serve(Says, said="SELECT 2") as green:
        yield {"course": course, "green": green}


@pytest.fixture
def client(make_client: MakeClient, servers: dict[str, LocalServer], tmp_path: Path) -> Any:
    write_database(tmp_path / "databases" / "shop" / "shop.sqlite", SALES)
    models = json.dumps({"green": {"url": servers["green"].url}})
    return make_client(model_url=servers["course"].url, model_version="1", models=models)


def ask(client: Any, request_id: str = "", **more: Any) -> dict[str, Any]:
    response = client.post("/v1/sql", json=QUESTION | more, headers={"X-Request-ID": request_id} if request_id else {})
    assert response.status_code == 200, response.text
    return dict(response.json()) | {"header": response.headers["X-Model-Version"]}


def test_a_canary_answers_its_share_and_the_same_caller_each_time(client: Any) -> None:
    client.put("/v1/admin/rollout", json=GREEN)
    said = {f"r{n}": ask(client, f"r{n}")["query"] for n in range(60)}
    assert 15 <= Counter(said.values())["SELECT 2"] <= 45
    assert {request_id: ask(client, request_id)["query"] for request_id in said} == said
    assert client.get("/health/ready").json()["rollout"] == "course answers; canary of green, 50%"


def test_a_switch_changes_who_answers_and_the_version(client: Any) -> None:
    assert ask(client)["model_version"] == "1"
    assert 'course_model_info{model="course",version="1"} 1.0' in client.get("/metrics").text
    client.put("/v1/admin/rollout", json=GREEN | {"mode": "all"})
    assert (ask(client)["query"], ask(client, model="course")["header"]) == ("SELECT 2", "2")
    assert ask(client, model="green")["query"] == "SELECT 2"
    assert client.put("/v1/admin/rollout", json=GREEN).status_code == 409, "it answers already"
    client.put("/v1/admin/rollout", json={"model": "course", "mode": "all"})
    assert (ask(client)["query"], ask(client)["header"]) == ("SELECT 1", "1")
    page = client.get("/metrics").text
    assert 'course_model_info{model="green",version="2"} 1.0' in page
    assert page.count("course_model_info{") == 2, "one version for each model of the settings"


def test_a_trial_can_be_ended(client: Any) -> None:
    client.put("/v1/admin/rollout", json=GREEN)
    client.put("/v1/admin/rollout", json=GREEN | {"mode": "off"})
    assert {ask(client, f"r{n}")["query"] for n in range(20)} == {"SELECT 1"}


def test_a_shadow_is_compared_and_nobody_sees_it(client: Any) -> None:
    client.put("/v1/admin/rollout", json=GREEN | {"mode": "shadow"})
    assert {ask(client, f"r{n}")["query"] for n in range(40)} == {"SELECT 1"}
    page = client.get("/metrics").text
    assert 'course_shadow_answers_total{found="different"}' in page
    assert 'course_queries_total{outcome="executed"} 40.0' in page, "what nobody asked for is not counted"


@pytest.mark.parametrize(
    ("asked", "said", "found"),
    [
        ("", "SELECT 2 AS b UNION ALL SELECT 1", "same"),
        (" ORDER BY 1", "SELECT 2 AS b UNION ALL SELECT 1", "different"),
        (" ORDER BY missing", "SELECT missing", "different"),  # two that fail give no answer
    ],
)
def test_a_shadow_may_answer_in_another_order_where_none_is_asked_for(
    client: Any, servers: dict[str, LocalServer], asked: str, said: str, found: str
) -> None:
    servers["course"].said = f"SELECT 1 AS a UNION ALL SELECT 2{asked}"
    servers["green"].said = said
    client.put("/v1/admin/rollout", json=GREEN | {"mode": "shadow"})
    for n in range(20):
        ask(client, f"r{n}")
    assert f'course_shadow_answers_total{{found="{found}"}}' in (page := client.get("/metrics").text)
    assert page.count("course_shadow_answers_total{") == 1


@pytest.mark.parametrize(
    "said",
    [None, 404, 400, 429, "SELECT missing FROM sale"],
    ids=["broken", "not there", "context too small", "too slow", "nonsense"],
)
def test_a_candidate_that_fails_goes_by_itself(
    client: Any, servers: dict[str, LocalServer], said: str | int | None
) -> None:
    servers["green"].said = said
    client.put("/v1/admin/rollout", json=GREEN)
    answers = [ask(client, f"r{n}") for n in range(80)]
    if not isinstance(said, str):
        assert {answer["query"] for answer in answers} == {"SELECT 1"}, "who meets a failure is answered all the same"
    state = client.get("/health/ready").json()["rollout"]
    assert state.startswith("course answers; rolled back: green: 100.0%")
    assert "of 20 answers failed" in state
    assert "course_rollbacks_total 1.0" in client.get("/metrics").text


def test_a_candidate_does_not_go_for_what_callers_do_wrong(client: Any, servers: dict[str, LocalServer]) -> None:
    servers["course"].said = servers["green"].said = 400  # as for a prompt that is too long
    client.put("/v1/admin/rollout", json=GREEN)
    asked = [client.post("/v1/sql", json=QUESTION, headers={"X-Request-ID": f"r{n}"}) for n in range(80)]
    assert {response.status_code for response in asked} == {400}
    assert client.get("/health/ready").json()["rollout"] == "course answers; canary of green, 50%"


@pytest.mark.parametrize(
    ("change", "status"),
    [({"model": "gpt-4o"}, 404), ({"model": "course"}, 409), ({"share": 0.9}, 422), ({"version": "a b"}, 422)],
)
def test_a_wrong_candidate_is_refused(client: Any, change: dict[str, Any], status: int) -> None:
    assert client.put("/v1/admin/rollout", json=GREEN | change).status_code == status


def test_only_an_admin_switches(make_client: MakeClient, tmp_path: Path) -> None:
    admin = make_client(key="secret", api_key="secret", keys_file=tmp_path / "keys.sqlite")
    key = admin.post("/v1/admin/keys", json={"name": "user"}).json()["key"]
    user = {"Authorization": f"Bearer {key}"}
    assert admin.put("/v1/admin/rollout", json=GREEN, headers=user).status_code == 403
    assert admin.put("/v1/admin/rollout", json=GREEN).status_code == 404, "past the guard: there is no such model"


class Model:
    def __init__(self, name: str) -> None:
        self.name, self.version = name, ""


def rolled_back(failures: dict[str, float], n: int, rng: Random) -> bool:
    rollout = Rollout({name: Model(name) for name in failures}, "course", GatewayMetrics())
    rollout.switch(Switch(**GREEN))
    for _ in range(n):
        for name, share in failures.items():
            if rollout.trial:
                rollout._count(name, "failed" if rng.random() < share else "answered")
    return rollout.trial is None


def test_no_model_ends_the_trial_of_another() -> None:
    rollout = Rollout({name: Model(name) for name in ("course", "green", "blue")}, "course", GatewayMetrics())
    rollout.switch(Switch(model="blue", mode="off"))
    rollout.switch(Switch(**GREEN))
    with pytest.raises(ApiError, match="'blue' is no candidate; 'green' is"):
        rollout.switch(Switch(model="blue", mode="off"))
    assert rollout.trial == Switch(**GREEN)
    rollout.switch(Switch(model="blue", mode="canary"))
    assert rollout.trial.model == "blue", "a new candidate takes the place of the old one"


def test_a_good_candidate_stays_and_a_bad_one_goes() -> None:
    rng = Random(0)
    n_good = sum(rolled_back({"course": 0.05, "green": 0.05}, 320, rng) for _ in range(200))
    n_bad = sum(rolled_back({"course": 0.05, "green": 0.30}, 320, rng) for _ in range(50))
    assert n_good <= 4, "of 200 that are as good, one in a hundred may go by chance"
    assert n_bad >= 49


def test_each_trial_is_judged_by_its_own_answers_beside_the_current_models() -> None:
    rollout = Rollout({name: Model(name) for name in ("course", "green")}, "course", GatewayMetrics())
    rollout.switch(Switch(**GREEN))
    for _ in range(39):
        rollout._count("green", "failed")
    assert rollout.trial, "there is no answer of the current model to compare with"
    for _ in range(2):
        rollout.switch(Switch(**GREEN))
        assert str(rollout) == "course answers; canary of green, 50%"
        for _ in range(20):
            assert rollout.trial
            rollout._count("course", "answered")
            rollout._count("green", "failed")
        assert rollout.trial is None


def answer_all(rollout: Rollout, ask: Any, n: int = 60) -> list[dict[str, Any]]:
    """Answer requests of different callers one after the other; return the notes on them."""

    async def run() -> list[dict[str, Any]]:
        notes = [{"caller": f"c{number}", "request_id": "r", "tokens": 0} for number in range(n)]
        for each in notes:
            NOTES.set(each)
            await rollout.answer(None, ask)
            await asyncio.sleep(0)
        return notes

    return asyncio.run(run())


def test_a_candidate_does_not_go_because_the_gateway_is_full() -> None:
    rollout = Rollout({name: Model(name) for name in ("course", "green")}, "course", GatewayMetrics())
    rollout.switch(Switch(**GREEN))

    async def ask(model: Model, _: GatewayMetrics) -> str:
        if model.name == "green":
            raise ApiError(503, "too many requests are running and waiting", code="overloaded")
        return "an answer"

    answer_all(rollout, ask)
    assert rollout.trial


def test_a_slow_shadow_holds_few_requests_and_no_caller_pays_for_it() -> None:
    rollout, n_held = Rollout({name: Model(name) for name in ("course", "green")}, "course", GatewayMetrics()), 0
    rollout.switch(Switch(**GREEN | {"mode": "shadow"}))

    async def ask(model: Model, _: GatewayMetrics) -> SqlAnswer:
        nonlocal n_held
        if model.name == "green":
            NOTES.get()["tokens"] += 5
            n_held += 1
            await asyncio.Event().wait()
        return SqlAnswer.model_construct(error=None)

    assert {notes["tokens"] for notes in answer_all(rollout, ask)} == {0}
    assert n_held == 8


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_request_of_ten_thousand_fails_while_models_are_switched(
    servers: dict[str, LocalServer], tmp_path: Path
) -> None:
    write_database(tmp_path / "shop" / "shop.sqlite", SALES)
    models = json.dumps({"green": {"url": servers["green"].url}})
    settings = {"COURSE_MODELS": models, "COURSE_MODEL_VERSION": "1"}
    steps = iter(["canary", "all", "back", "shadow", "broken", "canary", "off", "all"])

    def switch(client: httpx.Client) -> None:
        step = next(steps)
        servers["green"].said = None if step == "broken" else "SELECT 2"
        wanted = GREEN | {"mode": "canary" if step == "broken" else step}
        wanted = {"model": "course", "mode": "all"} if step == "back" else wanted
        response = client.put("/v1/admin/rollout", json=wanted)
        assert response.status_code == 200, response.text

    with (
        start_gateway(servers["course"].url, tmp_path, settings=settings) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        statuses: Counter[tuple[int, str]] = Counter()
        for _ in range(8):
            asked = [pool.submit(client.post, "/v1/sql", json=QUESTION) for _ in range(1250)]
            asked[math.floor(len(asked) / 3)].result()  # in the midst of the traffic
            switch(client)
            statuses.update((each.result().status_code, each.result().json().get("query", "")) for each in asked)
        assert sum(statuses.values()) == 10_000
        assert {status for status, _ in statuses} == {200}, statuses
        assert {query for _, query in statuses} == {"SELECT 1", "SELECT 2"}
        assert scrape(gateway.url).total("course_rollbacks_total") == 1
