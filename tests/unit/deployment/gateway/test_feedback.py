"""Which feedback waits for a reviewer, what may be decided about it, and by whom."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from course_utils.deployment.gateway import feedback
from course_utils.deployment.gateway.logs import AuditLog
from course_utils.deployment.gateway.metrics import logger
from course_utils.feedback_rows import FIELDS
from course_utils.files import read_jsonl, write_jsonl
from tests.sqlite_files import write_database
from tests.unit.deployment.gateway.conftest import MakeClient
from tests.unit.full_disk import full_disk

REVIEWS, QUERIES = "/v1/admin/reviews", "/v1/admin/queries"
ONE, ANA = "SELECT count(*) FROM singer", "SELECT 'Ana'"
SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def open_client(make_client: MakeClient, tmp_path: Path) -> MakeClient:
    """A client of a gateway that keeps feedback about a database of one singer."""
    script = "CREATE TABLE singer (name text); INSERT INTO singer VALUES ('Ana')"
    write_database(tmp_path / "databases" / "music" / "music.sqlite", script)

    def make(key: str = "", **settings: Any) -> Any:
        return make_client(key, feedback_file=tmp_path / "feedback.jsonl", query_timeout_s=1.0, **settings)

    return make


def say(client: Any, question: str = "Who?", rating: str = "down", **more: Any) -> None:
    said = {"id": "sql-1", "rating": rating, "database": "music", "question": question, "query": "SELECT 1"}
    assert client.post("/v1/feedback", json=said | more).status_code == 201


def waiting(client: Any) -> list[dict[str, Any]]:
    return list(client.get(REVIEWS).json()["data"])


def decide(client: Any, rows: list[dict[str, Any]], correction: str | None = None, **more: Any) -> Any:
    review = {"id": "sql-1", "rating": "down" if correction else "up", "database": "music", "question": "Who?"}
    review |= {"correction": correction, "reviews": [row["row_id"] for row in rows]}
    return client.post(REVIEWS, json=review | more)


def test_what_is_in_doubt_waits_until_somebody_decides(open_client: MakeClient) -> None:
    client = open_client()
    say(client)
    say(client, "who? ", correction=ONE)
    say(client, "Where?", "up")
    say(client, "What?", "up", correction=ONE)
    client.post("/v1/feedback", json={"id": "x", "rating": "down"})  # nobody could say what is right
    assert [row["question"] for row in waiting(client)] == ["Who?", "who?", "What?"]
    assert decide(client, waiting(client)[:2], ANA).status_code == 201
    assert [row["question"] for row in waiting(client)] == ["What?"]
    assert decide(client, waiting(client), question="What?").status_code == 201
    assert client.get(REVIEWS).json() == {"object": "list", "data": [], "n_waiting": 0}


def test_lines_that_are_no_feedback_are_named_and_the_rest_is_served(
    open_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, file = open_client(), tmp_path / "feedback.jsonl"
    say(client)
    whole = file.read_text("utf-8")
    row = json.loads(whole)
    foreign = [{"note": "mine"}, {**row, "question": 7}, {**row, "reviews": [[]]}, {**row, "reviews": 7}, [row], "Who?"]
    another = {**row, "row_id": "another", "question": "Where?"}
    lines = [whole[:40], "[" * 100_000, *map(json.dumps, foreign), "", json.dumps(another)]
    file.write_bytes(whole.encode() + "\n".join(lines).encode() + b"\n\xff\n")
    assert [row["question"] for row in waiting(client)] == ["Who?", "Where?"]
    assert caplog.messages[-1].splitlines()[::8] == ["9 lines are not feedback; mend or remove them:", f"{file}:9"]
    say(client, "What?")
    assert decide(client, waiting(client)[:1], ANA).status_code == 201


def test_one_answer_of_two_users_is_settled_and_two_such_answers_wait(open_client: MakeClient, tmp_path: Path) -> None:
    admin = open_client("secret", api_key="secret", keys_file=tmp_path / "keys.sqlite")
    keys = [admin.post("/v1/admin/keys", json={"name": name}).json()["key"] for name in "abcd"]

    def each_says(*corrections: str) -> int:
        for key, correction in zip(keys, corrections, strict=False):
            admin.headers["Authorization"] = f"Bearer {key}"
            say(admin, correction=correction)
        admin.headers["Authorization"] = "Bearer secret"
        return len(waiting(admin))

    assert [each_says(ONE), each_says(ONE, ONE), each_says(ONE, ONE, ANA, ANA)] == [1, 0, 7]
    assert decide(admin, waiting(admin), ONE).status_code == 201
    assert each_says(ONE, ANA) == 0, "one user alone does not reopen what a reviewer decided"
    assert each_says(ANA, ANA) == 5, "two do"
    assert decide(admin, waiting(admin), ANA).status_code == 201
    assert waiting(admin) == []


def test_a_caller_fills_a_tenth_of_the_file_and_leaves_room_for_others(open_client: MakeClient, tmp_path: Path) -> None:
    keys_file = tmp_path / "keys.sqlite"
    admin = open_client("secret", api_key="secret", keys_file=keys_file, max_feedback_bytes=10_000)
    first, second = (admin.post("/v1/admin/keys", json={"name": name}).json() for name in "ab")

    def statuses(key: str, n: int, **more: str) -> list[int]:
        row, headers = {"id": "x", "rating": "up", **more}, {"Authorization": f"Bearer {key}"}
        return [admin.post("/v1/feedback", json=row, headers=headers).status_code for _ in range(n)]

    forged = f'"caller": "{second["id"]}"'  # takes nothing from the second one's share
    for key, comment in ((first["key"], forged), (second["key"], "wrong")):
        said = statuses(key, 6, id=comment, comment=comment + "y" * 150)
        assert {*said} == {201, 429}
        assert said == sorted(said)
    assert statuses("secret", 15, comment="y" * 150) == [201] * 15
    rows = (tmp_path / "feedback.jsonl").read_bytes().splitlines(keepends=True)
    n_bytes = Counter[str]()
    for row in rows:
        n_bytes[json.loads(row)["caller"]] += len(row)
    assert 500 < n_bytes[first["id"]] <= 1000
    assert 500 < n_bytes[second["id"]] <= 1000


def test_answers_are_the_same_by_what_they_return_and_slow_ones_wait(
    open_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = open_client()
    two = [("ana", ONE), ("ben", "SELECT count(name) FROM singer")]
    said = [{"row_id": user, "caller": user, "rating": "down", "correction": query} for user, query in two]
    about = dict.fromkeys(FIELDS) | {"database": "music", "question": "Who?"}
    write_jsonl(tmp_path / "feedback.jsonl", [about | row for row in said])
    assert waiting(client) == []
    monkeypatch.setattr(feedback, "_COMPARE_S", 0.0)
    assert [row["row_id"] for row in waiting(client)] == ["ana", "ben"]


def test_thumbs_up_count_and_are_seen_beside_what_contradicts_them(open_client: MakeClient, tmp_path: Path) -> None:
    admin = open_client("secret", api_key="secret", keys_file=tmp_path / "keys.sqlite")
    say(admin, rating="up", query=ANA)
    assert waiting(admin) == [], "one who is content doubts nothing"
    for name, said in (("ben", {"correction": ONE}), ("ana", {"rating": "up", "query": ANA})):
        admin.headers["Authorization"] = f"Bearer {admin.post('/v1/admin/keys', json={'name': name}).json()['key']}"
        say(admin, **said)
        admin.headers["Authorization"] = "Bearer secret"
        assert [row["rating"] for row in waiting(admin)] == (["up", "down"] if name == "ben" else []), "two are enough"
    say(admin, "Who else?", correction=ONE)
    assert decide(admin, waiting(admin), ANA, question="Who else?", query=ONE).status_code == 422
    assert decide(admin, waiting(admin), ANA, question="Who else?").status_code == 201


def test_nothing_is_decided_twice_by_reviewers_at_once_and_at_two_gateways(
    open_client: MakeClient, tmp_path: Path
) -> None:
    clients = [open_client(), open_client()]
    for number in range(4):
        say(clients[0], f"Who is {number}?")
    rows = waiting(clients[0])

    def answer(attempt: int) -> int:
        row = rows[attempt // 4]
        return int(decide(clients[attempt % 2], [row], ANA, question=row["question"]).status_code)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(answer, range(16)))
    assert [sorted(statuses[i : i + 4]) for i in range(0, 16, 4)] == [[201, 409, 409, 409]] * 4
    decided = [row["reviews"] for row in read_jsonl(tmp_path / "feedback.jsonl") if "reviews" in row]
    assert sorted(decided) == sorted([row["row_id"]] for row in rows)


def test_nobody_writes_while_another_gateway_does(
    open_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = open_client()
    say(client)
    rows, before = waiting(client), (tmp_path / "feedback.jsonl").read_bytes()
    monkeypatch.setattr(feedback, "_LOCK_S", 0.1)
    with FileLock(tmp_path / "feedback.jsonl.lock"):  # as a process of its own would hold it
        refused = [decide(client, rows), client.post("/v1/feedback", json={"id": "x", "rating": "up"})]
    assert [(each.status_code, each.json()["error"]["code"]) for each in refused] == [(503, "feedback_failed")] * 2
    assert (tmp_path / "feedback.jsonl").read_bytes() == before
    assert decide(client, rows).status_code == 201


def test_a_full_disk_costs_a_row_and_none_of_the_others(open_client: MakeClient, tmp_path: Path) -> None:
    client, file = open_client(), tmp_path / "feedback.jsonl"
    say(client)
    with full_disk(file, left=40):
        refused = client.post("/v1/feedback", json={"id": "x", "rating": "down"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "feedback_failed")
    say(client, "Where?")
    assert [row["question"] for row in waiting(client)] == ["Who?", "Where?"]


def test_a_missing_end_of_line_costs_no_row(open_client: MakeClient, tmp_path: Path) -> None:
    client, file = open_client(), tmp_path / "feedback.jsonl"
    say(client)
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    say(client, "Where?")
    assert [row["question"] for row in waiting(client)] == ["Who?", "Where?"]


def test_feedback_sent_during_a_review_still_waits(open_client: MakeClient) -> None:
    client = open_client()
    say(client)
    seen = waiting(client)
    say(client, correction=ANA)
    assert decide(client, seen).status_code == 201
    assert [row["correction"] for row in waiting(client)] == [ANA]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"correction": "just text"}, 409),
        ({"correction": "DELETE FROM singer"}, 409),
        ({"correction": "SELECT 1; DROP TABLE singer"}, 409),
        ({"correction": SLOW}, 409),
        ({"correction": "x" * 2001}, 422),
        ({"correction": "x" * 1_000_000}, 413),
        ({"reviews": ["nobody wrote this"]}, 409),
        ({"question": "Who else?"}, 409),
        ({"database": "opera", "correction": ONE}, 404),
        ({"reviews": []}, 422),
        ({"reviews": ["x"] * 501}, 422),
        ({"caller": "ana"}, 422),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_decision_that_does_not_hold_changes_nothing(
    open_client: MakeClient, tmp_path: Path, wrong: dict[str, object], status: int
) -> None:
    client = open_client()
    say(client)
    before = (tmp_path / "feedback.jsonl").read_bytes()
    assert decide(client, waiting(client), **wrong).status_code == status
    assert (tmp_path / "feedback.jsonl").read_bytes() == before
    assert len(waiting(client)) == 1


@pytest.mark.parametrize(
    ("query", "checks", "rows"),
    [
        (ONE, [True, True, True], [[1]]),
        ("just text", [False, False, False], []),
        ("DELETE FROM singer", [True, False, False], []),
        (SLOW, [True, True, False], []),
    ],
)
def test_a_reviewer_sees_what_a_query_gives(
    open_client: MakeClient, query: str, checks: list[bool], rows: list[list[object]]
) -> None:
    tried = open_client().post(QUERIES, json={"database": "music", "question": "Who?", "query": query}).json()
    assert (list(tried["checks"].values()), tried["rows"], bool(tried["error"])) == (checks, rows, not checks[2])


def test_users_neither_review_nor_call_themselves_reviewers(open_client: MakeClient, tmp_path: Path) -> None:
    admin = open_client("secret", api_key="secret", keys_file=tmp_path / "keys.sqlite", audit_file=tmp_path / "audit")
    say(admin)
    rows = waiting(admin)
    key = admin.post("/v1/admin/keys", json={"name": "user"}).json()["key"]
    admin.headers["Authorization"] = f"Bearer {key}"
    assert [admin.get(REVIEWS).status_code, decide(admin, rows, ANA).status_code] == [403, 403]
    assert admin.post(QUERIES, json={"database": "music", "question": "?", "query": ONE}).status_code == 403
    forged = {"id": "x", "rating": "down", "database": "music", "question": "Who?", "correction": ANA}
    for more in ({"reviews": [rows[0]["row_id"]]}, {"row_id": "mine"}, {"rating": "failed"}, {"caller": "ana"}):
        assert admin.post("/v1/feedback", json=forged | more).status_code == 422
    assert len(read_jsonl(tmp_path / "feedback.jsonl")) == 1


def test_the_audit_log_says_who_decided_about_what(open_client: MakeClient, tmp_path: Path) -> None:
    client, log = open_client(), AuditLog(tmp_path / "audit.jsonl")
    say(client)
    (row,) = waiting(client)
    logger.addHandler(log)
    logger.setLevel("INFO")
    try:
        statuses = [decide(client, [row], correction).status_code for correction in (ANA, None)]
    finally:
        logger.removeHandler(log)
        log.close()
    told = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert statuses == [201, 409]
    assert [(line["caller"], line["route"], line["about"], line["allowed"]) for line in told] == [
        ("admin", REVIEWS, f"accept {row['row_id']}", True),
        ("admin", REVIEWS, f"dismiss {row['row_id']}", False),
    ]
