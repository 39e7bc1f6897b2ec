import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from course_utils.data.scale import spark as module
from course_utils.data.scale.spark import local_spark, map_rows_spark, rows_of
from course_utils.errors import ConfigurationError, MissingExtraError, ServiceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(MissingExtraError, match=r"course-utils\[scale\]"), local_spark():
        pass


def test_without_java_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_java", lambda: False)
    with pytest.raises(ConfigurationError, match="Java"), local_spark():
        pass


def test_what_java_says_is_in_the_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A Java that complains and leaves, as one that is too old does."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'this Java is too old' >&2\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ServiceError, match="this Java is too old"), local_spark():
        pass
    assert "too old" not in capfd.readouterr().err


def test_missing_values_are_none_and_whole_numbers_stay_whole() -> None:
    batch = pd.DataFrame({"text": ["a", None], "n": [3.0, float("nan")], "yes": [None, True], "x": [0.5, 1.5]})
    assert rows_of(batch, whole=["n"]) == [
        {"text": "a", "n": 3, "yes": None, "x": 0.5},
        {"text": None, "n": None, "yes": True, "x": 1.5},
    ]
    assert type(rows_of(batch, whole=["n"])[0]["n"]) is int


def repeat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = [({"text": f"{row['text']} {row['n']!r} {row['yes']!r}", "n": row["n"]}, row["number"]) for row in rows]
    return [row for row, number in made for _ in range(number % 3)]


@pytest.mark.slow
def test_a_function_makes_any_number_of_rows(spark: "SparkSession") -> None:
    rows = [
        {"number": i, "text": None if i % 4 == 0 else f"é{i}", "n": i if i % 2 else None, "yes": i == 5}
        for i in range(50)
    ]
    dataframe = spark.createDataFrame(rows, "number bigint, text string, n int, yes boolean")
    mapped = map_rows_spark(dataframe, repeat, "text string, n int").collect()
    expected = repeat(rows)
    assert sorted(map(repr, (row.asDict() for row in mapped))) == sorted(map(repr, expected))
