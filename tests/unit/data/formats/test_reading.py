import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from course_utils.data.formats import read_dataset, read_rows, read_sample, write_rows
from course_utils.errors import DataError
from course_utils.files import write_json
from course_utils.sql import list_databases
from course_utils.sql.query_forms import canonical


def test_spiders_release_is_recognised(foreign: Path) -> None:
    records = read_dataset(foreign)
    assert Counter(record.split for record in records) == {"train": 36, "validation": 4, "test": 12}
    assert {record.fields["db_id"] for record in records if record.split == "test"} == {"observatory_1"}
    assert records == read_dataset(foreign)


def test_a_row_of_a_json_array_knows_its_place(foreign: Path) -> None:
    path = foreign / "dev.json"
    rows = json.loads(path.read_text())
    for record in (record for record in read_dataset(foreign) if record.path == path):
        assert rows[record.line - 1]["question"] == record.fields["question"]
        assert record.place.endswith(f"dev.json (row {record.line})")


def test_held_back_validation_rows_share_no_query_or_question_with_training(
    make_dataset: Callable[..., Path],
) -> None:
    rows = [{"db_id": "shop", "question": f"wording {i}", "query": f"SELECT {i % 20}"} for i in range(60)]
    folder = make_dataset(train=rows)
    (folder / "validation.jsonl").unlink()
    parts: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for record in read_dataset(folder):
        parts[record.split].add(record.fields["query"])
    assert parts["validation"]
    assert not parts["train"] & parts["validation"]


def test_a_training_row_is_left_where_there_is_one_alone(make_dataset: Callable[..., Path]) -> None:
    folder = make_dataset(train=[{"db_id": "shop", "question": "how many", "query": "SELECT 1"}])
    (folder / "validation.jsonl").unlink()
    assert {record.split for record in read_dataset(folder)} == {"train", "test"}


@pytest.mark.parametrize(("n_alike", "n_others", "n_held"), [(900, 100, 100), (500, 500, 100), (10, 1, 1), (9, 0, 0)])
def test_a_large_group_of_rows_is_no_validation_split(
    make_dataset: Callable[..., Path], n_alike: int, n_others: int, n_held: int
) -> None:
    """Questions that no query answers all have the same one, and so stay together."""
    queries = ["SELECT 'unanswerable'"] * n_alike + [f"SELECT {i}" for i in range(n_others)]
    folder = make_dataset(train=[{"db_id": "shop", "question": f"q {i}", "query": q} for i, q in enumerate(queries)])
    (folder / "validation.jsonl").unlink()
    counts = Counter(record.split for record in read_dataset(folder))
    assert (counts["train"], counts["validation"]) == (n_alike + n_others - n_held, n_held)


def test_train_others_joins_train_and_a_test_file_makes_dev_the_validation(foreign_release: Path) -> None:
    others = json.dumps(json.loads((foreign_release / "dev.json").read_text())[:2])
    (foreign_release / "train_others.json").write_text(others)
    (foreign_release / "test.json").write_text(others)
    records = read_dataset(foreign_release)
    assert Counter(record.split for record in records) == {"train": 42, "validation": 12, "test": 2}
    assert len({(record.split, record.number) for record in records}) == len(records)


def test_birds_archives_are_read_as_they_unpack(tmp_path: Path) -> None:
    row = {"question_id": 7, "db_id": "x", "question": "How many?", "evidence": "many means rows", "SQL": "SELECT 1"}
    for part, rows in {"train/train": [row, {**row, "SQL": "SELECT 2"}], "dev_20240627/dev": [row]}.items():
        path = tmp_path / f"{part}.json"
        path.parent.mkdir()
        path.write_text(json.dumps(rows))
        (tmp_path / f"{part}_databases" / path.stem).mkdir(parents=True)
    fields = next(record.fields for record in read_dataset(tmp_path) if record.split == "test")
    assert fields["id"] == "7"
    assert fields["query"] == "SELECT 1"
    assert fields["question"] == "How many? Evidence: many means rows"
    assert set(list_databases(tmp_path)) == {"train", "dev"}


@pytest.mark.parametrize("question", [{}, {"question": None}, {"question": 7}, {"question": " "}])
def test_evidence_makes_no_question_where_there_is_none(tmp_path: Path, question: dict[str, object]) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([{"db_id": "x", "SQL": "SELECT 1", "evidence": "many means rows", **question}]))
    (record,) = read_rows(path)
    assert record.fields.get("question") == question.get("question")


def test_rows_without_a_number_get_no_id_from_it(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([{"question_id": None, "question": f"How many {i}?", "SQL": "SELECT 1"} for i in "ab"]))
    assert [record.fields.get("id") for record in read_rows(path)] == [None, None]


def test_a_csv_row_is_kept_whole_whether_it_is_long_or_cannot_be_read(tmp_path: Path) -> None:
    path, long = tmp_path / "rows.csv", "x" * 140_000  # beyond Python's own limit
    path.write_text(f'question,query\nHow, why?,"SELECT\n1"\n{long},SELECT 2\n')
    bad, good = read_rows(path)
    assert (bad.line, bad.raw) == (2, 'How, why?,"SELECT\n1"')
    assert good.fields == {"question": long, "query": "SELECT 2"}


@pytest.mark.parametrize("text", ['[\n{"a": 1},\n{"a": }\n]', '[{"a": 1}\n{"a": 2}]', '[{"a": 1}, ', '[{"a": 1}'])
def test_a_broken_array_is_refused_whole_with_the_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.jsonl").write_text('{"db_id": "x"}\n')
    (tmp_path / "dev.json").write_text(text)
    with pytest.raises(DataError, match=r"dev\.json:\d: not JSON"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("text", ['[{"a": 1}]', '\ufeff[{"a": 1}]', '[\n  {"a": 1} ,\n {"a": 2}\n]\n'])
def test_a_sound_array_is_read_as_json_reads_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.jsonl").write_text('{"db_id": "x"}\n')
    (tmp_path / "dev.json").write_text(text)
    found = [record.fields for record in read_dataset(tmp_path) if record.path.name == "dev.json"]
    assert found == json.loads(text.removeprefix("\ufeff"))


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".ndjson", ".csv", ".parquet"])
@pytest.mark.parametrize("validation", ["validation", "valid", "val", "dev"])
def test_a_dataset_may_have_files_of_any_format(
    make_dataset: Callable[..., Path], tmp_path: Path, validation: str, ending: str
) -> None:
    before, folder = read_dataset(make_dataset()), tmp_path / "theirs"
    folder.mkdir()
    for split, name in (("train", "train"), ("validation", validation), ("test", "test")):
        write_rows((each.fields for each in before if each.split == split), folder / f"{name}{ending}")
    read, written = ([(each.split, each.fields) for each in records] for records in (read_dataset(folder), before))
    assert read == written


@pytest.mark.parametrize(("gone", "named"), [("train.jsonl", "no training file"), ("test.jsonl", "no file to test on")])
def test_a_missing_file_is_named(make_dataset: Callable[..., Path], gone: str, named: str) -> None:
    folder = make_dataset()
    (folder / gone).unlink()
    with pytest.raises(DataError, match=named):
        read_dataset(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"nowhere: no dataset folder that can be read \(No such file or directory\); check DATA"
    ):
        read_dataset(tmp_path / "nowhere")


def test_held_back_rows_leave_no_query_behind_however_it_is_written_and_whatever_links_it(
    make_dataset: Callable[..., Path],
) -> None:
    chain = [{"db_id": "shop", "question": f"wording {i // 2}", "query": f"SELECT {(i + 1) // 2}"} for i in range(12)]
    cased = [
        {"db_id": "shop", "question": f"{q} {i}?", "query": f"{q} {i} + 1"}
        for i in range(99)
        for q in ("select", "SELECT")
    ]
    folder = make_dataset(train=chain + cased)
    (folder / "validation.jsonl").unlink()
    held, left = (
        {c for r in read_dataset(folder) if r.split == split for c in (canonical(r.fields["query"]), r.key)}
        for split in ("validation", "train")
    )
    assert len(held) > 10
    assert not held & left


def test_a_sample_may_name_ids_that_are_numbers(make_dataset: Callable[..., Path]) -> None:
    folder = make_dataset()
    write_json(folder / "samples" / "smoke.json", {"train": [0, 1, 0], "test": ["a"]})
    assert read_sample(folder, "smoke") == {"train": ["0", "1"], "test": ["a"]}
    (folder / "samples" / "smoke.json").write_text("[" * 200_000)
    with pytest.raises(DataError, match="not an object of lists of ids"):
        read_sample(folder, "smoke")
