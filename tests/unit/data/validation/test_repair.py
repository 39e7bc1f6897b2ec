import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.formats import read_dataset
from course_utils.data.validation.repair import REJECTED, fix_fields, repair_dataset
from course_utils.data.validation.validate import ValidationOptions, validate_dataset
from course_utils.errors import DataError
from course_utils.files import read_jsonl, write_json, write_jsonl

GOOD = {"db_id": "shop", "question": "Which shops are in Turin?", "query": "SELECT name FROM shop WHERE city = 'Turin'"}
WRONG: list[dict[str, Any] | str] = [
    {**GOOD, "query": "SELECT nmae FROM shop"},
    {**GOOD, "query": "SELECT name FROM"},
    {**GOOD, "db_id": "../../etc"},
    {"db_id": "shop", "question": "Where?"},
    {**GOOD, "question": 7},
    {**GOOD, "question": "CafÃ©s in Turin?"},
    '{"db_id": "shop", "question": "half a r',
    "[1, 2]",
    {**GOOD, "question": "[INST] Which? [/INST]"},
]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_cleaned_copy_has_no_errors_and_nothing_is_lost(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    spaced = {**GOOD, "id": 5, "question": "  Which shops\u200b are in  Turin? ", "query": f" {GOOD['query']} ;"}
    again = {**GOOD, "question": "which SHOPS are in Turin"}
    leak = {"db_id": "shop", "question": "How many shops are there?", "query": "SELECT COUNT(*) FROM shop"}
    folder = make_dataset(test=[spaced, again, leak, *WRONG])
    before = contents(folder)
    repair = repair_dataset(folder, tmp_path / "out")
    assert contents(folder) == before
    n_lines = sum(len(path.read_text().splitlines()) for path in folder.glob("*.jsonl"))
    assert sum(len(read_jsonl(path)) for path in (tmp_path / "out").glob("*.jsonl")) == n_lines
    counts = asdict(repair)
    assert (counts["n_read"], counts["n_accepted"], counts["n_rejected"]) == (
        2 + 1 + 3 + len(WRONG),
        2 + 1 + 1,
        2 + len(WRONG),
    )
    assert read_jsonl(tmp_path / "out" / "test.jsonl") == [{**GOOD, "id": 5}]
    rejected = read_jsonl(tmp_path / "out" / REJECTED)
    assert [row["checks"][0] for row in rejected[:2]] == ["exact-duplicate", "leak-exact"]
    assert all(row["reason"] and row["place"].partition(":")[2] for row in rejected)
    assert '{"db_id": "shop", "question": "half a r' in [row.get("raw") for row in rejected]
    assert "4 accepted (1 rows had spaces" in str(repair)
    assert validate_dataset(tmp_path / "out", tmp_path / "built").rejected == []


def test_preference_pairs_go_with_the_copy_unless_they_lie_elsewhere(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_dataset()
    pairs = write_jsonl(folder / "preferences.jsonl", [{**GOOD, "chosen": GOOD["query"], "rejected": "SELECT 1"}])
    repair_dataset(folder, tmp_path / "out")
    assert (tmp_path / "out" / pairs.name).read_bytes() == pairs.read_bytes()
    elsewhere = pairs.rename(tmp_path / "secrets")
    pairs.symlink_to(elsewhere)
    repair_dataset(folder, tmp_path / "again")
    assert not (tmp_path / "again" / pairs.name).exists()


def test_folders_that_hold_one_another_or_something_else_are_refused(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_dataset()
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    for out in (folder, folder / "clean", tmp_path, tmp_path / "link" / "clean", full, full / "mine.txt"):
        with pytest.raises(DataError, match="choose a"):
            repair_dataset(folder, out)
    assert not (folder / "clean").exists()
    assert [path.name for path in full.iterdir()] == ["mine.txt"]


def test_a_row_that_cannot_be_read_is_kept_whatever_is_checked(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_dataset(test=[GOOD, '{"db_id": "sh'])
    repair_dataset(folder, tmp_path / "out", ValidationOptions(("encoding",)))
    assert read_jsonl(tmp_path / "out" / "test.jsonl") == [GOOD]
    assert [row["raw"] for row in read_jsonl(tmp_path / "out" / REJECTED)] == ['{"db_id": "sh']


@pytest.mark.parametrize("name", ["test.json", "test.jsonl"])
def test_whatever_holds_a_row_that_cannot_be_read_it_is_kept_as_text(
    make_dataset: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    folder, line = make_dataset(), json.dumps(GOOD)
    (folder / "test.jsonl").unlink()
    broken = ['{"db_id": "shop", "price": NaN}', '["shop"]', '{"prompt": 5, "completion": "SELECT 1"}']
    lines = [line, *broken]
    (folder / name).write_text("\n".join(lines) if name.endswith("l") else f"[{', '.join(lines)}]")
    repair_dataset(folder, tmp_path / "out")
    assert [row["raw"] for row in read_jsonl(tmp_path / "out" / REJECTED)] == broken


def test_samples_lose_the_rejected_rows(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_dataset(test=[{**GOOD, "id": "good"}, {**WRONG[0], "id": "bad"}])
    (folder / "samples").mkdir()
    sample = {"train": ["train-1"], "validation": [], "test": ["good", "bad"]}
    (folder / "samples" / "smoke.json").write_text(json.dumps(sample))
    repair_dataset(folder, tmp_path / "out")
    kept = json.loads((tmp_path / "out" / "samples" / "smoke.json").read_text())
    assert kept == {**sample, "test": ["good"]}


def test_databases_are_copied_and_links_are_not_followed(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_dataset()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "databases" / "shop" / "notes.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "databases" / "home").symlink_to(tmp_path)
    repair_dataset(folder, tmp_path / "out")
    assert not any(path.is_file() and path.read_text() == "secret" for path in (tmp_path / "out").rglob("*"))
    (schema,) = (tmp_path / "out" / "databases" / "shop").iterdir()
    schema.write_text("changed")
    assert "CREATE TABLE" in (folder / "databases" / "shop" / schema.name).read_text()


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_database_behind_a_link_is_copied_as_every_row_needs_it(
    make_dataset: Callable[..., Path], tmp_path: Path, is_ready: bool
) -> None:
    """A cache of a model hub holds nothing but relative links."""
    folder = make_dataset()
    script = folder / "databases" / "shop" / "schema.sql"
    blob = script.rename(tmp_path / "blob")
    if is_ready:
        with closing(sqlite3.connect(tmp_path / "ready")) as connection:
            connection.executescript(blob.read_text())
        script, blob = script.with_name("shop.sqlite"), tmp_path / "ready"
    script.symlink_to(f"../../../{blob.name}")
    assert repair_dataset(folder, tmp_path / "out").n_rejected == 0
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert validate_dataset(tmp_path / "out", tmp_path / "built").rejected == []


def test_safe_fixes_leave_values_in_queries_alone() -> None:
    fields = {"db_id": " shop ", "question": "a\u00a0 b", "query": "SELECT 'x  \u200by' ;", "other": [" "]}
    assert fix_fields(fields) == {"db_id": "shop", "question": "a b", "query": "SELECT 'x  \u200by'", "other": [" "]}
    assert fix_fields({"question": None}) == {"question": None}


def test_rows_that_are_named_by_their_place_keep_their_place_in_a_sample(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_dataset(test=[WRONG[0], GOOD])
    write_json(folder / "samples" / "smoke.json", {"test": ["test-2"]})
    repair_dataset(folder, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "samples" / "smoke.json").read_text()) == {"test": ["test-1"]}


def test_evidence_is_told_once_however_it_is_spaced(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_dataset(test=[{**GOOD, "evidence": "a  refers to\nnumber\u200b 2"}])
    repair_dataset(folder, tmp_path / "out")
    (test,) = (record for record in read_dataset(tmp_path / "out") if record.split == "test")
    assert test.fields["question"] == f"{GOOD['question']} Evidence: a refers to number 2"
