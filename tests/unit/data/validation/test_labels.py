from collections import Counter
from pathlib import Path

from course_utils.data.formats.record import Record
from course_utils.data.validation.labels import find_imbalance, imbalance_problems


def records(split: str, **counts: int) -> list[Record]:
    labels = [label for label, n in counts.items() for _ in range(n)]
    return [
        Record(Path(f"{split}.jsonl"), i, {"label": label}, split=split, number=i) for i, label in enumerate(labels, 1)
    ]


def test_a_dominant_class_and_a_rare_one_are_named_with_their_numbers() -> None:
    rare, dominant = imbalance_problems("label", Counter(bug=950, praise=46, spam=4))
    assert "1 of 3 classes have under 1 % of 1,000 rows: spam (4)" in rare.reason
    assert "95% of 1,000 rows are bug" in dominant.reason
    assert {rare.severity, dominant.severity} == {"warning"}


def test_a_rare_class_is_a_warning_for_training_and_a_note_for_measuring() -> None:
    rows = [row for split in ("train", "test") for row in records(split, bug=600, praise=600, spam=2)]
    assert [(f.split, f.severity) for f in find_imbalance(rows, ("label",))] == [("train", "warning"), ("test", "note")]


def test_balanced_classes_and_even_shares_of_many_are_fine() -> None:
    assert imbalance_problems("label", Counter(bug=79, praise=21)) == []
    assert imbalance_problems("shape", Counter({f"shape {i}": 8 for i in range(150)})) == []


def test_each_split_is_judged_by_itself_and_only_by_fields_that_it_has() -> None:
    rows = records("train", bug=50, praise=50) + records("test", bug=99, praise=1)
    found = find_imbalance(rows, ("label", "priority"))
    assert [(f.check, f.split, f.number, f.place) for f in found] == [
        ("label-balance", "test", 0, "test rows of test.jsonl")
    ]


def test_one_class_alone_is_no_label() -> None:
    assert find_imbalance(records("train", bug=500), ("label",)) == []
