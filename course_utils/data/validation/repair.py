"""Write a cleaned copy of a dataset: safe fixes applied, bad rows set aside with the reason, nothing lost.

A safe fix does not change the meaning: it removes spaces at the ends of texts, repeated spaces and invisible characters
in questions, and semicolons after queries. A row with any other error goes to ``rejected.jsonl``, for people to decide.
"""

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from course_utils.data.encoding import INVISIBLE
from course_utils.data.formats import read_dataset, read_sample
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.rows import clean_question, row_id
from course_utils.data.validation.validate import ValidationOptions, validate_dataset
from course_utils.errors import DataError
from course_utils.files import Row, portable, write_json, write_jsonl, writing
from course_utils.sql import copy_database, is_one_file, list_databases, ready_database
from course_utils.sql.databases import FOLDERS, SCRIPTS, build_database
from course_utils.sql.query_forms import clean_query

REJECTED = "rejected.jsonl"


@dataclass(frozen=True)
class Repair:
    """What ``repair_dataset`` wrote; ``n_read`` is ``n_accepted`` plus ``n_rejected``."""

    folder: str
    n_read: int
    n_accepted: int
    n_rejected: int
    n_fixed: int  # rows that a safe fix changed, whether they were accepted or not

    def __str__(self) -> str:
        return (
            f"{self.n_read:,} rows read, {self.n_accepted:,} accepted ({self.n_fixed:,} rows had spaces, invisible "
            f"characters or semicolons removed), {self.n_rejected:,} rejected, see {self.folder}/{REJECTED}"
        )


def repair_dataset(folder: Path, out: Path, options: ValidationOptions | None = None) -> Repair:
    """Write the rows without errors, samples, preference pairs and databases to a new folder in the course's layout.

    Raises:
        DataError: ``out`` is not empty, one folder lies inside the other, or the dataset cannot be read.
        ModelError: A tokenizer's chat template does not fit.
    """
    source, target = folder.resolve(), out.resolve()
    if target.is_relative_to(source) or source.is_relative_to(target):
        raise DataError(f"{portable(out)}: is inside {portable(folder)} or contains it; choose a folder elsewhere")
    require_empty(out)
    records = read_dataset(folder)
    fixed = [record if record.fault else replace(record, fields=fix_fields(record.fields)) for record in records]
    with tempfile.TemporaryDirectory() as build_in:
        report = validate_dataset(folder, Path(build_in), options, fixed)
    ids = _new_ids(report)
    with writing(target) as unfinished:
        for split in {record.split for record in report.accepted}:  # a file without rows would be refused as empty
            rows = (record.fields for record in report.accepted if record.split == split)
            write_jsonl(unfinished / f"{split}.jsonl", rows)
        write_jsonl(unfinished / REJECTED, (row.to_row() for row in report.rejected))
        for path in sorted(folder.glob("samples/*.json")):
            named = read_sample(folder, path.stem).items()
            left = {split: [ids[split, each] for each in kept if (split, each) in ids] for split, kept in named}
            write_json(unfinished / "samples" / path.name, left)
        pairs = folder / "preferences.jsonl"  # copied unchecked: ``training.read_pairs`` checks them
        if pairs.is_file() and pairs.resolve().is_relative_to(source):
            shutil.copyfile(pairs, unfinished / pairs.name)
        for database in list_databases(folder).values():
            _copy_files(database, unfinished / FOLDERS[0] / database.name, source)
    n_fixed = sum(new.fields != old.fields for new, old in zip(fixed, records, strict=True))
    return Repair(portable(out), len(report.records), len(report.accepted), len(report.rejected), n_fixed)


def require_empty(out: Path) -> None:
    """Raise DataError unless ``out`` is an empty folder or does not exist."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{portable(out)}: there is something already; choose a new folder, or empty this one")


def fix_fields(fields: Row) -> Row:
    """Apply the safe fixes of this module to a row's texts.

    BIRD's evidence gets the fixes of the question, because the question ends with it.
    """

    def one_line(text: str) -> str:
        return clean_question(INVISIBLE.sub("", text))

    fixes = {"question": one_line, "evidence": one_line, "query": clean_query, "db_id": str.strip}
    fixed = {name: fix(fields[name]) for name, fix in fixes.items() if isinstance(fields.get(name), str)}
    return {**fields, **fixed}


def _new_ids(report: ValidationReport) -> dict[tuple[str, str], str]:
    """The id of each accepted row in the copy, by split and old id; without an own id it follows from the new place."""
    ids, counts = {}, Counter[str]()
    for record in report.accepted:
        counts[record.split] += 1
        ids[record.split, row_id(record)] = row_id(replace(record, number=counts[record.split]))
    return ids


def _copy_files(source: Path, target: Path, dataset: Path) -> None:
    """Copy a database's folder. Links that leave the dataset may lead anywhere: of them only the database is copied."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.is_file() and path.resolve().is_relative_to(dataset):
            shutil.copyfile(path, target / path.name)
    database = ready_database(source)
    with suppress(DataError):  # a broken database stays as it was copied
        if database is None and any((source / name).is_file() and not (target / name).is_file() for name in SCRIPTS):
            build_database(source, target / f"{source.name}.sqlite")
        elif database and database.is_file() and not ((target / database.name).is_file() and is_one_file(database)):
            copy_database(database, target / database.name)
