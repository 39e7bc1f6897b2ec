"""Map a pure function over the rows of a Spark data frame, a batch at a time, and start Spark on this machine.

On a cluster the executors need this package and the databases at the paths that the driver names. Rows go through
``mapInPandas``, which pyspark 4.3 supports with pandas 3 under a warning; missing values are put right here, because
pandas makes NaN of a missing text and floats of whole numbers with a gap.
"""

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from course_utils.errors import ConfigurationError, MissingExtraError, ServiceError

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

Row = dict[str, Any]
_WHOLE = ("tinyint", "smallint", "int", "bigint")


@contextmanager
def local_spark(n_cores: int = 2) -> Iterator["SparkSession"]:
    """A Spark session on this machine, without its web page; stopped at the end.

    Args:
        n_cores: Cores to use.

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
        raise ConfigurationError(
            "Spark needs Java 17 or 21 and there is none; install it, or use map_rows without Spark"
        )
    # Else Spark's workers are the "python3" of the path, which may lack the packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(f"local[{n_cores}]").appName("course")
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": str(2 * n_cores),
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        session = _start(builder)
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


def map_rows_spark(dataframe: "DataFrame", function: Callable[[list[Row]], Iterable[Row]], schema: str) -> "DataFrame":
    """The rows that a function makes of each batch of rows: none, as many or several.

    Args:
        dataframe: The rows.
        function: Pure, and one that pickles; a missing value is None. What is in one batch is Spark's choice.
        schema: The new rows' columns and types in Spark's words: ``"split string, number long"``.
    """
    whole = frozenset(name for name, kind in dataframe.dtypes if kind in _WHOLE)
    names = [column.split()[0] for column in schema.split(",")]

    def map_batches(batches: Iterator["pd.DataFrame"]) -> Iterator["pd.DataFrame"]:
        import pandas as pd

        for batch in batches:
            made = list(function(rows_of(batch, whole)))
            # As objects: else pandas guesses types anew for every batch.
            yield pd.DataFrame({name: pd.Series([row[name] for row in made], dtype=object) for name in names})

    return dataframe.mapInPandas(map_batches, schema)


def rows_of(batch: "pd.DataFrame", whole: Collection[str] = ()) -> list[Row]:
    """A batch's rows, with None for what is missing and whole numbers in the columns ``whole``."""
    columns = []
    for name in batch:
        missing, values = batch[name].isna().tolist(), batch[name].tolist()
        as_type = int if name in whole else _unchanged
        columns.append([None if gone else as_type(value) for gone, value in zip(missing, values, strict=True)])
    return [dict(zip(batch.columns, values, strict=True)) for values in zip(*columns, strict=True)]


def _unchanged(value: Any) -> Any:
    return value
