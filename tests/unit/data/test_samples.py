"""A dataset's own sample: what it takes, and what is wrong with it."""

import json
from pathlib import Path

import pytest

from course_utils.data.samples import take_sample
from course_utils.errors import DataError

SPLITS = {"train": [{"id": "a"}, {"id": "b"}, {"id": "c"}], "test": [{"id": "d"}]}


def write(folder: Path, sample: object) -> None:
    (folder / "samples").mkdir()
    (folder / "samples" / "small.json").write_text(sample if isinstance(sample, str) else json.dumps(sample))


def test_named_rows_come_in_the_datasets_order(tmp_path: Path) -> None:
    write(tmp_path, {"train": ["c", "a"], "test": ["d"]})
    assert take_sample(tmp_path, "small", SPLITS) == {"train": [{"id": "a"}, {"id": "c"}], "test": [{"id": "d"}]}


@pytest.mark.parametrize("name", ["", "large"])
def test_a_dataset_without_the_sample_leaves_the_choice_to_the_profile(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"train": ["a"], "test": ["d"]})
    assert take_sample(tmp_path, name, SPLITS) is None


def test_unknown_ids_and_missing_splits_are_all_named(tmp_path: Path) -> None:
    write(tmp_path, {"train": ["a", "x"]})
    with pytest.raises(DataError, match=r"small\.json: test is missing; train has no good row x;"):
        take_sample(tmp_path, "small", SPLITS)


@pytest.mark.parametrize("text", ["{", "[]", '{"train": 3, "test": []}'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(DataError, match=r"small\.json: not an object of lists of ids"):
        take_sample(tmp_path, "small", SPLITS)
