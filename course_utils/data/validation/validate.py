"""Validate a dataset in files, or rows in memory, and return a report.

Each check sees only rows that passed the ones it relies on: queries run only for rows with all fields, and only rows
whose queries run are compared with others, so that a row that fails never makes its correct copy a duplicate.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from course_utils.artifacts import Course
from course_utils.data.formats import Record, read_dataset, read_sample, to_record
from course_utils.data.validation import rows
from course_utils.data.validation.distribution import describe_splits
from course_utils.data.validation.queries import find_contradictions
from course_utils.data.validation.repeats import find_repeats
from course_utils.data.validation.report import ValidationReport
from course_utils.data.validation.rows import CHECKS, RowChecker, find_duplicate_ids, find_too_long, row_id
from course_utils.errors import DataError, ServiceError, require
from course_utils.files import SPLITS, Row
from course_utils.finding import SEVERITIES, Finding
from course_utils.models import load_tokenizer
from course_utils.sql import find_database, folder_name, list_databases, read_schema

GATE = ("schema", "syntax", "execution", "leak-exact")
"""The checks that every row for training or testing must pass; fast enough to run before every training."""
BATCH = 1_000
"""Rows that one call of ``RowChecker`` checks."""


@dataclass(frozen=True)
class ValidationOptions:
    """Which checks ``validate_dataset``, ``validate_rows`` and ``repair_dataset`` run, and how."""

    checks: Sequence[str] = CHECKS
    """Names from ``CHECKS``."""
    course: Course | None = None
    """The course whose tokenizer and ``profile.max_length`` the check of lengths uses; None skips that check. If the
    dataset has a sample for the profile, only the sample's rows are checked for length."""
    engine: Literal["local", "spark"] = "local"
    """Where the checks of single rows run; the checks that compare rows always run in this process."""
    progress: str = ""
    """Label of a progress bar over the batches of the local engine; no bar if empty."""

    def wants(self, *checks: str) -> bool:
        """Whether at least one of these checks is to run."""
        return any(check in self.checks for check in checks)


def validate_dataset(
    folder: Path, build_in: Path, options: ValidationOptions | None = None, records: Sequence[Record] | None = None
) -> ValidationReport:
    """Check every row of a dataset in files; by default with all checks but that of lengths, which needs a course.

    Nothing is written to ``folder``: databases that exist only as SQL files are built in ``build_in``. ``records``
    replaces the rows of the files, for rows that have been read and changed already.

    Raises:
        DataError: The folder or a file is missing or not readable. Bad rows raise nothing: the report has them.
        ModelError: The course's tokenizer cannot be loaded, or its chat template does not fit.
        MissingExtraError: The engine needs a package that is not installed.
    """
    options = options or ValidationOptions()
    records = read_dataset(folder) if records is None else records
    names, known = {str(record.fields.get("db_id")) for record in records}, list_databases(folder)
    databases: dict[str, Path | str] = {}
    for name in sorted(name for name in names if folder_name(name) in known):
        try:
            databases[name] = database = find_database(folder, name, build_in)
            read_schema(database)
        except DataError as error:
            databases[name] = str(error)
    named = read_sample(folder, options.course.profile.name) if options.course else {}
    chosen = {(split, each) for split, ids in named.items() for each in ids}
    sample = [record for record in records if not named or (record.split, row_id(record)) in chosen]
    return _validate(records, databases, options, sample)


def validate_rows(
    rows_by_split: Mapping[str, Sequence[Row]], databases: Mapping[str, Path], options: ValidationOptions | None = None
) -> ValidationReport:
    """Check rows in memory, by split, against the SQLite file of each db_id.

    The report calls row 17 of ``train`` ``train.jsonl:17``.

    Raises:
        ModelError: The course's tokenizer cannot be loaded, or its chat template does not fit.
        MissingExtraError: The engine needs a package that is not installed.
    """
    places = [(split, n, row) for split, of_split in rows_by_split.items() for n, row in enumerate(of_split, 1)]
    read = ((to_record(Path(f"{split}.jsonl"), n, row), split, n) for split, n, row in places)
    records = [replace(record, split=split, number=n) for record, split, n in read]
    return _validate(records, databases, options or ValidationOptions(), records)


def _validate(
    records: Sequence[Record], databases: Mapping[str, Path | str], options: ValidationOptions, sample: Sequence[Record]
) -> ValidationReport:
    findings = _check_rows(records, databases, options)
    findings += find_duplicate_ids(_without(records, findings, "schema"))
    # A row with a bad text still runs, so it is compared with others.
    running = _without(records, findings, *(check for check in CHECKS if check not in rows.TEXT_CHECKS))
    usable = {name: path for name, path in databases.items() if isinstance(path, Path)}
    schemas = {name: read_schema(path) for name, path in usable.items()}
    if options.wants("contradiction"):
        findings += find_contradictions(running, usable)
    if options.wants(*rows.REPEAT_CHECKS):
        findings += find_repeats(running)
    if options.wants(*rows.SPLIT_CHECKS):
        findings += describe_splits(running, schemas)
    if options.wants("length") and (course := options.course):
        rendered = {name: schema.render() for name, schema in schemas.items()}
        whole = _without(sample, findings, "schema")
        findings += find_too_long(whole, rendered, load_tokenizer(course.model), course.profile.max_length)
    places = {name: place for place, name in enumerate((*SPLITS, *SEVERITIES, *CHECKS))}
    # In the order of the rows, and for each row the worst finding first.
    findings.sort(key=lambda f: (places.get(f.split, len(SPLITS)), f.number, places[f.severity], places[f.check]))
    return ValidationReport(records, findings).only(options.checks)


def _check_rows(
    records: Sequence[Record], databases: Mapping[str, Path | str], options: ValidationOptions
) -> list[Finding]:
    """Findings of the checks that need one row alone."""
    from tqdm.auto import tqdm

    # The checks that compare rows must know which queries run.
    runs = options.wants(*rows.QUERY_CHECKS, *rows.REPEAT_CHECKS, "contradiction", *rows.SPLIT_CHECKS)
    check = RowChecker(databases, reads_texts=options.wants(*rows.TEXT_CHECKS), runs_queries=runs)
    # Rows with the same query come into the same batch, so that the query runs once.
    ordered = sorted(records, key=lambda record: (str(record.fields.get("db_id")), str(record.fields.get("query"))))
    batches = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
    if options.engine == "spark":
        return map_on_spark(batches, check)
    bar = tqdm(batches, options.progress, unit="batch", disable=not options.progress, leave=False)
    return [finding for batch in bar for finding in check(batch)]


def map_on_spark(batches: Sequence[list[Record]], check: Callable[[list[Record]], list[Finding]]) -> list[Finding]:
    """Apply ``check``, which must be picklable, to each batch as one Spark task; return all findings in order.

    Spark runs on this machine, or on the cluster that the environment variable ``SPARK_MASTER`` names. Its executors
    need this package, and the databases at the same paths as here.

    Raises:
        MissingExtraError: pyspark is not installed.
        ServiceError: Spark does not start, most often because Java is missing.
    """
    require("scale", "pyspark")
    from pyspark.sql import SparkSession

    # By default Spark's workers run the first "python3" on the PATH, which may lack the packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings: dict[str, Any] = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    if "SPARK_MASTER" not in os.environ:
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.appName("course").master(os.environ.get("SPARK_MASTER", "local[*]"))
    try:
        session: SparkSession = builder.config(map=settings).getOrCreate()
    except Exception as error:  # py4j, the gateway to Java, raises errors of many classes
        remedy = "install Java 17 or 21, which it needs, or use the local engine"
        raise ServiceError(f"Spark does not start ({error}); Java's own message is above; {remedy}") from error
    session.sparkContext.setLogLevel("ERROR")
    try:
        return list(session.sparkContext.parallelize(batches, max(1, len(batches))).flatMap(check).collect())
    finally:
        session.stop()


def _without(records: Sequence[Record], findings: Iterable[Finding], *checks: str) -> list[Record]:
    """The records that could be read and that have no error from these checks."""
    bad = {(found.split, found.number) for found in findings if found.severity == "error" and found.check in checks}
    return [record for record in records if not record.fault and (record.split, record.number) not in bad]
