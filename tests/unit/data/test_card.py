"""The data card says what the files hold."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from course_utils.files import PROJECT, read_jsonl
from tools.dataset.domains import read_domains
from tools.dataset.shapes import SHAPES

DATA = PROJECT / "data"
CARD = (DATA / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["train.jsonl", "validation.jsonl", "test.jsonl", "preferences.jsonl"])
def test_row_counts(name: str) -> None:
    assert f"| `{name}` | {len(read_jsonl(DATA / name)):,} |" in CARD


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_written_rows(split: str) -> None:
    n_written = sum("written" in row["source"] for row in read_jsonl(DATA / f"{split}.jsonl"))
    assert re.search(rf"`{split}.jsonl`.*; {n_written:,} written one by one", CARD)


@pytest.mark.parametrize("name", ["second", "third"])
def test_later_rounds(name: str) -> None:
    source = {"second": "written:2", "third": "written:3"}[name]
    rows = Counter(row["db_id"] for row in read_jsonl(DATA / "train.jsonl") if row["source"] == source)
    (n,) = set(rows.values())
    assert f"{name} round of {rows.total():,}, {n} a database" in " ".join(CARD.split())


def test_databases_and_shapes() -> None:
    domains = read_domains(DATA / "databases")
    assert f"about {len(domains)} SQLite databases" in CARD
    roles = Counter(domain.role for domain in domains)
    assert f"about the {roles['train'] + roles['written']} training databases" in CARD
    assert f"is about {roles['written']} databases that have no other questions" in CARD
    n_tables = [len(domain.tables) for domain in domains]
    assert f"{min(n_tables)} to {max(n_tables)} tables" in CARD
    n_phrasings = min(len(set(shape.questions)) for shape in SHAPES)
    assert (f"{len(SHAPES)} query shapes with at least five phrasings each" in CARD, n_phrasings) == (True, 5)


def test_the_sample() -> None:
    sample = json.loads((DATA / "samples" / "smoke.json").read_text("utf-8"))
    sizes = " / ".join(f"{len(sample[split]):,}" for split in ("train", "validation", "test"))
    assert f"| `samples/smoke.json` | {sizes} |" in CARD


def test_the_other_folders() -> None:
    assert f"| `probes.json` | {len(json.loads((DATA / 'probes.json').read_text('utf-8')))} |" in CARD
    for folder in ("written", "tickets"):
        n_rows = sum(len(read_jsonl(path)) for path in Path(DATA / folder).glob("*.jsonl"))
        assert re.search(rf"`{folder}/[^|]*\| {n_rows:,} \|", CARD)


def test_preferences_have_as_many_reasons_as_the_card_says() -> None:
    reasons = [row["reason"] for row in read_jsonl(DATA / "preferences.jsonl")]
    assert f"{len(set(reasons))} reasons for rejection, {min(map(reasons.count, set(reasons)))} pairs each" in CARD
