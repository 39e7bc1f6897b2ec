from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.validation.contradictions import find_contradictions
from course_utils.data.validation.results import Facts


def record(number: int, question: str, query: str, split: str = "train", db_id: str = "shop") -> Record:
    fields = {"db_id": db_id, "question": question, "query": query}
    return Record(Path(f"{split}.jsonl"), number, fields, split=split, number=number)


def numbers(records: list[Record], **digests: str) -> list[tuple[str, int]]:
    facts = {(db, query): Facts(digest=digest) for query, digest in digests.items() for db in ("shop", "zoo")}
    return [(finding.split, finding.number) for finding in find_contradictions(records, facts)]


def test_two_answers_to_one_question_are_both_suspect() -> None:
    records = [record(1, "How many?", "a"), record(2, "how MANY", "b", "test"), record(3, "Who?", "b")]
    assert numbers(records, a="1", b="2") == [("train", 1), ("test", 2)]


def test_different_queries_with_one_result_do_not_contradict() -> None:
    assert numbers([record(1, "How many?", "a"), record(2, "How many?", "b")], a="1", b="1") == []


def test_the_same_question_about_another_database_does_not_contradict() -> None:
    assert numbers([record(1, "How many?", "a"), record(2, "How many?", "b", db_id="zoo")], a="1", b="2") == []


def test_where_most_agree_only_the_others_are_named_with_the_place_of_one_that_is_trusted() -> None:
    records = [record(1, "How many?", "b"), record(2, "How many?", "a"), record(3, "How many?", "c")]
    facts = {("shop", query): Facts(digest=digest) for query, digest in {"a": "1", "b": "2", "c": "1"}.items()}
    findings = find_contradictions(records, facts)
    assert [finding.number for finding in findings] == [1]
    assert "train.jsonl:2 asks the same" in findings[0].reason
    assert findings[0].severity == "error"


def test_orders_contradict_where_both_queries_ask_for_one() -> None:
    records = [record(1, "Sort them.", "a"), record(2, "Sort them.", "b")]
    rising, falling, plain = Facts(digest="1", sequence="2"), Facts(digest="1", sequence="3"), Facts(digest="1")
    assert len(find_contradictions(records, {("shop", "a"): rising, ("shop", "b"): falling})) == 2
    assert find_contradictions(records, {("shop", "a"): rising, ("shop", "b"): plain}) == []
