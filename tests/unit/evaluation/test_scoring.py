"""Scoring more than the plain case: further instances, replies as they come, golds that fail, questions without one."""

import json
import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from course_utils.errors import DataError, QueryError
from course_utils.evaluation import accuracy_table, find_instances, read_predictions, score_predictions
from course_utils.evaluation.clauses import component_match
from course_utils.sql import QueryPair
from course_utils.sql.compare import AnswerComparison, compare_pairs

GOLD = "SELECT name FROM item WHERE price > 2"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset" / "databases" / "shop"
    folder.mkdir(parents=True)
    (folder / "schema.sql").write_text("CREATE TABLE item (id integer primary key, name text, price integer);")
    (folder / "rows.sql").write_text("INSERT INTO item VALUES (1, 'pen', 1), (2, 'ink', 3), (3, 'pad', 5);")
    return tmp_path / "dataset"


def rows(*predicted: str, query: str = GOLD, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": f"q{n}", "db_id": "shop", "query": query, "predicted": p, **fields} for n, p in enumerate(predicted)]


def test_a_lucky_match_is_right_on_one_instance_alone(dataset: Path, tmp_path: Path) -> None:
    predicted = (
        GOLD,
        "SELECT i.name FROM item i WHERE NOT i.price <= 2",
        "SELECT name FROM item WHERE price >= 2",
        "SELECT",
    )
    cache = tmp_path / "new" / "instances.sqlite"
    for _ in range(2):  # the second time, the instances come from the cache
        scores = score_predictions(rows(*predicted), dataset, instances=10, cache=cache)
        assert [outcome.verdict.correct for outcome in scores.outcomes] == [True, True, True, False]
        assert [outcome.verdict.refuted_by > 0 for outcome in scores.outcomes] == [False, False, True, False]
        assert (scores.accuracy.n_true, scores.test_suite_accuracy.n_true) == (3, 2)
    summary = scores.summary()
    assert (summary["execution_accuracy"], summary["test_suite_accuracy"], summary["n_instances"]) == (0.75, 0.5, 10)
    assert summary["n_without_instances"] == 0
    table = accuracy_table(scores, kinds=["shape"])
    assert [row[:2] for row in table.rows[1:]] == [
        ("accuracy on 10 instances, all rows", "4"),
        ("accuracy, all rows", "4"),
        ("accuracy, one table", "4"),
    ]
    assert [row[2][:5] for row in table.rows[1:]] == ["50.0%", "75.0%", "75.0%"]
    beside = accuracy_table(scores, score_predictions(rows(*predicted), dataset), kinds=["shape"])
    assert [len(row) for row in beside.rows] == [4, 4, 4], "what is not known of all models is left out"
    unmade = score_predictions(rows("SELECT random()", query="SELECT random()"), dataset, instances=4).summary()
    assert (unmade["n_without_instances"], unmade["test_suite_accuracy"]) == (1, 1)
    assert "test_suite_accuracy" not in score_predictions(rows(*predicted), dataset).summary()


def test_a_cache_that_is_none_is_named(dataset: Path, tmp_path: Path) -> None:
    cache = tmp_path / "instances.sqlite"
    cache.write_text("no database" * 100)
    with pytest.raises(DataError, match=r"instances.sqlite: cannot keep instances .*; delete the file"):
        score_predictions(rows(GOLD), dataset, instances=2, cache=cache)
    with pytest.raises(DataError, match="give at least one"):
        score_predictions(rows(GOLD), dataset, instances=0)


def test_a_failing_gold_is_left_out_by_name_alone(dataset: Path) -> None:
    mixed = [*rows(GOLD), *rows("SELECT 1", query="SELECT nam FROM item", place="mine.jsonl:2")]
    with pytest.raises(DataError, match=r"mine.jsonl:2: the gold .*no such column: nam; correct it"):
        score_predictions(mixed, dataset)
    scores = score_predictions(mixed, dataset, skip_bad_gold=True)
    assert (scores.n, scores.accuracy.n_true) == (1, 1)
    assert scores.summary()["left_out"] == ['mine.jsonl:2: the gold "query" fails: no such column: nam']
    with pytest.raises(DataError, match="no such column"):
        score_predictions(mixed[1:], dataset, skip_bad_gold=True)


def test_rows_that_ask_the_same_are_judged_once(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from course_utils.evaluation import scoring

    judged: list[QueryPair] = []

    def watched(database: Path, pairs: list[QueryPair]) -> Iterator[AnswerComparison | QueryError]:
        judged.extend(pairs)
        return compare_pairs(database, pairs)

    monkeypatch.setattr(scoring, "compare_pairs", watched)
    asked = rows(GOLD, "SELECT 1", GOLD, "SELECT 1") + rows("SELECT 1", query="SELECT 1")
    assert [outcome.verdict.correct for outcome in score_predictions(asked, dataset).outcomes] == [1, 0, 1, 0, 1]
    assert len(judged) == 3


def test_instances_of_all_rows_are_never_in_memory_at_once(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from course_utils.evaluation import scoring

    n_bytes = 0

    def counted(*args: Any) -> dict[str, tuple[bytes, ...]]:
        nonlocal n_bytes
        suites = find_instances(*args)
        n_bytes += sum(len(image) for images in suites.values() for image in images)
        return suites

    long = ", ".join(f"'{letter * 190}'" for letter in "abc")
    (dataset / "databases" / "shop" / "rows.sql").write_text(f"INSERT INTO item VALUES (1, {long}, 3)")
    columns = "id integer primary key, name text, colour text, place text, price integer"
    (dataset / "databases" / "shop" / "schema.sql").write_text(f"CREATE TABLE item ({columns});")
    monkeypatch.setattr(scoring, "find_instances", counted)
    monkeypatch.setattr(scoring, "AT_ONCE", 2)
    monkeypatch.setattr(scoring, "n_cores", lambda: 1)
    golds = [f"SELECT name, colour, place FROM item WHERE price > {n}" for n in range(24)]
    asked = [row for gold in golds for row in rows(gold, query=gold)]
    score_predictions(asked, dataset)  # what it imports stays
    tracemalloc.start()
    try:
        score_predictions(asked, dataset, instances=10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n_bytes / 2


def test_replies_are_read_as_serving_reads_them(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(f"Here it is:\n```sql\n{GOLD};\n```\nDone.")))
    assert score_predictions(read_predictions(path), dataset).accuracy.value == 0
    read = read_predictions(path, raw=True)
    assert score_predictions(read, dataset).accuracy.value == 1
    assert set(component_match(read).values()) == {1}


def test_questions_without_an_answer_are_counted_apart(dataset: Path) -> None:
    refusal = "SELECT 'unanswerable'"
    asked = rows(refusal, GOLD, query=refusal, answerable=False) + rows("select 'unanswerable';", GOLD, GOLD)
    summary = score_predictions(asked, dataset).summary()
    assert [summary[name] for name in ("n_unanswerable", "n_refused", "n_wrongly_refused")] == [2, 1, 1]
    assert "n_refused" not in score_predictions(asked[2:], dataset).summary()


def test_rows_are_sliced_by_what_they_say(dataset: Path) -> None:
    about = [{"question": "how many " * 4, "source": "written"}, {"question": "who " * 15, "source": "grammar:join"}]
    asked = [row | fields for row, fields in zip(rows(GOLD, "SELECT 1"), about, strict=True)]
    summary = score_predictions(asked, dataset).summary()
    assert {name: group["execution_accuracy"] for name, group in summary["by_source"].items()} == {
        "grammar": 0,
        "written": 1,
    }
    assert {name: group["n"] for name, group in summary["by_question_length"].items()} == {
        "to 8 words": 1,
        "15 words and more": 1,
    }


def test_the_file_of_instances_holds_databases(dataset: Path, tmp_path: Path) -> None:
    import zlib

    cache = tmp_path / "instances.sqlite"
    score_predictions(rows(GOLD), dataset, instances=4, cache=cache)
    with sqlite3.connect(cache) as store:
        images = store.execute("SELECT image FROM suite WHERE number > 0").fetchall()
    assert [zlib.decompress(image)[:15] for (image,) in images] == [b"SQLite format 3"] * 3
