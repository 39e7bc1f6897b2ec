"""The written tickets hold to their own guidelines: closed sets, counts, splits, no duplicates, nobody's data."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from course_utils.tasks import LABELS, PRIORITIES, parse_triage, ticket_triage

FOLDER = Path(__file__).resolve().parents[3] / "data" / "tickets"
COUNTS = {"train": 610, "validation": 85, "test": 160}
MAX_JACCARD = 0.5


def read(split: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def splits() -> dict[str, list[dict[str, str]]]:
    return {split: read(split) for split in COUNTS}


@pytest.fixture(scope="module")
def tickets(splits: dict[str, list[dict[str, str]]]) -> list[dict[str, str]]:
    return [row for rows in splits.values() for row in rows]


def word_trigrams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + 3]) for start in range(max(1, len(words) - 2))}


def test_counts_and_fields(splits: dict[str, list[dict[str, str]]], tickets: list[dict[str, str]]) -> None:
    assert {split: len(rows) for split, rows in splits.items()} == COUNTS
    assert {tuple(row) for row in tickets} == {("id", "text", "label", "priority")}
    assert all(row["text"] == row["text"].strip() != "" for row in tickets)
    assert len({row["id"] for row in tickets}) == len(tickets)


def test_values_come_from_the_closed_sets_and_no_label_is_rare(tickets: list[dict[str, str]]) -> None:
    labels = Counter(row["label"] for row in tickets)
    assert set(labels) == set(LABELS)
    assert min(labels.values()) / len(tickets) >= 0.04
    assert {row["priority"] for row in tickets} == set(PRIORITIES)


@pytest.mark.parametrize("field", ["label", "priority"])
def test_splits_are_stratified(
    field: str, splits: dict[str, list[dict[str, str]]], tickets: list[dict[str, str]]
) -> None:
    whole = Counter(row[field] for row in tickets)
    for rows in splits.values():
        part = Counter(row[field] for row in rows)
        for name, count in whole.items():
            assert part[name] == pytest.approx(count * len(rows) / len(tickets), abs=2.5), name


def test_no_two_tickets_are_near_duplicates(tickets: list[dict[str, str]]) -> None:
    grams = [word_trigrams(row["text"]) for row in tickets]
    near = [
        (tickets[i]["id"], tickets[j]["id"])
        for i, j in combinations(range(len(grams)), 2)
        if len(grams[i] & grams[j]) >= MAX_JACCARD * len(grams[i] | grams[j])
    ]
    assert near == []


def test_lengths_vary_as_in_life(tickets: list[dict[str, str]]) -> None:
    lengths = [len(row["text"].split()) for row in tickets]
    assert 15 <= sum(lengths) / len(lengths) <= 60
    assert sum(length <= 6 for length in lengths) >= 15
    assert sum(length >= 100 for length in lengths) >= 30


def test_addresses_are_invented(tickets: list[dict[str, str]]) -> None:
    text = "\n".join(row["text"] for row in tickets)
    addresses = re.findall(r"[\w.+-]+@[\w-]+\.[\w.-]*\w", text)
    assert len(addresses) > 10
    assert {address.rpartition("@")[2] for address in addresses} == {"example.com"}
    assert all(host.endswith("example.com") for host in re.findall(r"https?://([\w.-]+)", text))
    assert all(number.startswith("555-01") for number in re.findall(r"\b\d{3}-\d{4}\b", text))


def test_the_guidelines_define_every_label_and_priority() -> None:
    guidelines = (FOLDER / "README.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", guidelines, re.MULTILINE)) == {*LABELS, *PRIORITIES}
    assert all(f"{count} {split}" in guidelines for split, count in COUNTS.items())


def test_every_ticket_reads_back_from_its_target(tickets: list[dict[str, str]]) -> None:
    task = ticket_triage()
    fields = ("label", "priority")
    assert all(parse_triage(task.to_target(row)) == {field: row[field] for field in fields} for row in tickets)
    assert all(parse_triage(task.to_messages(row)[1]["content"]) is None for row in tickets)
