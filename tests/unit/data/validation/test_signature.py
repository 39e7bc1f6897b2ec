import random

import pytest

from course_utils.data.validation.signature import Signature, normalise_question, row_signature


@pytest.mark.parametrize(
    ("question", "normal"),
    [
        ("How many  shops\tare there?", "how many shops are there"),
        ('Which cost "3.5%" or less...', "which cost 3.5% or less"),
        ("Who's in  CAF\u00c9 \u2018Noir\u2019 ?", "who's in caf\u00e9 noir"),
        ("\uff33hops below -5", "shops below -5"),
        ("...", ""),
    ],
)
def test_marks_and_case_do_not_matter(question: str, normal: str) -> None:
    assert normalise_question(question) == normal


def test_values_matter() -> None:
    assert len({normalise_question(f"over {value}") for value in ("5", "-5", "3.5", "35", "C#", "C++")}) == 6


def test_a_signature_has_the_reduced_row() -> None:
    row = {"db_id": "shop", "question": "How many?", "query": "select count(*) from shop", "answerable": False}
    assert row_signature(row, "test", 7, "data/test.jsonl:7") == Signature(
        "test",
        7,
        "data/test.jsonl:7",
        "shop",
        "how many",
        "SELECT COUNT ( * ) FROM shop",
        "SELECT COUNT ( * ) FROM _",
        False,
    )


def test_missing_fields_count_as_empty() -> None:
    signature = row_signature({"question": None}, "train", 1, "x:1")
    assert (signature.db_id, signature.question, signature.query) == ("", "", "")


def test_training_comes_first() -> None:
    places = [("train", 2), ("train", 10), ("validation", 1), ("test", 1), ("extra", 1)]
    shuffled = random.Random(0).sample(places, len(places))
    signatures = [row_signature({}, split, number, "") for split, number in shuffled]
    ordered = sorted(signatures, key=lambda signature: signature.order)
    assert [(row.split, row.number) for row in ordered] == places
