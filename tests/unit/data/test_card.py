"""The data card says what the files hold."""

import json
import re
from pathlib import Path

import pytest

from course_utils.files import PROJECT, read_jsonl

DATA = PROJECT / "data"
CARD = (DATA / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["train.jsonl", "validation.jsonl", "test.jsonl", "preferences.jsonl"])
def test_row_counts(name: str) -> None:
    assert f"| `{name}` | {len(read_jsonl(DATA / name)):,} |" in CARD


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_hand_written_rows(split: str) -> None:
    n_written = sum("written" in row["source"] for row in read_jsonl(DATA / f"{split}.jsonl"))
    assert re.search(rf"`{split}.jsonl`.*; {n_written} written by hand", CARD)


def test_the_sample() -> None:
    sample = json.loads((DATA / "samples" / "smoke.json").read_text("utf-8"))
    sizes = " / ".join(f"{len(sample[split]):,}" for split in ("train", "validation", "test"))
    assert f"| `samples/smoke.json` | {sizes} |" in CARD


def test_the_other_folders() -> None:
    assert f"| `probes.json` | {len(json.loads((DATA / 'probes.json').read_text('utf-8')))} |" in CARD
    for folder in ("written", "tickets"):
        n_rows = sum(len(read_jsonl(path)) for path in Path(DATA / folder).glob("*.jsonl"))
        assert re.search(rf"`{folder}/[^|]*\| {n_rows} \|", CARD)


def test_preferences_have_as_many_reasons_as_the_card_says() -> None:
    reasons = [row["reason"] for row in read_jsonl(DATA / "preferences.jsonl")]
    assert f"{len(set(reasons))} reasons for rejection, {min(map(reasons.count, set(reasons)))} pairs each" in CARD
