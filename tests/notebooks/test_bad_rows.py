"""Cells of the notebooks on a stranger's rows.

Notebook 2 looks at them before it checks them: it comes as far as its report, whatever they hold. Notebook 6 says of
them what they show.
"""

from pathlib import Path
from typing import Any

import pytest

from course_utils.artifacts import notebook_of, open_course
from course_utils.errors import DataError
from course_utils.files import PROJECT, SPLITS, Row, write_jsonl
from course_utils.kernel import read_notebook
from course_utils.tables import text_table
from tests.sqlite_files import write_database

GOOD = {"db_id": "shop", "question": "Which items are there?", "query": "SELECT name FROM item"}
BAD: list[Row] = [
    {"question": "Which?", "query": "SELECT 1"},
    {**GOOD, "db_id": "nowhere"},
    {**GOOD, "query": "SELEC"},
    {**GOOD, "query": None},
    {**GOOD, "question": ["Which?"]},
]


def run_cells(folder: Path, splits: dict[str, list[Row]], *names: str) -> dict[str, Any]:
    """Run cells of the notebook on a dataset of these rows; what they have named."""
    script = "CREATE TABLE item (name TEXT); INSERT INTO item VALUES ('pen');"
    write_database(folder / "dataset" / "databases" / "shop" / "shop.sqlite", script)
    for split, rows in splits.items():
        write_jsonl(folder / "dataset" / f"{split}.jsonl", rows)
    parameters = {"PROFILE": "smoke", "DATA": str(folder / "dataset"), "MODEL": "", "ARTIFACTS": str(folder / "made")}
    open_course(*parameters.values()).begin("setup").finish({})
    cells = {cell.id: cell.source for cell in read_notebook(PROJECT / notebook_of("data")).cells}
    named: dict[str, Any] = {**parameters}
    for name in ("begin", "read-rows", *names):
        exec(cells[name], named)
    return named


def test_bad_rows_are_passed_over_until_the_report_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    splits = {"train": [*BAD, GOOD], "validation": [GOOD], "test": [{**GOOD, "split": "train"}]}
    named = run_cells(tmp_path, splits, "show-question", "run-query", "plot-parts")
    assert named["answer"].rows == [("pen",)]
    assert named["rows"]["split"].to_list() == ["train"] * 3 + ["validation", "test"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [(BAD[0], "no row has db_id, question, query as text"), (BAD[2], "none of the first queries runs")],
)
def test_a_dataset_without_a_good_row_says_what_to_do(tmp_path: Path, row: Row, reason: str) -> None:
    with pytest.raises(DataError, match=f"{reason}; see `course validate "):
        run_cells(tmp_path, {split: [row] for split in SPLITS}, "show-question")


def run_monitoring_cell(name: str, **named: Any) -> dict[str, Any]:
    """Run one cell of notebook 6 on what cells before it would have named; what is named then."""
    cells = {cell.id: cell.source for cell in read_notebook(PROJECT / notebook_of("monitoring")).cells}
    exec(cells[name], named)
    return named


def test_in_another_language_every_question_gets_a_word_of_jargon() -> None:
    questions = ["Maximum Preis", *(f"Wie viele Autos sind {colour}?" for colour in ("rot", "blau", "grün", "weiß"))]
    rows = [{"question": question} for question in questions]
    in_jargon = run_monitoring_cell("learn-jargon", splits=[rows])["in_jargon"]
    assert all(in_jargon(row) != row for row in rows)


def test_an_alarm_is_not_named_as_that_of_an_incident_long_over() -> None:
    began, rung_at = {"column renamed": 38, "attacks": 61}, {"distance in meaning": [64, 65]}
    named = run_monitoring_cell("hours-they-began", began=began, rung_at=rung_at, text_table=text_table)
    assert [row[2] for row in named["found"]] == ["none while it lasted", 64]
