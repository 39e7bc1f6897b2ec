from pathlib import Path

import pytest

from course_utils.blind_rating import TIE, add_rating, draw_pairs, rate_pairs, read_ratings
from course_utils.errors import DataError


def rows(letter: str, n: int = 40) -> list[dict[str, str]]:
    question = {"db_id": "singers", "question": "Which <b>?", "query": "SELECT 0"}
    return [question | {"id": str(i), "predicted": f"SELECT '{letter if i else 'same'}'"} for i in range(n)]


ANSWERS = {"old": rows("a"), "new": rows("b")}


def test_raters_see_different_answers_in_orders_of_their_own() -> None:
    pairs = draw_pairs(ANSWERS, "Ana")
    assert sorted(pair.row["id"] for pair in pairs) == sorted(str(i) for i in range(1, 40))
    assert all(pair.texts[pair.models.index("new")] == "SELECT 'b'" for pair in pairs)
    assert 8 <= sum(pair.models[0] == "new" for pair in pairs) <= 31  # a fair coin leaves this once in 10,000 times
    assert pairs == draw_pairs(ANSWERS, "Ana")
    assert [pair.row["id"] for pair in pairs] != [pair.row["id"] for pair in draw_pairs(ANSWERS, "Ben")]
    assert not any(name in repr(pairs[0]) for name in ANSWERS)


def test_answers_to_different_questions_make_no_pairs() -> None:
    for others in (rows("b")[::-1], [row | {"query": "SELECT 1"} for row in rows("b")]):
        with pytest.raises(DataError, match="old, new: they answer different questions"):
            draw_pairs(ANSWERS | {"new": others}, "Ana")


def test_a_run_cut_off_resumes_to_the_same_file(tmp_path: Path) -> None:
    pairs = draw_pairs(ANSWERS, "Ana")
    rate_pairs(pairs, "Ana", tmp_path / "whole.jsonl", lambda _: "1")
    for end in (7, len(pairs), len(pairs)):
        rate_pairs(pairs[:end], "Ana", tmp_path / "parts.jsonl", lambda _: "1")
    assert (tmp_path / "parts.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    rate_pairs(pairs, "Ben", tmp_path / "parts.jsonl", lambda _: "0")
    ratings = read_ratings(tmp_path / "parts.jsonl", draw_pairs(ANSWERS, "Cleo"))
    assert len(ratings) == 2 * len(pairs)
    assert ratings[0]["winner"] == ratings[0]["models"][0]
    assert ratings[-1]["winner"] == TIE
    changed = draw_pairs(ANSWERS | {"new": rows("c")}, "Ana")
    assert read_ratings(tmp_path / "parts.jsonl", changed) == [], "they were about other answers"


def test_half_a_character_can_be_rated(tmp_path: Path) -> None:
    answers = {"old": rows("a", 2), "new": rows("\ud83d", 2)}
    rate_pairs(draw_pairs(answers, "Ana"), "Ana", tmp_path / "ratings.jsonl", lambda _: "1")
    assert len(read_ratings(tmp_path / "ratings.jsonl", draw_pairs(answers, "Ben"))) == 1


def test_a_file_whose_last_line_has_no_end_loses_no_rating(tmp_path: Path) -> None:
    pairs, file = draw_pairs(ANSWERS, "Ana"), tmp_path / "ratings.jsonl"
    for pair in pairs[:3]:
        add_rating(file, "Ana", pair, "1")
        file.write_bytes(file.read_bytes().rstrip(b"\n"))
    assert len(read_ratings(file, pairs)) == 3


def test_a_full_file_takes_no_more_and_keeps_what_it_has(tmp_path: Path) -> None:
    pairs, file = draw_pairs(ANSWERS, "Ana"), tmp_path / "ratings.jsonl"
    add_rating(file, "Ana", pairs[0], "1", max_bytes=1000)
    n_bytes = file.stat().st_size
    with pytest.raises(DataError, match=r"ratings\.jsonl: no room for more ratings; .*move the file away"):
        add_rating(file, "Ana", pairs[0], "1", max_bytes=2 * n_bytes - 1)
    assert file.stat().st_size == n_bytes
    add_rating(file, "Ana", pairs[0], "1", max_bytes=2 * n_bytes)
    assert file.stat().st_size == 2 * n_bytes
