"""The checks of rows, duplicates and leaks on Spark, with the findings that one machine gives for the same rows.

Each row is checked by itself where it lies. Then Spark brings together the rows that share a question or a query with
another, and only these come to the driver, where the same functions judge them.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.data.finding import Finding
from course_utils.data.scale.spark import map_rows_spark
from course_utils.data.validation.duplicates import find_duplicates
from course_utils.data.validation.leakage import leaking_rows, skeleton_notes
from course_utils.data.validation.near import THRESHOLD
from course_utils.data.validation.results import count_largest
from course_utils.data.validation.row_checks import QUERY_CHECKS, ROW_CHECKS, RowChecks, finding_of, row_findings
from course_utils.data.validation.signature import Signature
from course_utils.data.validation.spark_pairs import near_pairs_spark, signature_of, signatures_spark
from course_utils.data.validation.texts import TEXT_CHECKS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FINDING = "check string, severity string, split string, number bigint, place string, reason string, fix string"


def validate_spark(
    dataframe: "DataFrame",
    databases: Mapping[str, Path],
    checks: Collection[str] = ROW_CHECKS,
    threshold: float = THRESHOLD,
) -> list[Finding]:
    """Check rows by themselves, then those that run against each other.

    Args:
        dataframe: Rows with ``split``, ``number``, ``place``, ``db_id``, ``question`` and ``query``; optional fields
            as everywhere.
        databases: The SQLite file of each ``db_id``, where the executors find it.
        checks: Which checks of a row to run, from ``ROW_CHECKS``.
        threshold: Jaccard similarity of near-duplicates.

    Returns:
        Findings of the checks of one row, of duplicates and of leaks. Repeated ids, contradictions, label balance,
        diversity and lengths need ``validate_rows``.

    Raises:
        ConfigurationError: The threshold is no similarity.
    """
    # Queries are run whatever is wanted: rows that do not run are not compared.
    using = RowChecks(databases, count_largest(databases), frozenset((*checks, *QUERY_CHECKS)))
    check = partial(row_findings, using=using)
    rows = dataframe.persist()
    by_row = map_rows_spark(rows, check, FINDING).persist()
    try:
        # As on one machine: a text that should not be there is no reason not to look for its likes.
        bad = by_row.where("severity = 'error'").where(~by_row["check"].isin(*TEXT_CHECKS)).select("split", "number")
        sound = rows.join(bad, ["split", "number"], "left_anti")
        wanted = by_row.where(by_row["check"].isin(*checks))
        findings = [finding_of(row.asDict()) for row in wanted.toLocalIterator()]
        return [*findings, *compare_rows_spark(sound, threshold)]
    finally:
        by_row.unpersist()
        rows.unpersist()


def compare_rows_spark(dataframe: "DataFrame", threshold: float = THRESHOLD) -> list[Finding]:
    """What ``find_duplicates`` and ``find_leaks`` find in the same rows.

    Raises:
        ConfigurationError: The threshold is no similarity.
    """
    signatures = signatures_spark(dataframe).persist()
    try:
        pairs = near_pairs_spark(signatures, threshold)
        rows = _related(signatures)
        findings = [*find_duplicates(rows, pairs), *leaking_rows(rows, pairs)]
        return [*findings, *skeleton_notes(_count_skeletons(signatures))]
    finally:
        signatures.unpersist()


def _related(signatures: "DataFrame") -> list[Signature]:
    """Rows that share what exact duplicates and leaks share."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    asked = Window.partitionBy("db_id", "question")
    several = f.count("*").over(asked) > 1
    for keys in (("question", "query"), ("db_id", "query")):
        shared = Window.partitionBy(*keys)
        several = several | (f.min("split").over(shared) != f.max("split").over(shared))
    related = signatures.where("question <> ''").withColumn("several", several).where("several").drop("several")
    return [signature_of(row.asDict()) for row in related.toLocalIterator()]


def _count_skeletons(signatures: "DataFrame") -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for row in signatures.where("question <> ''").groupBy("split", "skeleton").count().toLocalIterator():
        counts.setdefault(row["split"], Counter())[row["skeleton"]] = row["count"]
    return counts
