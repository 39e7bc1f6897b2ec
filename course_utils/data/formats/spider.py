"""Find a dataset's files and read their rows, whichever release they come from.

Known layouts: the course's own (``train.jsonl``, ``validation.jsonl``, ``test.jsonl``), Spider's release
(``train_spider.json``, ``train_others.json``, ``dev.json``, ``test.json``) and BIRD's (``train/train.json``,
``dev.json``, with "SQL" for "query"). Rows are read as they are; ``checks.py`` judges them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from course_utils.artifacts import PROJECT
from course_utils.errors import DataError

TRAIN_FILES = (("train.jsonl",), ("train_spider.json", "train_others.json"), ("train.json",), ("train/train.json",))
VALIDATION_FILES = (("validation.jsonl",), ("validation.json",))
DEV_FILES = (("dev.jsonl",), ("dev.json",), ("dev/dev.json",))
TEST_FILES = (("test.jsonl",), ("test.json",))
VALIDATION_SHARE = 0.1
MAX_VALIDATION_ROWS = 200


@dataclass(frozen=True)
class Record:
    """One row as its file holds it; ``fault`` says why ``fields`` could not be read."""

    path: Path
    line: int
    fields: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    split: str = ""
    number: int = 0
    """Which row of its split it is: the line, or in a JSON array the position."""

    @property
    def place(self) -> str:
        """``data/train.jsonl:17``, from the project where the file lies in it."""
        row = "" if self.path.suffix == ".jsonl" else f" (row {self.number})"
        return f"{shown(self.path)}:{self.line}{row}"

    @property
    def key(self) -> tuple[str, str]:
        """What makes two rows the same question: the database and the words, whatever case and punctuation."""
        return str(self.fields.get("db_id")), normalise(str(self.fields.get("question")))


def shown(path: Path) -> str:
    """A path to show to people: from the project where it lies in it."""
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


def normalise(question: str) -> str:
    """A question without case, punctuation at its end and repeated spaces."""
    return " ".join(question.casefold().split()).strip(" ?.!")


def read_dataset(folder: Path) -> list[Record]:
    """Every row of a dataset, each with its split: train, validation or test.

    Without a validation file, dev is validation if there is a test file, else dev is the test and a tenth of the
    training rows is held back; rows with the same query or question stay together.

    Raises:
        DataError: The folder, its training file or its test file is missing.
    """
    if not folder.is_dir():
        raise DataError(f"{shown(folder)}: there is no such dataset folder; check DATA")
    train, validation, dev, test = (
        _find(folder, names) for names in (TRAIN_FILES, VALIDATION_FILES, DEV_FILES, TEST_FILES)
    )
    if not train:
        raise DataError(f"{shown(folder)}: no training file; add train.jsonl or Spider's train_spider.json")
    if not test:
        test, dev = dev, []
    if not test:
        raise DataError(f"{shown(folder)}: no file to test on; add test.jsonl or Spider's dev.json")
    training, held_back = _read_split("train", train), _read_split("validation", validation or dev)
    return [*(training if held_back else _hold_back(training)), *held_back, *_read_split("test", test)]


def _find(folder: Path, names: tuple[tuple[str, ...], ...]) -> list[Path]:
    """The files of the first layout that the folder has."""
    for layout in names:
        if found := [folder / name for name in layout if (folder / name).is_file()]:
            return found
    return []


def _read_split(split: str, paths: list[Path]) -> list[Record]:
    records: list[Record] = []
    for path in paths:
        for record in _read(path):
            number = record.line if path.suffix == ".jsonl" else len(records) + 1
            records.append(replace(record, split=split, number=number))
    return records


def _read(path: Path) -> Iterator[Record]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeError as error:
        raise DataError(f"{shown(path)}: not UTF-8 ({error}); save the file as UTF-8") from error
    yield from _read_lines(path, text) if path.suffix == ".jsonl" else _read_array(path, text)


def _read_lines(path: Path, text: str) -> Iterator[Record]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            yield _record(path, line, json.loads(content))
        except json.JSONDecodeError as error:
            yield Record(path, line, fault=f"not JSON ({error.msg} at column {error.colno}); fix the line")


def _read_array(path: Path, text: str) -> Iterator[Record]:
    """Rows of a JSON array with the lines on which they begin; nothing can be read behind broken JSON."""
    decoder, position, line = json.JSONDecoder(), len(text) - len(text.lstrip()), 1
    line += text.count("\n", 0, position)
    if text[position : position + 1] != "[":
        yield Record(path, line, fault="not a JSON array of rows; write [{...}, {...}]")
        return
    while True:
        begin = position + 1
        while text[begin : begin + 1].isspace():
            begin += 1
        line += text.count("\n", position, begin)
        if text[begin : begin + 1] == "]":
            return
        try:
            value, end = decoder.raw_decode(text, begin)
        except json.JSONDecodeError as error:
            yield Record(path, error.lineno, fault=f"not JSON ({error.msg}); fix the file, the rest was not read")
            return
        yield _record(path, line, value)
        while text[end : end + 1].isspace():
            end += 1
        line += text.count("\n", begin, end)
        position = end
        if text[end : end + 1] == "]":
            return
        if text[end : end + 1] != ",":
            yield Record(path, line, fault="not JSON (a comma or ] is missing); fix the file, the rest was not read")
            return


def _record(path: Path, line: int, value: Any) -> Record:
    if not isinstance(value, dict):
        return Record(path, line, fault="not a JSON object; every row needs db_id, question, query")
    fields = dict(value)
    if "SQL" in fields:
        fields.setdefault("query", fields.pop("SQL"))
    if "question_id" in fields:
        fields.setdefault("id", str(fields.pop("question_id")))
    if isinstance(fields.get("evidence"), str) and fields["evidence"].strip():
        fields["question"] = f"{fields.get('question', '')} Evidence: {fields['evidence'].strip()}"
    return Record(path, line, fields)


def _hold_back(training: list[Record]) -> list[Record]:
    """Turn a seeded tenth of the training rows, at most ``MAX_VALIDATION_ROWS``, into validation rows."""
    wanted = min(MAX_VALIDATION_ROWS, max(1, round(len(training) * VALIDATION_SHARE)))
    queries = sorted({str(record.fields.get("query")) for record in training if not record.fault})
    Random(0).shuffle(queries)
    chosen: set[str] = set()
    asked: set[tuple[str, str]] = set()
    for query in queries:
        if len(asked) >= wanted:
            break
        chosen.add(query)
        asked |= {record.key for record in training if str(record.fields.get("query")) == query}

    def is_held(record: Record) -> bool:
        return not record.fault and (str(record.fields.get("query")) in chosen or record.key in asked)

    return [replace(record, split="validation") if is_held(record) else record for record in training]
