"""Write rows so that reading gives them back."""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from pathlib import Path

from course_utils.artifacts import Row, write_json, write_jsonl, writing
from course_utils.data.formats import columns
from course_utils.data.formats.layouts import LAYOUTS, to_fields
from course_utils.data.formats.reading import ENDINGS, read_rows
from course_utils.data.formats.record import Record, RowError, file_error
from course_utils.errors import ConfigurationError, FormatError
from course_utils.finding import listed
from course_utils.tasks import Task

QUESTION_ALONE = Task(lambda row: [{"role": "user", "content": row["question"]}], itemgetter("query"), str.strip)
_WRITERS: dict[str, Callable[[Path, Sequence[Row]], object]] = dict.fromkeys((".jsonl", ".ndjson"), write_jsonl)
_WRITERS |= {".json": write_json, ".csv": columns.write_csv, ".parquet": columns.write_parquet}


def write_rows(rows: Iterable[Row], path: Path, layout: str = "rows", task: Task = QUESTION_ALONE) -> Path:
    """Write rows so that ``read_rows`` gives them back, which is tried; the file is written whole or not at all.

    Rows hold text, numbers, true, false, None, lists and objects of them; a None comes back as a missing field. The
    path ends in .jsonl, .json, .csv or .parquet. The layout is ``rows`` as they are, or conversations of what the task
    asks and answers: ``openai``, ``sharegpt``, ``alpaca``, ``prompt-completion``.

    Raises:
        FormatError: Rows do not fit, lists them; or the file cannot be written.
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
            faults.append(f"row {number}: {error} is missing; give the task, which says what to show")
        except RowError as error:
            faults.append(f"row {number}: {error}")
    _refuse(path, faults)
    try:
        with writing(path) as unfinished:
            _WRITERS[path.suffix.lower()](unfinished, shown)
            _refuse(path, _differences(rows, read_rows(unfinished)))
    except OSError as error:
        raise file_error(path, f"cannot be written ({error.strerror or error}); choose another place") from error
    except (OverflowError, RuntimeError, TypeError, ValueError) as error:  # of json, csv and pyarrow
        raise file_error(path, f"no such file holds these rows ({error}); choose .jsonl and values of JSON") from error
    except FormatError as error:  # what does not read back names the unfinished file
        raise FormatError(str(error).replace(unfinished.name, path.name)) from error
    return path


def _differences(rows: Sequence[Row], records: Sequence[Record]) -> list[str]:
    """What would not come back as it is, row by row."""
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
