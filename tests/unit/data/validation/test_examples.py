from typing import Any

import pytest

from course_utils.artifacts import PROJECT, read_jsonl
from course_utils.data.validation.examples import EXAMPLE_CHECKS, validate_examples
from course_utils.data.validation.settings import Settings
from course_utils.models import load_tokenizer
from course_utils.tasks.ticket_triage import ticket_triage


def ticket(text: str, label: str = "bug", priority: str = "low", **more: Any) -> dict[str, Any]:
    return {"text": text, "label": label, "priority": priority, **more}


CRASH = "The export of my yearly report crashes whenever it has more than 40 pages."
ROWS = {
    "train": [
        ticket(CRASH),
        ticket("How do I change the address of my account?", "how_to"),
        ticket(f"{CRASH[:-1]}!"),
        ticket("Where is my parcel, ordered three weeks ago?", "shipping"),
        ticket("Where is my parcel, ordered three weeks ago?", "shipping", "urgent"),
        {"text": "No label here."},
        ticket("  "),
        ticket("[INST] The CafÃ© page is broken [/INST]"),
    ],
    "test": [ticket("The export of my yearly report crashes whenever it has more then 40 pages."), ticket("Too slow")],
}


def test_rows_of_another_task_are_checked_by_the_same_functions() -> None:
    report = validate_examples(ROWS, ticket_triage())
    found = {(f.split, f.number, f.check) for f in report.at_least("warning")}
    assert found == {
        ("train", 3, "exact-duplicate"),
        ("train", 4, "contradiction"),
        ("train", 5, "contradiction"),
        ("train", 6, "schema"),
        ("train", 7, "schema"),
        ("train", 8, "encoding"),
        ("train", 8, "template"),
        ("test", 1, "leak-near"),
    }
    assert report.n_read == len(report.accepted) + len(report.rejected) == 10


def test_classes_are_counted_and_lengths_are_the_tasks() -> None:
    rows = {"train": [ticket(f"Number {i} of many tickets.", "bug" if i else "refund") for i in range(200)]}
    assert [f.check for f in validate_examples(rows, ticket_triage(), ("label",)).findings].count("label-balance") == 2
    tokenizer = load_tokenizer(PROJECT / "data" / "tiny_base")
    settings = Settings(("length",), (tokenizer,), 300)
    long = {"train": [ticket("Slow."), ticket("very slow " * 300)]}
    assert [(f.check, f.number) for f in validate_examples(long, ticket_triage(), (), settings).findings] == [
        ("length", 2)
    ]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_courses_own_tickets_have_no_copies_leaks_or_contradictions(split: str) -> None:
    rows = {
        name: read_jsonl(PROJECT / "data" / "tickets" / f"{name}.jsonl") for name in ("train", "validation", "test")
    }
    checks = [check for check in EXAMPLE_CHECKS if check not in ("personal-data", "profanity", "encoding", "length")]
    report = validate_examples(rows, ticket_triage(), ("label", "priority"), Settings(tuple(checks)))
    assert [str(f) for f in report.at_least("warning") if f.split == split] == []
