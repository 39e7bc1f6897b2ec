"""Datasets as folders, whichever release they come from: find their files, read their rows, write them.

Known layouts: the course's own (``train.jsonl``, ``validation.jsonl``, ``test.jsonl``), Spider's release
(``train_spider.json``, ``train_others.json``, ``dev.json``, ``test.json``) and BIRD's (``train/train.json``,
``dev.json``, with "SQL" for "query"). Rows are read as they are; ``validation`` judges them.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from course_utils.data.formats.json_files import read_json, write_json
from course_utils.data.formats.record import Misfit, Record, Row, normalise, shown
from course_utils.errors import DataError

__all__ = ["Record", "normalise", "read_array", "read_dataset", "shown", "write_array"]

TRAIN_FILES = (("train.jsonl",), ("train_spider.json", "train_others.json"), ("train.json",), ("train/train.json",))
VALIDATION_FILES = (("validation.jsonl",), ("validation.json",))
DEV_FILES = (("dev.jsonl",), ("dev.json",), ("dev/dev.json",))
TEST_FILES = (("test.jsonl",), ("test.json",))
VALIDATION_SHARE = 0.1
MAX_VALIDATION_ROWS = 200


def read_dataset(folder: Path) -> list[Record]:
    """Every row of a dataset, each with its split: train, validation or test.

    Without a validation file, dev is validation if there is a test file, else dev is the test and a tenth of the
    training rows is held back; rows with the same query or question stay together.

    Raises:
        DataError: The folder, its training file or its test file is missing, or a file as a whole is not readable.
    """
    try:
        list(folder.iterdir())
    except PermissionError as error:
        raise DataError(f"{shown(folder)}: not readable (permission denied); change its permissions") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{shown(folder)}: there is no such dataset folder; check DATA") from error
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
        if found := [folder / name for name in layout if os.path.lexists(folder / name)]:
            return found
    return []


def _read_split(split: str, paths: list[Path]) -> list[Record]:
    records: list[Record] = []
    for path in paths:
        before = len(records)
        for record in read_array(path):
            number = record.line if path.suffix == ".jsonl" else before + record.number
            records.append(replace(record, split=split, number=number))
    return records


def read_array(path: Path) -> Iterator[Record]:
    """Rows of one of Spider's or BIRD's files, with the names of the fields that the course uses.

    Raises:
        FormatError: The file as a whole cannot be read.
    """
    for record in read_json(path):
        yield record if record.fault else replace(record, fields=to_course_names(record.fields))


def write_array(path: Path, rows: Iterable[Row]) -> None:
    """Write rows to a JSON array, as Spider's files are.

    Raises:
        FormatError: Rows do not fit or there are none; lists them.
    """
    write_json(path, rows, _as_it_comes_back)


def _as_it_comes_back(row: Row) -> Row:
    if to_course_names(row) != row:
        raise Misfit("SQL, question_id and evidence are BIRD's and read otherwise; give rows as read_dataset does")
    return row


def to_course_names(row: Row) -> Row:
    """A row with BIRD's "SQL" as "query" and "question_id" as "id", and its evidence told with the question."""
    fields = dict(row)
    if "SQL" in fields and "query" not in fields:
        fields["query"] = fields.pop("SQL")
    if "question_id" in fields and "id" not in fields:
        fields["id"] = str(fields.pop("question_id"))
    evidence = fields.get("evidence")
    if isinstance(evidence, str) and evidence.strip():
        addition = f" Evidence: {evidence.strip()}"
        question = str(fields.get("question", ""))
        # A row that was read and written before tells it already.
        fields["question"] = question if question.endswith(addition) else question + addition
    return fields


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
