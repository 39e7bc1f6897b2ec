"""Datasets of the library itself, in memory, on disk and by name; a local folder stands in for the Hub."""

from pathlib import Path

import pytest

from course_utils.data.formats import (
    detect_format,
    from_datasets,
    load_hub,
    read_rows,
    to_dataset,
    to_dataset_dict,
    write_rows,
)
from course_utils.errors import FormatError

ROWS = [{"id": str(i), "question": f"é {i}", "query": "SELECT 1", "tags": ["a"] * (i % 2)} for i in range(2_500)]


def test_a_dataset_in_memory_comes_back_and_is_an_ordinary_one() -> None:
    dataset = to_dataset(ROWS)
    assert dataset.column_names == ["id", "question", "query", "tags"]
    assert dataset[7] == ROWS[7]
    records = list(from_datasets(dataset))
    assert [record.fields for record in records] == ROWS
    assert [record.number for record in records] == list(range(1, 2_501))


def test_what_was_chosen_and_shuffled_is_what_is_read() -> None:
    dataset = to_dataset(ROWS).shuffle(seed=0).select(range(10))
    assert [record.fields for record in from_datasets(dataset)] == list(dataset)


def test_splits_come_back_from_memory_and_disk(tmp_path: Path) -> None:
    splits = {"train": ROWS[:3], "test": ROWS[3:5]}
    dataset = to_dataset_dict(splits)
    dataset.save_to_disk(str(tmp_path / "saved"))
    assert detect_format(tmp_path / "saved") == "datasets"
    for records in (list(from_datasets(dataset)), read_rows(tmp_path / "saved")):
        found = {name: [record.fields for record in records if record.split == name] for name in splits}
        assert found == splits


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    for rows in (ROWS[:5], ROWS[:3]):
        write_rows(rows, tmp_path / "saved", "datasets")
        assert [record.fields for record in read_rows(tmp_path / "saved")] == rows
    with pytest.raises(FormatError, match="is nan"):
        write_rows([{"x": float("nan")}], tmp_path / "saved", "datasets")
    assert len(read_rows(tmp_path / "saved")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.parametrize("name", ["jsonl", "parquet", "csv"])
def test_a_dataset_is_loaded_by_its_name(name: str, tmp_path: Path) -> None:
    rows = [{"id": f"a{i}", "question": "é", "query": "SELECT 1"} for i in range(5)]
    for split in ("train", "test"):
        write_rows(rows, tmp_path / "data" / f"{split}.{name}", name)
    dataset = load_hub(str(tmp_path / "data"), cache_dir=str(tmp_path / "cache"))
    records = list(from_datasets(dataset))
    assert [record.fields for record in records if record.split == "train"] == rows
    assert {record.split for record in records} == {"train", "test"}


def test_a_name_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"cannot be loaded \(.*\); check the name, the network"):
        load_hub(str(tmp_path / "empty"), cache_dir=str(tmp_path / "cache"))


def test_the_hub_is_asked_for_the_name_and_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked = []

    def load_dataset(name: str, revision: str | None) -> datasets.Dataset:
        asked.append((name, revision))
        return to_dataset(ROWS[:2])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert [record.fields for record in read_rows("hf://owner/name@v1")] == ROWS[:2]
    assert [record.fields for record in read_rows("hf://owner/name", "datasets")] == ROWS[:2]
    assert asked == [("owner/name", "v1"), ("owner/name", None)]


def test_rows_are_pushed_to_a_private_dataset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import datasets

    pushed = []

    def push(dataset: datasets.Dataset, name: str, *, private: bool) -> None:
        if name == "owner/gone":
            raise ConnectionError("no network")
        pushed.append((list(dataset), name, private))

    monkeypatch.setattr(datasets.Dataset, "push_to_hub", push)
    monkeypatch.chdir(tmp_path)
    write_rows(ROWS[:2], "hf://owner/name", "datasets")
    assert pushed == [(ROWS[:2], "owner/name", True)]
    with pytest.raises(FormatError, match=r"owner/gone: cannot be pushed \(ConnectionError: no network\)"):
        write_rows(ROWS[:2], "hf://owner/gone", "datasets")
    assert list(tmp_path.iterdir()) == []


def test_images_are_no_rows() -> None:
    import datasets

    dataset = datasets.Dataset.from_dict({"image": [b"x"], "question": ["x"]})
    with pytest.raises(FormatError, match=r"columns of other types than text, numbers and lists: image \(binary\)"):
        list(from_datasets(dataset))
