"""Map the checks of single rows on Spark: on this machine, or on a cluster that ``SPARK_MASTER`` names.

On a cluster the executors need this package, and the databases at the paths that this process has.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from course_utils.data.formats.record import Record
from course_utils.errors import ServiceError, require
from course_utils.finding import Finding


def map_batches(batches: Sequence[list[Record]], check: Callable[[list[Record]], list[Finding]]) -> list[Finding]:
    """What a pure function that pickles finds in each batch, in their order; a batch is one task.

    Raises:
        MissingExtraError: pyspark is not installed.
        ServiceError: Spark does not start, for lack of Java most often.
    """
    require("scale", "pyspark")
    from pyspark.sql import SparkSession

    # Else Spark's workers are the "python3" of the path, which may lack the packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings: dict[str, Any] = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    if "SPARK_MASTER" not in os.environ:
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.appName("course").master(os.environ.get("SPARK_MASTER", "local[*]"))
    try:
        session: SparkSession = builder.config(map=settings).getOrCreate()
    except Exception as error:  # Spark raises whatever its gateway to Java does
        remedy = "install Java 17 or 21, which it needs, or use the local engine"
        raise ServiceError(f"Spark does not start ({error}); Java's own message stands above; {remedy}") from error
    session.sparkContext.setLogLevel("ERROR")
    try:
        return list(session.sparkContext.parallelize(batches, max(1, len(batches))).flatMap(check).collect())
    finally:
        session.stop()
