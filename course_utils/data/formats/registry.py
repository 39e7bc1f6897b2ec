"""Every format by name, and the one way to read and write rows in any of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from course_utils.data.formats.arrow_files import read_parquet, write_parquet
from course_utils.data.formats.conversation import Shape, View, answer_query, ask_question, to_fields, to_row
from course_utils.data.formats.csv_files import read_csv, write_csv
from course_utils.data.formats.hugging_face import HUB, is_saved, read_datasets, write_datasets
from course_utils.data.formats.json_files import read_json, write_json
from course_utils.data.formats.record import Misfit, Record, Row, misfit
from course_utils.data.formats.shapes import ALPACA, COMPLETION, OPENAI, SHAREGPT, TEXT_COMPLETION
from course_utils.data.formats.source import is_folder, open_file
from course_utils.data.formats.spider import read_array, read_dataset, write_array
from course_utils.errors import ConfigurationError

PathLike = Path | str


@dataclass(frozen=True)
class Format:
    """A format: how it is recognised, read and written."""

    name: str
    holds: str
    """What a row looks like, for people."""
    detect: Callable[[PathLike, Row], bool]
    """Whether a file is of this format, from its path and its first row's fields (empty if not JSON)."""
    read: Callable[[PathLike], Iterator[Record]]
    write: Callable[[Iterable[Row], PathLike, View], None] | None
    """None where one file cannot hold it: ``write_spider`` writes folders."""


def _conversations(name: str, holds: str, shape: Shape, detect: Callable[[Row], bool]) -> Format:
    """A format of JSON files whose rows are conversations."""

    def read(path: PathLike) -> Iterator[Record]:
        for record in read_json(Path(path)):
            try:
                yield record if record.fault else replace(record, fields=to_row(record.fields, shape))
            except Misfit as error:
                yield replace(record, fields={}, fault=str(error), check="schema")

    def write(rows: Iterable[Row], path: PathLike, view: View) -> None:
        write_json(Path(path), rows, partial(to_fields, shape=shape, view=view))

    return Format(name, holds, lambda _, fields: detect(fields), read, write)


def _plain(
    name: str,
    holds: str,
    detect: Callable[[PathLike, Row], bool],
    read: Callable[[Path], Iterator[Record]],
    write: Callable[[Path, Iterable[Row]], None] | None,
) -> Format:
    """A format whose rows are the fields as they are."""
    writer = None if write is None else lambda rows, path, _: write(Path(path), rows)
    return Format(name, holds, detect, lambda path: read(Path(path)), writer)


def _has(*endings: str) -> Callable[[PathLike, Row], bool]:
    return lambda path, _: Path(path).suffix.lower() in endings


_ALL = (
    Format(
        "datasets",
        "a Hugging Face dataset: a folder of save_to_disk, or hf://owner/name",
        lambda path, _: str(path).startswith(HUB) or (is_folder(Path(path)) and is_saved(Path(path))),
        read_datasets,
        lambda rows, path, _: write_datasets(path, rows),
    ),
    _plain(
        "folder",
        "a dataset's folder, the course's own, Spider's or BIRD's",
        lambda path, _: is_folder(Path(path)),
        lambda path: iter(read_dataset(path)),
        None,
    ),
    _plain("csv", "one row a line under a header", _has(".csv"), read_csv, write_csv),
    _plain("parquet", "columns of one type", _has(".parquet"), read_parquet, write_parquet),
    _conversations("openai", '{"messages": [...]}', OPENAI, lambda fields: "messages" in fields),
    _conversations("sharegpt", '{"conversations": [...]}', SHAREGPT, lambda fields: "conversations" in fields),
    _conversations(
        "prompt-completion",
        '{"prompt": [messages], "completion": [message]}; text is read as well',
        COMPLETION,
        lambda fields: {"prompt", "completion"} <= set(fields) and isinstance(fields["prompt"], list),
    ),
    _conversations(
        "prompt-completion-text",
        '{"prompt": "...", "completion": "..."}',
        TEXT_COMPLETION,
        lambda fields: {"prompt", "completion"} <= set(fields),
    ),
    _conversations(
        "alpaca",
        '{"instruction", "input", "output"}',
        ALPACA,
        lambda fields: {"instruction", "output"} <= set(fields),
    ),
    _plain("spider", "a JSON array of rows, Spider's or BIRD's", _has(".json"), read_array, write_array),
    _plain("jsonl", "the course's own: one row a line, as it is", _has(".jsonl", ".ndjson"), read_json, write_json),
)
FORMATS = {format_.name: format_ for format_ in _ALL}
"""By name, in the order in which ``detect_format`` asks them."""
_JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
_N_LOOKED_AT = 20


def detect_format(path: PathLike) -> str:
    """The name of a file's or folder's format, from its ending and, of JSON, the fields of its first sound row.

    Raises:
        FormatError: The file is missing or no text, or its ending is none that the course knows.
    """
    fields: Row = {}
    if not str(path).startswith(HUB):
        path = Path(path)
        if path.suffix.lower() in _JSON_ENDINGS and not is_folder(path):
            first = islice(read_json(path), _N_LOOKED_AT)
            fields = next((record.fields for record in first if not record.fault), {})
        elif not is_folder(path):
            open_file(path).close()
    found = next((name for name, format_ in FORMATS.items() if format_.detect(path, fields)), None)
    if found is None:
        raise misfit(Path(path), f"its format is unknown; name one: {', '.join(FORMATS)}")
    return found


def iter_rows(path: PathLike, format: str | None = None) -> Iterator[Record]:
    """Rows of a file one by one, so that a file may be larger than the memory (``.json`` arrays excepted).

    Args:
        path: A file, a folder or ``hf://owner/name``.
        format: One of ``FORMATS``; found out without it.

    Returns:
        Records: each with a row's fields, or with the fault why it has none.

    Raises:
        FormatError: The file as a whole cannot be read.
        ConfigurationError: There is no such format.
    """
    return _format(format or detect_format(path)).read(path)


def read_rows(path: PathLike, format: str | None = None) -> list[Record]:
    """Every row of a file; otherwise as ``iter_rows``.

    Raises:
        FormatError: The file as a whole cannot be read.
        ConfigurationError: There is no such format.
    """
    return list(iter_rows(path, format))


def write_rows(
    rows: Iterable[Row],
    path: PathLike,
    format: str,
    *,
    to_messages: Callable[[Row], list[dict[str, str]]] = ask_question,
    to_target: Callable[[Row], str] = answer_query,
) -> None:
    """Write rows so that ``read_rows`` gives them back; the file is written whole or not at all.

    Args:
        rows: Text, numbers, true, false, None, lists and objects of them.
        path: Its folder is made if needed; a JSON format is an array if it ends in ``.json``.
        format: One of ``FORMATS``.
        to_messages: What a row asks, for formats that hold conversations; a task's function fits.
        to_target: What the answer is, likewise.

    Raises:
        FormatError: Rows do not fit or there are none, lists them; or the file cannot be written.
        ConfigurationError: There is no such format, or it is a folder's (see ``write_spider``).
    """
    write = _format(format).write
    if write is None:
        raise ConfigurationError(f"{format} is no format of one file; call write_spider")
    write(rows, path, View(to_messages, to_target))


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise ConfigurationError(f"{name!r} is no format; choose one of {', '.join(FORMATS)}")
    return FORMATS[name]
