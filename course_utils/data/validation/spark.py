"""Map the checks of single rows on Spark: on this machine, or on a cluster that ``SPARK_MASTER`` names.

Rows of one database and query travel together, so each query runs once; what the executors find comes back to this
process, where the checks that compare rows are the same for every engine. On a cluster the executors need this package,
and the databases at the paths that this process has.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from course_utils.data.formats.record import Record
from course_utils.errors import ConfigurationError, MissingExtraError, ServiceError
from course_utils.finding import Finding

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def map_batches(
    batches: Sequence[list[Record]], check: Callable[[list[Record]], list[Finding]], n_cores: int = 2
) -> list[Finding]:
    """What a function finds in each batch, in their order.

    Args:
        batches: A batch is one task.
        check: Pure, and one that pickles.
        n_cores: Cores to use on this machine.

    Raises:
        MissingExtraError: pyspark is not installed.
        ConfigurationError: There is no Java.
        ServiceError: Spark does not start.
    """
    with spark_session(n_cores) as session:
        tasks = session.sparkContext.parallelize(batches, max(1, len(batches)))
        return list(tasks.flatMap(check).collect())


@contextmanager
def spark_session(n_cores: int = 2) -> Iterator["SparkSession"]:
    """A Spark session without its web page; stopped at the end.

    Args:
        n_cores: Cores to use on this machine; a cluster has its own settings.

    Raises:
        MissingExtraError: pyspark is not installed.
        ConfigurationError: There is no Java.
        ServiceError: Spark does not start; the message has Java's own.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError("pyspark", "scale") from error
    if not has_java():
        raise ConfigurationError("Spark needs Java 17 or 21 and there is none; install it, or use the local engine")
    # Else Spark's workers are the "python3" of the path, which may lack the packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("course").master(os.environ.get("SPARK_MASTER", f"local[{n_cores}]"))
    settings: dict[str, Any] = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    if "SPARK_MASTER" not in os.environ:
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    session = _start(builder.config(map=settings))
    try:
        yield session
    finally:
        session.stop()


def _start(builder: Any) -> "SparkSession":
    """Start Java with its messages in a file: it greets with a page of warnings that mean nothing here."""
    with tempfile.TemporaryFile() as messages:
        shown = os.dup(2)
        os.dup2(messages.fileno(), 2)
        try:
            session: SparkSession = builder.getOrCreate()
            session.sparkContext.setLogLevel("ERROR")
        except Exception as error:
            messages.seek(0)
            said = messages.read().decode("utf-8", "replace").strip()[-1000:]
            raise ServiceError(f"Spark does not start ({error}); Java said: {said or 'nothing'}") from error
        finally:
            os.dup2(shown, 2)
            os.close(shown)
    return session


def has_java() -> bool:
    """Whether Spark finds a Java to run on."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=os.path.join(home, "bin") if home else None) is not None  # noqa: PTH118
