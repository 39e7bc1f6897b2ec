import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from course_utils.artifacts import Course, open_course
from course_utils.data import prepare_dataset
from course_utils.errors import ServiceError
from course_utils.files import read_jsonl, write_jsonl
from course_utils.monitoring import corrections, judge_corrections, rate_answers, send_feedback, write_version
from course_utils.monitoring.corrections import N_REPLAYED
from course_utils.monitoring.service import Outcome, TrafficRecord
from course_utils.sql import run_query
from course_utils.training import read_pairs
from tests.sqlite_files import write_database

TRAINED = {"db_id": "shop", "question": "How many sales?", "query": "SELECT COUNT(*) FROM sale"}
TESTED = {"db_id": "shop", "question": "The dearest sale?", "query": "SELECT MAX(price) FROM sale"}
CHEAPEST, DEAREST = "SELECT MIN(price) FROM sale", "SELECT MAX(price) FROM sale"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course whose data stage has run on three rows about one database."""
    course = open_course("smoke", str(tmp_path / "data"), "", str(tmp_path / "artifacts"))
    course.begin("setup").finish({})
    run_data_stage(course, prices=(1, 2, 2))
    return course


def run_data_stage(course: Course, prices: Sequence[int], db_id: str = "shop") -> None:
    stage = course.begin("data")
    sales = ", ".join(f"({price})" for price in prices)
    script = f"CREATE TABLE sale (price integer); INSERT INTO sale VALUES {sales}"
    write_database(stage.folder / "databases" / db_id / f"{db_id}.sqlite", script)
    for split, row in {"train": TRAINED, "validation": TRAINED | {"question": "Sales?"}, "test": TESTED}.items():
        write_jsonl(stage.folder / f"{split}.jsonl", [{"id": split, **row, "db_id": db_id, "seen": True}])
    stage.finish({})


def says(caller: str, question: str, correction: str | None) -> dict[str, str | None]:
    return {"caller": caller, "database": "shop", "question": question, "correction": correction}


def decisions(course: Course, *feedback: dict[str, str | None]) -> list[str]:
    judged = judge_corrections(feedback, course)
    assert len(judged) == len(feedback), "nothing is lost"
    return [row["decision"] for row in judged]


def test_two_users_who_agree_are_believed_and_one_is_not(course: Course) -> None:
    same = "SELECT price FROM sale ORDER BY price LIMIT 1"
    two = [says("ana", "The cheapest?", CHEAPEST), says("ben", " the  cheapest?", same)]
    assert decisions(course, *two) == ["accepted", "repeated"]
    assert decisions(course, two[0], two[0]) == ["repeated", "one user alone"]
    assert decisions(course, *two, says("mallory", "The cheapest?", DEAREST)) == [
        "accepted",
        "repeated",
        "one user alone",
    ]


def test_who_answers_again_takes_the_first_answer_back(course: Course) -> None:
    first, second = says("ana", "The cheapest?", DEAREST), says("ana", "The cheapest?", CHEAPEST)
    told = [first, second, says("ben", "The cheapest?", DEAREST)]
    assert decisions(course, *told) == ["repeated", "one user alone", "one user alone"]
    review = says("admin", "The cheapest?", CHEAPEST) | {"row_id": "1", "reviews": ["0"]}
    assert decisions(course, review, says("admin", "The cheapest?", DEAREST)) == ["accepted", "one user alone"]


def test_one_user_with_thousands_of_answers_keeps_nobody_waiting(course: Course) -> None:
    many = [says("mallory", "The cheapest?", f"SELECT {number}") for number in range(3000)]
    began = time.monotonic()
    assert decisions(course, *many).count("one user alone") == 1
    assert time.monotonic() - began < 10


def test_what_the_data_knows_is_not_changed(course: Course) -> None:
    wrong = [says(user, "how many sales", "SELECT 7") for user in ("mallory", "moriarty")]
    assert decisions(course, *wrong) == ["contradicts the data"] * 2
    assert decisions(course, says("ana", "How many sales?", "SELECT COUNT(price) FROM sale")) == ["known"]


def test_a_database_is_the_same_in_every_form_of_its_letters(course: Course, tmp_path: Path) -> None:
    composed, decomposed = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    run_data_stage(course, (1, 2, 2), composed)
    told = [says("ana", "The cheapest?", CHEAPEST), says("ben", "The cheapest?", CHEAPEST)]
    told += [says("ana", TRAINED["question"], TRAINED["query"]), says("ana", TESTED["question"], TESTED["query"])]
    told = [row | {"database": decomposed} for row in told] + [told[0] | {"caller": "cleo", "database": composed}]
    assert decisions(course, *told) == ["accepted", "repeated", "known", "asks what the model is tested on", "repeated"]
    version = write_version(judge_corrections(told, course), course, tmp_path / "versions")
    rows = [row for split in ("train", "validation", "test") for row in read_jsonl(version / f"{split}.jsonl")]
    assert {row["db_id"] for row in rows} == {composed}


def test_a_question_of_the_test_is_not_trained_on(course: Course) -> None:
    tested = [says(user, question, DEAREST) for user in ("ana", "ben") for question in ("The dearest sale?", "Sales?")]
    assert set(decisions(course, *tested)) == {"asks what the model is tested on"}


def test_pairs_that_contradict_each_other_teach_nothing(course: Course) -> None:
    one, other = (
        [says(user, "Best?", query) for user in users] for users, query in (("ab", CHEAPEST), ("cd", DEAREST))
    )
    assert decisions(course, *one, *other) == ["users disagree", "repeated"] * 2


def test_ratings_and_queries_that_fail_are_no_corrections(course: Course) -> None:
    assert decisions(course, says("ana", "What?", None)) == ["no correction"]
    broken = [says(user, "What?", "SELECT nothing FROM nowhere") for user in ("ana", "ben")]
    assert set(decisions(course, *broken)) == {"one user alone"}, "two failures are no agreement"


@pytest.mark.parametrize("about", [{}, {"database": None}, {"database": "bank"}, {"database": "../shop"}])
def test_who_names_no_database_of_the_data_stops_nobody(course: Course, about: dict[str, str | None]) -> None:
    stray = {"caller": "mallory", "rating": "up", "question": "The cheapest?", "query": "SELECT 1", **about}
    told = [stray, *(says(user, "The cheapest?", CHEAPEST) for user in ("ana", "ben"))]
    assert decisions(course, *told) == ["no such database", "accepted", "repeated"]


def test_a_reviewer_needs_no_second_user(course: Course) -> None:
    doubted = [says("ana", "Best?", CHEAPEST) | {"row_id": "1"}, says("ana", "Best?", None) | {"row_id": "2"}]
    review = says("admin", "best?", "SELECT 2") | {"row_id": "3", "rating": "down", "reviews": ["1", "2"]}
    assert decisions(course, *doubted, review) == ["left to a reviewer", "no correction", "accepted"]
    alone = says("mallory", "Best?", CHEAPEST)
    assert decisions(course, *doubted, review, alone)[2:] == ["accepted", "one user alone"]
    pair = [alone, says("moriarty", "Best?", CHEAPEST)]
    assert decisions(course, *doubted, review, *pair)[2:] == ["users disagree", "users disagree", "repeated"]
    again = review | {"row_id": "4", "reviews": ["3"]}
    assert decisions(course, *doubted, review, *pair[:1], again)[2:] == [
        "left to a reviewer",
        "one user alone",
        "accepted",
    ]


def test_what_a_reviewer_dismissed_is_confirmed_by_nobody(course: Course) -> None:
    wrong = [says(user, "Best?", CHEAPEST) for user in ("mallory", "moriarty")]
    dismissed = says("admin", "Best?", None) | {"rating": "up", "reviews": ["1"]}
    told = [wrong[0] | {"row_id": "1"}, dismissed, wrong[1] | {"row_id": "2"}]
    assert decisions(course, *told) == ["left to a reviewer", "no correction", "one user alone"]


@pytest.mark.parametrize(("question", "reason"), [("How many sales?", "contradicts the data"), ("Sales?", "asks what")])
def test_a_reviewer_changes_neither_the_data_nor_the_test(course: Course, question: str, reason: str) -> None:
    (decision,) = decisions(course, says("admin", question, "SELECT 7") | {"reviews": ["1"]})
    assert decision.startswith(reason)


@pytest.fixture
def feedback() -> list[dict[str, str | None]]:
    asked = {f"Sales over {n}?": f"SELECT COUNT(*) FROM sale WHERE price > {n}" for n in range(10)}
    return [says(user, question, query) for question, query in asked.items() for user in ("ana", "ben")]


def test_a_version_is_a_dataset_that_notebook_2_takes(
    course: Course, feedback: list[dict[str, str | None]], tmp_path: Path
) -> None:
    folder = write_version(judge_corrections(feedback, course), course, tmp_path / "versions")
    made = json.loads((folder / "manifest.json").read_text())
    assert made["version"] == folder.name
    assert made["parent"] == str(tmp_path / "data")
    rows = {split: read_jsonl(folder / f"{split}.jsonl") for split in ("train", "validation", "test")}
    assert {split: len(found) for split, found in rows.items()} == {"train": 8, "validation": 2, "test": 3}
    assert Counter(row.get("source") for row in rows["train"])["feedback"] == made["n_new_train"] == 7
    new = open_course("smoke", str(folder), "", str(tmp_path / "retrained"))
    prepared = prepare_dataset(new, new.folder("data"))
    assert len(prepared.train) == 8


def test_a_thumb_up_holds_the_answer_to_be_right(course: Course) -> None:
    query = "SELECT COUNT(*) FROM sale WHERE price > 3"
    confirmed = {**says("ana", "Sales over 3?", None), "rating": "up", "query": query}
    refused = {**says("cleo", "Sales over 3?", None), "rating": "down", "query": query}
    judged = judge_corrections([confirmed, says("ben", "Sales over 3?", query), refused], course)
    assert [row["decision"] for row in judged] == ["accepted", "repeated", "no correction"]
    assert judged[0]["correction"] == query


def test_old_rows_are_replayed_beside_the_new(
    course: Course, feedback: list[dict[str, str | None]], tmp_path: Path
) -> None:
    folder = write_version(judge_corrections(feedback, course), course, tmp_path / "versions")
    sample = json.loads((folder / "samples" / "smoke.json").read_text())
    old = {row["id"] for row in read_jsonl(course.output("data", "train.jsonl"))}
    assert len(old & {*sample["train"]}) == min(len(old), N_REPLAYED * 7)
    assert len({*sample["train"]} - old) == 7
    assert len(sample["test"]) == 3


def test_what_new_rows_ask_for_is_not_replayed(course: Course, tmp_path: Path) -> None:
    told = [says(user, f"Sales, {n}?", TRAINED["query"]) for n in range(10) for user in ("ana", "ben")]
    folder = write_version(judge_corrections(told, course), course, tmp_path / "versions")
    sample = json.loads((folder / "samples" / "smoke.json").read_text())
    assert len(sample["train"]) == 7
    assert not {row["id"] for row in read_jsonl(course.output("data", "train.jsonl"))} & {*sample["train"]}


def test_a_limit_on_old_rows_to_validate_on_leaves_all_new_ones(
    course: Course, feedback: list[dict[str, str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "N_VALIDATED", 0)
    folder = write_version(judge_corrections(feedback, course), course, tmp_path / "versions")
    sample = json.loads((folder / "samples" / "smoke.json").read_text())
    whole = [row["id"] for row in read_jsonl(folder / "validation.jsonl")]
    assert whole == ["validation", *sample["validation"]]


def test_poison_changes_no_byte_of_the_version(
    course: Course, feedback: list[dict[str, str | None]], tmp_path: Path
) -> None:
    clean = write_version(judge_corrections(feedback, course), course, tmp_path / "versions")
    for query in ("SELECT 13", "SELECT 2", "SELECT 0"):  # the last two are right now, of some
        poison = [says("mallory", str(row["question"]), query) for row in feedback]
        judged = judge_corrections([*poison, *feedback, *poison], course)
        assert write_version(judged, course, tmp_path / "versions") == clean


def test_another_state_of_a_database_is_another_version(course: Course, tmp_path: Path) -> None:
    folder = write_version([], course, tmp_path / "versions")
    run_data_stage(course, prices=(7, 8, 9))
    changed = write_version([], course, tmp_path / "versions")
    assert changed != folder
    assert run_query(changed / "databases" / "shop" / "shop.sqlite", DEAREST).rows == [(9,)]


def test_preference_pairs_about_its_databases_go_along(course: Course, tmp_path: Path) -> None:
    bare = write_version([], course, tmp_path / "versions")
    pair = {"db_id": "shop", "question": "Sales?", "chosen": TRAINED["query"], "rejected": "SELECT 1"}
    write_jsonl(course.data / "preferences.jsonl", [pair, pair | {"db_id": "zoo"}])
    folder = write_version([], course, tmp_path / "versions")
    assert folder != bare, "a version is called by its content"
    assert read_pairs(folder) == [pair]
    assert not (bare / "preferences.jsonl").exists()


def test_all_old_rows_train_on_where_nothing_was_accepted(course: Course, tmp_path: Path) -> None:
    folder = write_version([], course, tmp_path / "versions")
    sample = json.loads((folder / "samples" / "smoke.json").read_text())
    assert {*sample["train"]} == {row["id"] for row in read_jsonl(course.output("data", "train.jsonl"))}


@pytest.mark.skipif(shutil.which("dvc") is None, reason="needs DVC")
def test_a_version_comes_back_from_dvc(
    course: Course, feedback: list[dict[str, str | None]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    judged = judge_corrections(feedback, course)
    folder = write_version(judged, course, tmp_path / "versions")
    files = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    shutil.rmtree(folder)
    subprocess.run(["dvc", "checkout", "--quiet"], cwd=folder.parent, check=True)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == files
    assert not caplog.records
    (folder.parent / ".dvc" / "config").write_text("no configuration")
    assert write_version(judged, course, tmp_path / "versions") == folder
    assert "not tracked" in caplog.text


def test_without_dvc_there_is_the_version_alone(
    course: Course, feedback: list[dict[str, str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    folder = write_version(judge_corrections(feedback, course), course, tmp_path / "versions")
    assert [*folder.parent.iterdir()] == [folder]


# Ratings come from executed queries and reach a real server

RANKED = "SELECT name, rank() OVER (ORDER BY legs) AS place FROM animal"
ROWS = [
    {"id": "q1", "db_id": "zoo", "question": "How many animals?", "query": "SELECT COUNT(*) FROM animal"},
    {"id": "q2", "db_id": "zoo", "question": "Names?", "query": "SELECT name FROM animal"},
]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_database(
        tmp_path / "databases" / "zoo" / "zoo.sqlite",
        "CREATE TABLE animal (name TEXT, legs INTEGER); INSERT INTO animal VALUES ('emu', 2), ('bear', 4), ('duck', 2)",
    )
    return tmp_path


def record(row_id: str, predicted: str, outcome: Outcome = "answered", answer_id: str = "a1") -> TrafficRecord:
    return TrafficRecord(0.0, "", row_id, "zoo", f"{row_id}?", 200, outcome, 10.0, predicted, answer_id)


@pytest.mark.parametrize(
    ("predicted", "gold", "rating"),
    [
        ("SELECT 0.1 + 0.2", "SELECT 0.3", "up"),
        ("SELECT 0.3 + 0.2 + 0.1", "SELECT sum(x) FROM (SELECT 0.1 AS x UNION ALL VALUES (0.2), (0.3))", "up"),
        (f"{RANKED} ORDER BY name DESC", RANKED, "up"),  # the window's ORDER BY does not order the rows
        ("SELECT name FROM animal ORDER BY name DESC", "SELECT name FROM animal ORDER BY name", "down"),
        ("SELECT name, legs FROM animal WHERE legs = 9", "SELECT name FROM animal WHERE legs = 9", "down"),
        ("DELETE FROM animal", "SELECT name FROM animal", "down"),
    ],
)
def test_an_answer_is_right_by_the_one_rule_of_the_course(
    dataset: Path, predicted: str, gold: str, rating: str
) -> None:
    (answer,) = rate_answers([record("q1", predicted)], [{"id": "q1", "query": gold}], dataset)
    assert answer["rating"] == rating


def test_ratings(dataset: Path) -> None:
    records = [
        record("q1", "SELECT 3"),
        record("q2", "SELEC", "invalid SQL"),
        record("q2", "SELECT legs FROM animal"),
        record("q1", "", "timeout"),
        record("not sent by us", "SELECT 1"),
    ]
    answers = rate_answers(records, ROWS, dataset)
    assert [answer["rating"] for answer in answers] == ["up", "down", "down"]
    assert [answer.get("correction") for answer in answers] == [None, *["SELECT name FROM animal"] * 2]
    assert answers[0].keys() == {"id", "database", "question", "query", "rating"}


def test_feedback_reaches_the_server(fresh_gateway: tuple[str, Path], dataset: Path) -> None:
    url, folder = fresh_gateway
    ratings = rate_answers([record("q1", "SELECT 3"), *[record("q2", "SELECT 4")] * 2], ROWS, dataset)
    assert send_feedback(url, ratings) == 3
    stored = read_jsonl(folder / "feedback.jsonl")
    assert [(line["id"], line["rating"]) for line in stored] == [("a1", "up"), ("a1", "down"), ("a1", "down")]
    assert [line.get("correction") for line in stored] == [None, *["SELECT name FROM animal"] * 2]


def test_a_correction_that_runs_for_too_long_costs_itself_and_no_rating(fresh_gateway: tuple[str, Path]) -> None:
    url, folder = fresh_gateway
    slow = {"id": "a1", "rating": "down", "correction": "WITH RECURSIVE ..."}
    assert send_feedback(url, [slow, slow | {"correction": "SELECT 1"}]) == 2
    stored = [line["correction"] for line in read_jsonl(folder / "feedback.jsonl")]
    assert stored == [None, "SELECT 1"]


def test_refused_feedback_says_where(little_gateway: str, dataset: Path) -> None:
    ratings = rate_answers([record("q1", "SELECT 3", answer_id="unknown")], ROWS, dataset)
    with pytest.raises(ServiceError, match=r"/v1/feedback: .*404"):
        send_feedback(little_gateway, ratings)
