"""Read and write rows in files and datasets: a file's ending gives its format, the field names give its layout.

A dataset is a folder in the layout of the course, of Spider's release or of BIRD's. Rows are read unchecked;
``validation`` checks them.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from random import Random

from course_utils.data.formats import columns
from course_utils.data.formats.layouts import LAYOUTS, to_fields, to_row
from course_utils.data.formats.record import Record, RowError, file_error, read_json_rows, to_raw
from course_utils.errors import ConfigurationError, DataError, FormatError
from course_utils.files import Row, portable, read_json, write_json, write_jsonl, writing
from course_utils.finding import listed
from course_utils.sql.query_forms import canonical
from course_utils.tasks import Task

VALIDATION_SHARE = 0.1
MAX_VALIDATION_ROWS = 200
_READERS = dict.fromkeys((".jsonl", ".json", ".ndjson"), read_json_rows)
_READERS |= {".csv": columns.read_csv, ".parquet": columns.read_parquet}
_WRITERS: dict[str, Callable[[Path, Sequence[Row]], object]] = dict.fromkeys((".jsonl", ".ndjson"), write_jsonl)
_WRITERS |= {".json": write_json, ".csv": columns.write_csv, ".parquet": columns.write_parquet}
ENDINGS = "its ending is unknown; choose .jsonl, .json, .csv or .parquet"
QUESTION_ALONE = Task(lambda row: [{"role": "user", "content": row["question"]}], itemgetter("query"), str.strip)


def read_rows(path: Path) -> list[Record]:
    """Read every row of a JSON, JSON Lines, CSV or Parquet file in any known layout; a bad row has a ``fault``.

    Raises:
        FormatError: The file as a whole cannot be read, or has no rows.
    """
    if path.suffix.lower() not in _READERS:
        raise file_error(path, ENDINGS)
    records = []
    for record in _READERS[path.suffix.lower()](path):
        try:
            records.append(replace(record, fields=to_row(record.fields)))
        except RowError as error:
            records.append(replace(record, fields={}, fault=str(error), raw=to_raw(record.fields)))
    if not records:
        raise file_error(path, "the file has no rows; add rows or remove it")
    return records


def write_rows(rows: Iterable[Row], path: Path, layout: str = "rows", task: Task = QUESTION_ALONE) -> Path:
    """Write rows and read them back to prove that nothing changed; the file is written whole or not at all.

    Values are text, numbers, booleans, None, and lists and objects of these; a None comes back as a missing field. The
    path ends in .jsonl, .ndjson, .json, .csv or .parquet. ``layout`` is ``rows`` for the rows as they are, or for
    conversations of the task's prompt and answer ``openai``, ``sharegpt``, ``alpaca`` or ``prompt-completion``.

    Raises:
        FormatError: Rows do not fit, which are listed, or the file cannot be written.
        ConfigurationError: There is no such layout.
    """
    if layout != "rows" and layout not in LAYOUTS:
        raise ConfigurationError(f"{layout!r} is no layout; choose one of rows, {', '.join(LAYOUTS)}")
    if path.suffix.lower() not in _WRITERS:
        raise file_error(path, ENDINGS)
    rows, shown, faults = list(rows), [], []
    for number, row in enumerate(rows, 1):
        try:
            shown.append(row if layout == "rows" else to_fields(row, LAYOUTS[layout], task))
        except KeyError as error:
            faults.append(f"row {number}: {error} is missing; give the task that makes prompts of such rows")
        except RowError as error:
            faults.append(f"row {number}: {error}")
    _refuse(path, faults)
    try:
        with writing(path) as unfinished:
            _WRITERS[path.suffix.lower()](unfinished, shown)
            _refuse(path, _differences(rows, read_rows(unfinished)))
    except OSError as error:
        raise file_error(path, f"cannot be written ({error.strerror or error}); choose another place") from error
    except (OverflowError, RuntimeError, TypeError, ValueError) as error:  # from json, csv and pyarrow
        raise file_error(path, f"this format cannot hold the rows ({error}); choose .jsonl and JSON values") from error
    except FormatError as error:  # from reading back, which names the unfinished file
        raise FormatError(str(error).replace(unfinished.name, path.name)) from error
    return path


def _differences(rows: Sequence[Row], records: Sequence[Record]) -> list[str]:
    """One line for each row whose ``record``, read from the file, is not the same, and why."""
    if len(records) != len(rows):
        return [f"{len(records)} of {len(rows)} rows would come back; choose .jsonl"]
    found = []
    for number, (row, record) in enumerate(zip(rows, records, strict=True), 1):
        given, read = columns.without_none(row), columns.without_none(record.fields)
        if changed := sorted(name for name in given.keys() | read.keys() if given.get(name) != read.get(name)):
            why = record.fault or f"{', '.join(changed)} would come back changed; choose .jsonl or another layout"
            found.append(f"row {number}: {why}")
    return found


def _refuse(path: Path, faults: Sequence[str]) -> None:
    if faults:
        raise file_error(path, listed(f"{len(faults)} rows do not fit", faults))


def _named(*names: str) -> list[tuple[str, ...]]:
    """Layouts of a single file, which has one of these names and any ending that is read."""
    return [(name + ending,) for name in names for ending in _READERS]


TRAIN_FILES = [("train.jsonl",), ("train_spider.json", "train_others.json"), *_named("train"), ("train/train.json",)]
VALIDATION_FILES = _named("validation", "valid", "val")
DEV_FILES = [*_named("dev"), ("dev*/dev.json",)]
TEST_FILES = _named("test")


def read_dataset(folder: Path) -> list[Record]:
    """Read every row of a dataset, each with its split: train, validation or test.

    If the folder has files of several layouts, the first layout in ``TRAIN_FILES`` and the like counts. A dev file is
    the validation split if there is a test file but no validation file; without a test file it is the test split.
    Without any validation rows, a tenth of the training rows is held back; rows with the same query or question stay
    together.

    Raises:
        DataError: The folder, its training file or its test file is missing, or a file as a whole is not readable.
    """
    try:
        list(folder.iterdir())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{portable(folder)}: no dataset folder that can be read ({reason}); check DATA") from error
    layouts = (TRAIN_FILES, VALIDATION_FILES, DEV_FILES, TEST_FILES)
    train, validation, dev, test = (_find(folder, names) for names in layouts)
    if not train:
        raise DataError(f"{portable(folder)}: no training file; add train.jsonl, .json, .csv or .parquet")
    if not test:
        test, dev = dev, []
    if not test:
        raise DataError(f"{portable(folder)}: no file to test on; add test.jsonl or Spider's dev.json")
    training, held_back = _read_split("train", train), _read_split("validation", validation or dev)
    return [*(training if held_back else _hold_back(training)), *held_back, *_read_split("test", test)]


def read_sample(folder: Path, name: str) -> dict[str, list[str]]:
    """The row ids by split in a dataset's ``samples/<name>.json``, which fit a small model; empty without that file.

    Raises:
        DataError: The file is not an object of lists.
    """
    path = folder / "samples" / f"{name}.json"
    try:
        return {split: [*dict.fromkeys(map(str, ids))] for split, ids in read_json(path).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{portable(path)}: not an object of lists of ids ({error}); write the sample again") from error


def _find(folder: Path, layouts: list[tuple[str, ...]]) -> list[Path]:
    """The files of the first layout that the folder has. A broken link counts, so that reading it names it."""
    for names in layouts:
        candidates = [path for name in names for path in (folder / name, *sorted(folder.glob(name)))]
        if found := [path for path in dict.fromkeys(candidates) if os.path.lexists(path)]:
            return found
    return []


def _read_split(split: str, paths: list[Path]) -> list[Record]:
    records: list[Record] = []
    for path in paths:
        for record in read_rows(path):
            number = record.line if path.suffix == ".jsonl" else len(records) + 1
            records.append(replace(record, split=split, number=number))
    return records


def _hold_back(training: list[Record]) -> list[Record]:
    """Turn a random tenth of the training rows, at most ``MAX_VALIDATION_ROWS``, into validation rows; seed 0.

    Whole groups move: rows belong to one group if they share a question or a canonical query, directly or through other
    rows. A group that would exceed the number stays; if every group would, the smallest moves.
    """
    from scipy.cluster.hierarchy import DisjointSet

    readable = [(str(each.fields.get("query")), each.key) for each in training if not each.fault]
    linked, first = DisjointSet(key for _, key in readable), dict[str, tuple[str, str]]()
    for query, key in readable:
        linked.merge(key, first.setdefault(canonical(query), key))
    n_rows = Counter(key for _, key in readable)
    groups = [(sum(map(n_rows.__getitem__, group)), group) for group in sorted(linked.subsets(), key=min)]
    Random(0).shuffle(groups)
    left = min(MAX_VALIDATION_ROWS, max(1, round(len(training) * VALIDATION_SHARE)), len(readable) - 1)
    held: set[tuple[str, str]] = set()
    for n, group in groups:
        if n <= left:
            held, left = held | group, left - n
    if not held and len(groups) > 1:
        held = min(groups, key=itemgetter(0))[1]
    return [replace(each, split="validation") if not each.fault and each.key in held else each for each in training]
