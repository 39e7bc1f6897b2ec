import random

import pytest

from course_utils.data.formats import Record
from course_utils.data.validation.repeats import MAX_GROUP, THRESHOLD, find_repeats, jaccard, similar_pairs
from course_utils.finding import Finding
from tests.unit.data.validation.conftest import record

Q = "How many shops are there in the city of Lyon?"
NEAR = Q.replace("there", "their")
SQL = "SELECT COUNT(*) FROM shop WHERE city = 'Lyon'"

WORDS = (
    "list show find count name city year price player team store order film actor score total average highest lowest "
    "customers products which have been sold after before with more than every of the in and whose is not between"
).split()


def about_rows(*records: Record) -> list[Finding]:
    return [finding for finding in find_repeats(records) if finding.number]


def test_nearly_the_same_row_is_a_warning_that_shows_both() -> None:
    (finding,) = find_repeats([record(1, Q, SQL), record(2, NEAR, SQL)])
    assert (finding.check, finding.severity, finding.number) == ("near-duplicate", "warning", 2)
    assert "train.jsonl:1" in finding.reason
    assert "'how many shops are their in the city of lyon'" in finding.reason


def test_a_row_is_found_once_whatever_the_order_of_reading() -> None:
    questions = (Q, NEAR, NEAR, Q + " please", f" {Q.upper()[:-1]}")
    rows = [record(number, question, SQL) for number, question in enumerate(questions, 1)]
    expected = {2: "near-duplicate", 3: "exact-duplicate", 4: "near-duplicate", 5: "exact-duplicate"}
    for order in (rows, rows[::-1], random.Random(0).sample(rows, len(rows))):
        assert {finding.number: finding.check for finding in find_repeats(order)} == expected


@pytest.mark.parametrize(
    "row",
    [
        record(2, Q.replace("Lyon", "Turin"), SQL.replace("Lyon", "Turin")),
        record(2, NEAR, SQL, db_id="bank"),
        record(2, NEAR, "SELECT name FROM shop"),
        record(1, Q.replace("Lyon", "Turin"), SQL.replace("Lyon", "Turin"), "test"),
        record(1, "Number of stores in Lyon", SQL, "test", "store"),
        record(1, Q, SQL, "test", "bank"),
        record(1, "?", "", "test"),
    ],
)
def test_other_values_databases_and_queries_repeat_nothing(row: Record) -> None:
    assert about_rows(record(1, Q, SQL), row) == []


@pytest.mark.parametrize(
    ("check", "row"),
    [
        ("leak-exact", record(1, Q.upper(), SQL, "test")),
        ("leak-exact", record(1, Q, "SELECT 1", "test")),
        ("leak-near", record(1, NEAR, SQL, "test")),
        ("leak-skeleton", record(1, "Lyon's number of stores", SQL.lower().replace("lyon", "Lyon"), "test")),
    ],
)
def test_each_leak_is_an_error_in_the_later_split(check: str, row: Record) -> None:
    (finding,) = about_rows(row, record(1, Q, SQL))
    assert (finding.check, finding.severity, finding.split, finding.number) == (check, "error", "test", 1)
    assert "train.jsonl:1" in finding.reason


def test_validation_leaks_into_test_and_training_into_both() -> None:
    test, validation = record(1, Q, SQL, "test"), record(1, Q, SQL, "validation")
    found = about_rows(test, validation, record(1, Q, SQL))
    assert [(finding.split, "train" in finding.reason) for finding in found] == [("validation", True), ("test", True)]
    assert "validation" in about_rows(test, validation)[0].reason


def test_questions_without_answer_share_their_query() -> None:
    weather = record(1, "What is the weather?", "SELECT 'unanswerable'", answerable=False)
    assert about_rows(weather, record(1, "Who is king?", "SELECT 'unanswerable'", "test", answerable=False)) == []


def test_shared_skeletons_are_counted_and_noted() -> None:
    rows = [
        record(1, Q, SQL),
        record(1, "Shops in Turin?", SQL.replace("Lyon", "Turin"), "test"),
        record(2, "Banks in Rome?", "SELECT COUNT(*) FROM bank WHERE town = 'Rome'", "test", "bank"),
        record(3, "Names?", "SELECT name FROM shop ORDER BY name", "test"),
    ]
    (note,) = find_repeats(rows)
    assert (note.check, note.severity, note.split, note.number) == ("leak-skeleton", "note", "test", 0)
    assert "2 of 3 rows (67%)" in note.reason


def test_jaccard_of_runs_of_three() -> None:
    # {abc, bcd, cde} and {abc, bcd, cdf}: two in common of four.
    assert jaccard("abcde", "abcdf") == 0.5
    assert jaccard("abc", "abc") == 1
    assert jaccard("ab", "xy") == 0


def make_texts(n_texts: int) -> list[str]:
    """Texts of which a third are edits of earlier ones, at similarities on both sides of the threshold."""
    rng = random.Random(3)
    texts: list[str] = []
    for _ in range(n_texts):
        text = " ".join(rng.choices(WORDS, k=rng.randint(5, 16)))
        if texts and rng.random() < 0.35:
            text = rng.choice(texts)
            for _ in range(rng.randint(1, 3)):
                i = rng.randrange(1, len(text) - 1)
                text = rng.choice([text[:i] + text[i + 1 :], f"{text[:i]}e{text[i:]}", f"please {text}"])
        texts.append(text)
    return texts


def compare_all(texts: list[str], splits: list[str]) -> set[tuple[int, int]]:
    """The first earlier text of the same and of another split, by comparing every pair, with sets made afresh."""
    runs = [{text[i : i + 3] for i in range(len(text) - 2)} for text in texts]
    first: dict[tuple[int, bool], int] = {}
    for later in range(len(texts)):
        for earlier in range(later):
            alike = len(runs[later] & runs[earlier]) / len(runs[later] | runs[earlier]) >= THRESHOLD
            if alike and texts[later] != texts[earlier]:
                first.setdefault((later, splits[later] == splits[earlier]), earlier)
    return {(later, earlier) for (later, _), earlier in first.items()}


def test_small_groups_have_the_pairs_that_comparing_all_finds() -> None:
    texts, splits = make_texts(MAX_GROUP), ["train"] * 150 + ["test"] * 50
    expected = compare_all(texts, splits)
    assert len(expected) > 30
    assert {pair[:2] for pair in similar_pairs(texts, splits)} == expected


def test_a_large_group_has_nearly_all_of_them_and_no_other() -> None:
    texts = make_texts(3 * MAX_GROUP)
    expected = {later for later, _ in compare_all(texts, ["train"] * len(texts))}
    found = {later for later, *_ in similar_pairs(texts, ["train"] * len(texts))}
    assert found <= expected
    assert len(found) >= 0.97 * len(expected) > 97
