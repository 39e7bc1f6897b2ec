import math
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from course_utils.artifacts import open_course
from course_utils.data.validation.repair import repair_dataset
from course_utils.data.validation.validate import GATE, ValidationOptions, validate_dataset, validate_rows
from course_utils.errors import DataError
from course_utils.sql import find_database, run_query

GOOD = {"db_id": "shop", "question": "Which shops are in Turin?", "query": "SELECT name FROM shop WHERE city = 'Turin'"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "Who?", "query": "SELECT 1"}, '"db_id" is missing; every row needs db_id, question, query'),
        ('{"db_id": "shop", ', "not JSON"),
        ({**GOOD, "question": "how many SHOPS are there"}, "the question is also in train ("),
        ('["shop"]', "not an object; every row is one"),
        ({**GOOD, "db_id": "zoo"}, 'there is no database "zoo"; add databases/zoo/zoo.sqlite (or schema.sql)'),
        ({**GOOD, "db_id": "../shop"}, 'there is no database "../shop"'),
        ({**GOOD, "query": "SELECT nmae FROM shop"}, '"query" does not run on shop (no such column: nmae'),
        ({**GOOD, "query": "SELEC name FROM shop"}, '"query" does not parse (near "SELEC": syntax error'),
        ({**GOOD, "query": "DELETE FROM shop"}, '"query" does not run on shop (only one statement that reads'),
    ],
)
def test_a_bad_row_is_named_with_file_line_and_remedy(
    make_dataset: Callable[..., Path], tmp_path: Path, row: dict[str, Any] | str, reason: str
) -> None:
    folder = make_dataset(test=[GOOD, row])
    (rejected,) = validate_dataset(folder, tmp_path / "built", ValidationOptions(GATE)).rejected
    assert rejected.record.place == f"{folder / 'test.jsonl'}:2"
    assert rejected.reason.startswith(reason)


@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_a_database_is_there_in_either_normal_form(
    make_dataset: Callable[..., Path], tmp_path: Path, written: Literal["NFC", "NFD"]
) -> None:
    rows = [{**GOOD, "db_id": unicodedata.normalize(form, "läden")} for form in ("NFC", "NFD")]
    folder = make_dataset(test=rows[:1], validation=rows[1:])
    shop = folder / "databases" / "shop"
    shop.rename(shop.with_name(unicodedata.normalize(written, "läden")))
    report = validate_dataset(folder, tmp_path / "built", ValidationOptions(("schema", "execution")))
    assert {finding.split for finding in report.findings} == {"train"}  # whose rows still ask for the shop


@pytest.mark.parametrize("evil", ["SELECT \x1b[31mred", f"SELECT {'(' * 900}1{')' * 900}", "SELECT '" + "a" * 100_000])
def test_hostile_queries_give_bounded_printable_findings(
    make_dataset: Callable[..., Path], tmp_path: Path, evil: str
) -> None:
    report = validate_dataset(make_dataset(test=[{**GOOD, "query": evil}]), tmp_path / "built")
    assert len(report.records) == len(report.accepted) + len(report.rejected)
    assert len(report.findings) > 0
    assert sum(map(len, report.splits.values())) == len(report.accepted)
    for finding in report.findings:
        assert len(str(finding)) < 2_500
        assert str(finding).isprintable()


def test_no_finding_shows_personal_data(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    mail, phone = "jane.roe@posteo.de", "+49 30 901820"
    query = f"SELECT name FROM shop WHERE name = '{mail}' OR city = '{phone}'"
    asked = {"db_id": "shop", "question": f"Which shop has {mail} or {phone}?", "query": query}
    rows = [
        asked,
        {**asked, "question": f"Which shops have {mail} or {phone}?"},
        {**asked, "question": f"{mail}, {phone}: whose?"},
        {**asked, "query": f"SELECT '{mail} {phone}'"},
        {**asked, "query": f"Sure: {mail} {phone}"},
        {**asked, "question": f"```{mail} {phone}"},
        {**asked, "question": f"{mail} {phone} cafÃ©", "difficulty": [mail, phone]},
        {**asked, "question": f"{mail} {phone} cafÃ©"},
        f"{{{mail} {phone}",
    ]
    findings = validate_dataset(make_dataset(train=rows, test=[rows[2]]), tmp_path / "built").findings
    quoting = {"template", "syntax", "encoding", "near-duplicate", "leak-exact", "constant-result", "contradiction"}
    assert {finding.check for finding in findings} >= quoting
    assert [str(finding) for finding in findings if re.search("roe@|90 ?18", str(finding))] == []
    assert any("ja**********" in finding.reason for finding in findings if finding.check == "near-duplicate")


@pytest.mark.parametrize("broken", ["shop.sqlite", "schema.sql"])
def test_a_broken_database_costs_each_of_its_rows_one_error(
    make_dataset: Callable[..., Path], tmp_path: Path, broken: str
) -> None:
    folder = make_dataset()
    (folder / "databases" / "shop" / broken).write_bytes(b"CREATE TABEL shop (name TEXT);" * 100)
    report = validate_dataset(folder, tmp_path / "built")
    assert [finding.check for finding in report.at_least("warning")] == ["schema"] * len(report.records)
    with pytest.raises(DataError, match=f"(?s)4 bad rows.*{broken}") as error:
        report.raise_if_bad()
    assert len(str(error.value).splitlines()) == 2


def test_lengths_are_counted_of_the_profiles_sample(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    long = {**GOOD, "question": "Who is " + "very " * 600 + "big?", "id": "long"}
    folder = make_dataset(test=[long, {**GOOD, "id": "short"}])
    options = ValidationOptions(("length",), open_course("smoke"))
    assert [finding.number for finding in validate_dataset(folder, tmp_path / "built", options).findings] == [1]
    (folder / "samples").mkdir()
    (folder / "samples" / "smoke.json").write_text('{"train": [], "validation": [], "test": ["short"]}')
    assert validate_dataset(folder, tmp_path / "built", options).findings == []


def test_the_foreign_dataset_passes_and_answers_as_counted_by_hand(foreign: Path, tmp_path: Path) -> None:
    report = validate_dataset(foreign, tmp_path)
    assert report.rejected == []
    queries = {row["question"]: row["query"] for split in report.splits.values() for row in split}
    bakery, club = (find_database(foreign, name, tmp_path) for name in ("bakery_1", "chess_club"))
    prices = run_query(bakery, queries["What is the average price for each flavor?"]).rows
    assert [row[-1] for row in prices] == pytest.approx([21.0, 23.0, 32.75, (18.5 + 19 + 17) / 3, 26.5])
    assert run_query(club, queries["Which members have no year of joining?"]).rows == [("Huw Preece",)]


def test_rows_in_memory_that_no_file_could_hold_are_findings() -> None:
    rows = [{"db_id": "shop", "question": "How many\ud800?", "query": "SELECT 1"}, {"db_id": math.nan}]
    report = validate_rows({"train": rows}, {})
    assert len(report.rejected) == 2


def test_a_folders_name_steers_no_terminal(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_dataset(test=[{"db_id": "nowhere"}]).rename(tmp_path / os.fsdecode(b"donn\xe9es\x1b]0;x\x07"))
    repair_dataset(folder, tmp_path / "out")
    findings = validate_dataset(folder, tmp_path / "built").findings
    assert any("\\x1b]0" in finding.place for finding in findings)
    assert all(finding.place.isprintable() for finding in findings)
