import io
import json
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from course_utils.data.formats import Record
from course_utils.data.validation.report import N_SHOWN, ValidationReport
from course_utils.data.validation.rows import CHECKS
from course_utils.errors import DataError
from course_utils.finding import MAX_LINES, Finding, Severity
from tests.unit.data.validation.conftest import record


def finding(number: int, severity: Severity = "error", check: str = "syntax", reason: str = "bad") -> Finding:
    return Finding(check, severity, reason, "mend it", f"train.jsonl:{number}", "train", number)


@pytest.fixture
def report() -> ValidationReport:
    findings = [finding(1), finding(1, check="encoding"), finding(2, "warning"), finding(0, "note", "diversity")]
    records = [record(1), record(2), record(3), record(1, split="test")]
    return ValidationReport(records, findings)


def test_rows_with_errors_are_rejected_with_all_their_reasons(report: ValidationReport) -> None:
    why = {"checks": ["syntax", "encoding"], "reason": "bad; mend it; bad; mend it"}
    assert [row.to_row() for row in report.rejected] == [
        {**record(1).fields, "split": "train", "place": "train.jsonl:1", **why}
    ]
    assert [(r.split, r.number) for r in report.accepted] == [("train", 2), ("train", 3), ("test", 1)]
    assert {split: len(rows) for split, rows in report.splits.items()} == {"train": 2, "validation": 0, "test": 1}
    assert len(report.records) == len(report.accepted) + len(report.rejected)


def test_counts_and_levels(report: ValidationReport) -> None:
    assert report.counts["syntax"] == {"error": 1, "warning": 1, "note": 0}
    assert list(report.counts) == ["encoding", "syntax", "diversity"]
    assert [len(report.at_least(level)) for level in ("error", "warning", "note")] == [2, 3, 4]


def test_json_says_it_all(report: ValidationReport) -> None:
    read = json.loads(json.dumps(report.to_json()))
    assert (read["n_read"], read["n_accepted"], read["n_rejected"]) == ({"train": 3, "test": 1}, 3, 1)
    assert [Finding(**each) for each in read["findings"]] == report.findings


def test_bad_rows_stop_with_a_bounded_list_of_reasons_and_of_the_places_that_share_one() -> None:
    findings = [finding(i, reason=f"bad {max(i, 7)}") for i in range(1, 33)]
    with pytest.raises(DataError, match="32 bad rows:") as error:
        ValidationReport([record(i) for i in range(1, 33)], findings).raise_if_bad()
    lines = str(error.value).splitlines()
    assert lines[1:3] == ["train.jsonl:1 and 6 more: bad 7; mend it", "train.jsonl:8: bad 8; mend it"]
    assert lines[-1] == "... and 6 more"
    assert len(lines) == MAX_LINES + 2
    ValidationReport([record(1)], [finding(1, "warning")]).raise_if_bad()


def test_a_rejected_row_keeps_fields_that_have_a_name_of_ours() -> None:
    row = Record(Path("train.jsonl"), 1, {"split": "mine", "query": "SELECT 1"}, split="train", number=1)
    kept = ValidationReport([row], [finding(1)]).rejected[0].to_row()
    assert kept["row"] == row.fields
    assert kept["split"] == "train"
    assert "raw" not in kept
    unread = replace(row, fields={}, fault="not JSON; write JSON", raw="{")
    assert ValidationReport([unread], [finding(1)]).rejected[0].to_row()["raw"] == "{"


def test_html_shows_counts_and_first_findings(report: ValidationReport) -> None:
    shown = report._repr_html_()
    assert "4 rows read (3 train, 1 test); 1 of them must not be used." in shown
    assert shown.count("<details>") == 1
    for cell in ("train.jsonl:2", "bad", "mend it"):
        assert f">{cell}</td>" in shown


def test_html_is_inert_and_small_whatever_the_rows_say() -> None:
    evil = "<script>alert(1)</script>'\"&é" * 20
    findings = [finding(i, check=check, reason=evil) for check in CHECKS for i in range(1, 101)]
    shown = ValidationReport([record(i) for i in range(1, 101)], findings)._repr_html_()
    assert "<script" not in shown
    assert shown.count(f">{escape(evil)}</td>") == N_SHOWN * len(CHECKS)
    assert len(shown.encode()) < 100_000


def test_the_terminal_sees_the_same() -> None:
    from rich.console import Console

    findings = [finding(9, "warning", reason="odd"), *(finding(i, reason=f"bad {i}") for i in range(1, 7))]
    report = ValidationReport([record(i) for i in range(1, 10)], findings)
    console = Console(record=True, width=120, force_terminal=False, file=io.StringIO())
    console.print(report)
    shown = console.export_text()
    assert "9 rows read (9 train); 6 of them must not be used" in " ".join(shown.split())
    assert "syntax: train.jsonl:1: bad 1; mend it" in shown
    assert "odd" not in shown, "errors come first"
    assert "bad 4" not in shown
