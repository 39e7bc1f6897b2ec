"""Map the checks of single rows on Spark: on this machine, or on a cluster that ``SPARK_MASTER`` names.

On a cluster the executors need this package, and the databases at the paths that this process has.
"""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

from course_utils.data.formats.record import Record
from course_utils.errors import ConfigurationError, ServiceError, require
from course_utils.finding import Finding


def map_batches(batches: Sequence[list[Record]], check: Callable[[list[Record]], list[Finding]]) -> list[Finding]:
    """What a pure function that pickles finds in each batch, in their order; a batch is one task.

    Raises:
        MissingExtraError: pyspark is not installed.
        ConfigurationError: There is no Java.
        ServiceError: Spark does not start.
    """
    require("scale", "pyspark")
    from pyspark.sql import SparkSession

    if not has_java():
        raise ConfigurationError("Spark needs Java 17 or 21 and there is none; install it, or use the local engine")
    # Else Spark's workers are the "python3" of the path, which may lack the packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings: dict[str, Any] = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    if "SPARK_MASTER" not in os.environ:
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.appName("course").master(os.environ.get("SPARK_MASTER", "local[*]"))
    try:
        session: SparkSession = builder.config(map=settings).getOrCreate()
    except Exception as error:  # Spark raises whatever its gateway to Java does
        raise ServiceError(f"Spark does not start ({error}); Java's own message stands above") from error
    session.sparkContext.setLogLevel("ERROR")
    try:
        return list(session.sparkContext.parallelize(batches, max(1, len(batches))).flatMap(check).collect())
    finally:
        session.stop()


def has_java() -> bool:
    """Whether Spark finds a Java to run on."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=os.path.join(home, "bin") if home else None) is not None  # noqa: PTH118
