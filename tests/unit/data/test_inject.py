from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.inject import DEFECTS, Defect, InjectedDefect, Injection, inject_defects
from course_utils.data.validation.rows import CHECKS
from course_utils.data.validation.validate import validate_rows
from course_utils.errors import ConfigurationError
from course_utils.finding import Finding
from tests.sqlite_files import write_database


def make_rows(split: str, n: int) -> list[dict[str, Any]]:
    """Rows about two databases that share no table."""
    rows = []
    for i in range(n):
        db_id, table = (("shop", "item"), ("zoo", "animal"))[i % 2]
        question = f"Which {table} number {i} is longer than the others in the {split} list?"
        join = f"SELECT {table}.name FROM {table} JOIN place ON {table}.id = place.id WHERE {table}.size > {i}"
        query = join if i % 3 == 0 else f"SELECT {'name' if i % 4 else 'COUNT(*)'} FROM {table} WHERE name = '{i}'"
        query = f"SELECT size FROM {table} WHERE (size > {i})" if i % 5 == 0 and i % 3 else query
        rows.append({"id": f"{split}-{i}", "db_id": db_id, "question": question, "query": query})
    return rows


ROWS = {split: make_rows(split, n) for split, n in (("train", 400), ("validation", 60), ("test", 120))}


def test_every_kind_is_injected_into_rows_of_its_own_and_nothing_else_changes() -> None:
    before = repr(ROWS)
    injection = inject_defects(ROWS, n_each=5, seed=3)
    assert repr(ROWS) == before
    assert Counter(defect.kind for defect in injection.defects) == dict.fromkeys(DEFECTS, 5)
    places = {(defect.split, defect.number) for defect in injection.defects}
    assert len(places) == len(injection.defects)
    originals = [row for group in ROWS.values() for row in group]
    untouched = [
        row for split, group in injection.splits.items() for i, row in enumerate(group, 1) if (split, i) not in places
    ]
    assert all(row in originals for row in untouched)
    n_copies = sum(DEFECTS[defect.kind].where != "row" for defect in injection.defects)
    assert len(untouched) + len(injection.defects) - n_copies == len(originals)


def test_a_copy_stands_behind_its_original_or_among_the_test_rows() -> None:
    injection = inject_defects(ROWS, ["exact duplicate", "exact leak"], n_each=8, seed=1)
    for kind, _, split, number in injection.defects:
        copy = injection.splits[split][number - 1]
        original = next(row for rows in ROWS.values() for row in rows if row["question"] == copy["question"])
        assert {**copy, "id": original["id"]} == original
        if kind == "exact leak":
            assert (split, original in ROWS["train"]) == ("test", True)
        else:
            assert injection.splits[split].index(original) < number - 1


def test_the_seed_decides() -> None:
    kinds = ["hidden character", "near duplicate", "truncated SQL"]
    assert inject_defects(ROWS, kinds, seed=4) == inject_defects(ROWS, kinds, seed=4)
    assert inject_defects(ROWS, kinds, seed=4) != inject_defects(ROWS, kinds, seed=5)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="defect rust is unknown; choose from missing field"):
        inject_defects(ROWS, ["rust"])


def test_what_no_row_can_take_is_left_out_and_counted() -> None:
    few = inject_defects({"train": ROWS["train"][:3], "test": ROWS["test"]}, ["exact leak"], n_each=4)
    assert few.left_out == {"exact leak": "1 of 4: none of the 120 rows left can take it"}
    assert few.count_found([]) == {"exact leak": {"injected": 3, "found": 0}}
    one = inject_defects({"train": ROWS["train"][:1]}, ["missing field", "exact leak", "profanity"], n_each=1)
    assert one.left_out == {
        "exact leak": "1 of 1: none of the 1 rows left can take it",
        "profanity": "1 of 1: none of the 0 rows left can take it",
    }
    assert one.count_found([])["profanity"] == {"injected": 0, "found": 0}


@pytest.mark.parametrize(
    "question",
    [
        "请列出编号大于{0}的所有学生的姓名和他们所在的城市。",
        "Сколько клиентов из региона {0} купили больше товаров?",
        "지역 {0}에서 가장많이구매한고객의이름과주소를알려주세요",
        "ما أسماء الطلاب الذين أعمارهم أكبر من {0}؟",
        "HOW MANY ORDERS OF REGION {0} EXIST?",
    ],
)
def test_questions_of_any_script_take_every_defect_and_the_checks_find_it(question: str, tmp_path: Path) -> None:
    database = write_database(tmp_path / "s.sqlite", "CREATE TABLE t (a, b)")
    rows = [
        {"id": str(i), "db_id": "s", "question": question.format(i), "query": f"select a from t where b = {i}"}
        for i in range(200)
    ]
    injection = inject_defects({"train": rows[:180], "validation": rows[180:190], "test": rows[190:]}, n_each=3)
    assert injection.left_out == {}
    report = validate_rows(injection.splits, {"s": database})
    assert set(map(repr, injection.count_found(report.findings).values())) == {"{'injected': 3, 'found': 3}"}


def test_a_question_too_short_for_a_typo_is_left_alone() -> None:
    rows = [
        {"db_id": "s", "question": question, "query": "SELECT 1"} for question in ("几个学生?", "🦁🐯?", "१२ बजे कौन?")
    ]
    reason = "1 of 1: none of the 3 rows left can take it"
    assert inject_defects({"train": rows}, ["near duplicate"], n_each=1).left_out == {"near duplicate": reason}


def test_a_typo_is_not_put_into_quoted_text() -> None:
    row = {"db_id": "s", "question": "How many?", "query": 'select "Name (from)" FROM t'}
    assert inject_defects({"train": [row]}, ["broken SQL"], n_each=1).splits["train"] == [
        {**row, "query": 'SELCT "Name (from)" FROM t'}
    ]


def test_a_defect_of_one_s_own_is_injected_like_the_course_s() -> None:
    shouted = Defect("encoding", lambda row, _: {**row, "question": row["question"].upper()})
    injection = inject_defects(ROWS, {"shouting": shouted}, n_each=3)
    assert {(defect.kind, defect.check) for defect in injection.defects} == {("shouting", "encoding")}
    assert sum(row["question"].isupper() for rows in injection.splits.values() for row in rows) == 3


def test_kinds_name_checks_that_exist() -> None:
    assert {defect.check for defect in DEFECTS.values()} <= set(CHECKS)


def test_a_defect_is_found_by_its_own_check_and_by_no_note() -> None:
    defects = [InjectedDefect("mojibake", "encoding", "train", number) for number in (2, 3)]
    defects.append(InjectedDefect("exact duplicate", "exact-duplicate", "train", 9))
    findings = [
        Finding("encoding", "error", "", split="train", number=2),
        Finding("syntax", "error", "", split="train", number=3),
        Finding("exact-duplicate", "note", "", split="train", number=9),
    ]
    counts = Injection({}, defects, ("mojibake", "exact duplicate"), {}).count_found(findings)
    assert counts == {"mojibake": {"injected": 2, "found": 1}, "exact duplicate": {"injected": 1, "found": 0}}
