"""Write rows and databases in the course's layout."""

from collections.abc import Iterable
from pathlib import Path

from course_utils.files import write_jsonl

Pair = tuple[str, str]
"""A question and its query."""


def write_splits(folder: Path, pairs: dict[str, Iterable[tuple[str, Pair]]]) -> None:
    """Write ``<split>.jsonl``; each pair stands behind the ``db_id`` that it asks about."""
    for split, asked in pairs.items():
        rows = [{"db_id": db_id, "question": question, "query": query} for db_id, (question, query) in asked]
        write_jsonl(folder / f"{split}.jsonl", rows)


def about(db_id: str, pairs: Iterable[Pair]) -> list[tuple[str, Pair]]:
    """Pairs of one database, as ``write_splits`` takes them."""
    return [(db_id, pair) for pair in pairs]


def read_pairs(text: str) -> list[Pair]:
    """Pairs from lines that are a question and its query in turn."""
    lines = text.strip().split("\n")
    return list(zip(lines[::2], lines[1::2], strict=True))


def write_thirds(folder: Path, asked: list[tuple[str, Pair]]) -> None:
    """Write every third pair to test, each tenth of the others to validation and the rest to train."""
    test = asked[2::3]
    others = [pair for pair in asked if pair not in test]
    validation = others[4::10]
    train = [pair for pair in others if pair not in validation]
    write_splits(folder, {"train": train, "validation": validation, "test": test})
