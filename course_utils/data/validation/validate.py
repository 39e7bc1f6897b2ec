"""Validate a dataset in files, or rows in memory, and get a report."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.data.finding import CHECKS
from course_utils.data.formats import read_dataset
from course_utils.data.formats.record import Record
from course_utils.data.samples import take_sample
from course_utils.data.validation.passes import run_passes
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.rows import SPLITS, Row, RowsBySplit, row_id
from course_utils.data.validation.settings import Settings
from course_utils.errors import DataError
from course_utils.sql import find_database, list_databases, read_schema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GATE = ("schema", "syntax", "execution", "leak-exact")
"""What no row may fail that a model is trained or tested on; quick enough to run before every training."""


def validate_dataset(
    folder: Path,
    build_in: Path,
    *,
    tokenizers: Sequence["PreTrainedTokenizerBase"] = (),
    max_length: int | None = None,
    sample: str = "",
    num_proc: int = 1,
    checks: Iterable[str] | None = None,
) -> ValidationReport:
    """Read a dataset and check every row of it.

    Args:
        folder: A dataset in one of the layouts that ``read_dataset`` knows; it is not written to.
        build_in: Where databases are built that exist as SQL files only.
        tokenizers: Count each row's length with these; without one, or without ``max_length``, no length is checked.
        max_length: A profile's limit in tokens.
        sample: A profile's ``sample``; where the dataset has it, lengths are counted of its rows alone.
        num_proc: Processes to use.
        checks: Names from ``CHECKS``; all by default. ``GATE`` is what ``prepare_dataset`` insists on.

    Raises:
        DataError: The folder or one of its files is missing, or its sample names rows that are not there. Bad rows do
            not raise; they are in the report.
        ConfigurationError: A check is unknown, or ``num_proc`` is not above 0.
        ModelError: A tokenizer's chat template does not fit.
    """
    settings = Settings(_all_or(checks), tokenizers, max_length, sample, num_proc)
    return validate_records(read_dataset(folder), folder, build_in, settings)


def validate_records(records: Sequence[Record], folder: Path, build_in: Path, settings: Settings) -> ValidationReport:
    """Check rows that were read from a dataset.

    Args:
        records: As ``read_dataset`` returns them.
        folder: Where their databases are.
        build_in: As for ``validate_dataset``.
        settings: What to check.

    Raises:
        DataError: The dataset's sample names rows that are not there.
        ModelError: A tokenizer's chat template does not fit.
    """
    known = list_databases(folder)
    names = {str(record.fields.get("db_id")) for record in records} & known.keys()
    databases = {name: _locate(folder, name, build_in) for name in sorted(names)}
    return _validate(records, databases, settings, _in_sample(records, folder, settings.sample))


def _in_sample(records: Sequence[Record], folder: Path, name: str) -> Sequence[Record]:
    """The records that the dataset's sample names; all where it has no such sample."""
    splits: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for record in records:
        splits[record.split].append({"id": row_id(record), "record": record})
    chosen = take_sample(folder, name, splits) or splits
    return [row["record"] for rows in chosen.values() for row in rows]


def _all_or(checks: Iterable[str] | None) -> tuple[str, ...]:
    return CHECKS if checks is None else tuple(checks)


def validate_rows(
    rows_by_split: RowsBySplit,
    databases: Mapping[str, Path],
    *,
    tokenizers: Sequence["PreTrainedTokenizerBase"] = (),
    max_length: int | None = None,
    num_proc: int = 1,
    checks: Iterable[str] | None = None,
) -> ValidationReport:
    """Check rows that are in memory; row 17 of ``train`` is named ``train.jsonl:17``.

    Args:
        rows_by_split: Rows with db_id, question and query; they are not changed.
        databases: The SQLite file of each db_id.
        tokenizers: As for ``validate_dataset``, and so are the others.
        max_length: A profile's limit in tokens.
        num_proc: Processes to use.
        checks: Names from ``CHECKS``; all by default.

    Raises:
        ConfigurationError: A check is unknown, or ``num_proc`` is not above 0.
        ModelError: A tokenizer's chat template does not fit.
    """
    settings = Settings(_all_or(checks), tokenizers, max_length, num_proc=num_proc)
    records = [
        Record(Path(f"{split}.jsonl"), number, row, split=split, number=number)
        for split, rows in rows_by_split.items()
        for number, row in enumerate(rows, 1)
    ]
    return _validate(records, databases, settings, records)


def _locate(folder: Path, db_id: str, build_in: Path) -> Path | str:
    """The database, or why there is none."""
    try:
        database = find_database(folder, db_id, build_in)
        read_schema(database)
    except DataError as error:
        return str(error)
    return database


def _validate(
    records: Sequence[Record],
    databases: Mapping[str, Path | str],
    settings: Settings,
    measured: Sequence[Record],
) -> ValidationReport:
    began = time.perf_counter()
    findings, skipped = run_passes(records, databases, settings, measured)
    return ValidationReport(records, findings, skipped, time.perf_counter() - began)
