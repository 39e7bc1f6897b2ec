"""Prepare the files that later stages read: checked rows selected for the profile, schemas and databases."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from course_utils.artifacts import Course
from course_utils.data.formats import read_sample
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.validate import GATE, ValidationOptions, validate_dataset
from course_utils.errors import DataError
from course_utils.files import DIFFICULTIES, SPLITS, Row, link_file, portable, write_json, write_jsonl
from course_utils.sql import copy_database, find_database, is_one_file, read_schema

_SEED = 0  # not the profile's seed, so that runs with different seeds train on the same rows


@dataclass(frozen=True)
class Prepared:
    """The data stage's output. Each row has ``seen``: whether a training row is about the same database."""

    train: list[Row] = field(repr=False)
    validation: list[Row] = field(repr=False)
    test: list[Row] = field(repr=False)
    schemas: dict[str, str] = field(repr=False)

    @property
    def splits(self) -> dict[str, list[Row]]:
        """The rows by split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def results(self) -> dict[str, int]:
        """The counts for the manifest."""
        counts = {f"n_{split}": len(rows) for split, rows in self.splits.items()}
        return {**counts, "n_test_unseen": sum(not row["seen"] for row in self.test)}


def prepare_dataset(course: Course, folder: Path, report: ValidationReport | None = None) -> Prepared:
    """Check the course's dataset, select the profile's rows and write them to the stage's ``folder``.

    ``report`` saves the check if ``validate_dataset`` has run already; only errors of the checks in ``GATE`` count.

    Raises:
        DataError: A file is missing, rows are bad, or the profile leaves a split without rows.
    """
    report = report or validate_dataset(course.data, folder / "databases", ValidationOptions(GATE))
    report = report.only(GATE)
    report.raise_if_bad()
    splits = select_rows(report.splits, course)
    if empty := [split for split in SPLITS if not splits[split]]:
        counts = ", ".join(f"{len(rows):,} {split}" for split, rows in report.splits.items())
        kept = ", ".join(course.profile.difficulties or DIFFICULTIES)
        raise DataError(
            f"{portable(course.data)}: no row is left for {', '.join(empty)} of the {counts} good rows; profile "
            f"{course.profile.name!r} keeps its sample or the difficulties {kept}; add such rows or change PROFILE"
        )
    schemas = _gather_databases(course.data, folder / "databases", splits)
    prepared = Prepared(**splits, schemas=schemas)
    for split, rows in prepared.splits.items():
        write_jsonl(folder / f"{split}.jsonl", rows)
    write_json(folder / "schemas.json", schemas)
    return prepared


def select_rows(splits: dict[str, list[Row]], course: Course) -> dict[str, list[Row]]:
    """The rows that the profile uses, in their order, each with ``seen``.

    If the dataset has a sample named after the profile, its rows are used, otherwise the rows of the profile's
    difficulties; difficulties that Spider does not have, such as BIRD's, are always kept. Training and test rows are
    sampled down to the profile's limits. If any id occurs twice, every id gets its split as prefix: ``test-0``.

    Raises:
        DataError: The dataset's sample names rows that are missing or bad.
    """
    profile = course.profile
    keep = set(profile.difficulties or DIFFICULTIES)
    left = _named_rows(splits, course) or {
        split: [row for row in rows if row["difficulty"] in keep or row["difficulty"] not in DIFFICULTIES]
        for split, rows in splits.items()
    }
    train = _sample(left["train"], profile.max_train_rows)
    trained = {row["db_id"] for row in train}
    kept = (left | {"train": train}).items()
    ids = [row["id"] for rows in splits.values() for row in rows]
    prefix = {split: f"{split}-" if len(ids) > len({*ids}) else "" for split in splits}
    marked = {
        split: [{**row, "id": prefix[split] + row["id"], "seen": row["db_id"] in trained} for row in rows]
        for split, rows in kept
    }
    return {**marked, "test": _balanced_sample(marked["test"], profile.max_test_rows)}


def _named_rows(splits: dict[str, list[Row]], course: Course) -> dict[str, list[Row]]:
    """The rows by split that the dataset's sample names; empty if it has no sample for the profile."""
    sample = read_sample(course.data, course.profile.name)
    named = {(split, row_id) for split, ids in sample.items() for row_id in ids}
    good = {(split, row["id"]) for split, rows in splits.items() for row in rows}
    if unknown := sorted(f"{row_id} of {split}" for split, row_id in named - good):
        raise DataError(
            f"{portable(course.data)}: sample {course.profile.name!r} names rows that are missing or bad: "
            f"{', '.join(unknown[:5])}{' ...' * (len(unknown) > 5)}; correct these rows, or delete the sample's file, "
            "and rows are chosen by difficulty"
        )
    return {split: [row for row in rows if (split, row["id"]) in named] for split, rows in splits.items() if sample}


def _sample(rows: list[Row], limit: int | None) -> list[Row]:
    if limit is None or len(rows) <= limit:
        return rows
    return [rows[i] for i in sorted(Random(_SEED).sample(range(len(rows)), limit))]


def _balanced_sample(rows: list[Row], limit: int | None) -> list[Row]:
    """Up to ``limit`` rows, half about seen and half about unseen databases as far as there are enough of each."""
    if limit is None or len(rows) <= limit:
        return rows
    seen, unseen = [row for row in rows if row["seen"]], [row for row in rows if not row["seen"]]
    n_unseen = max(min(len(unseen), limit // 2), limit - len(seen))
    chosen = {row["id"] for row in (*_sample(unseen, n_unseen), *_sample(seen, limit - n_unseen))}
    return [row for row in rows if row["id"] in chosen]


def _gather_databases(dataset: Path, target: Path, splits: dict[str, list[Row]]) -> dict[str, str]:
    """Put the databases of the rows into ``target``, remove all others there, and return the rendered schemas."""
    wanted = sorted({row["db_id"] for rows in splits.values() for row in rows})
    for built in target.iterdir() if target.is_dir() else ():
        if built.is_dir() and built.name not in wanted:  # files, such as macOS's .DS_Store, stay
            shutil.rmtree(built)
    schemas = {}
    for db_id in wanted:
        database = target / db_id / f"{db_id}.sqlite"
        source = find_database(dataset, db_id, target)
        if source != database:  # ``copy_database`` includes what a write-ahead log holds
            database.parent.mkdir(parents=True, exist_ok=True)
            database.unlink(missing_ok=True)
            (link_file if is_one_file(source) else copy_database)(source, database)
        schemas[db_id] = read_schema(database).render()
    return schemas
