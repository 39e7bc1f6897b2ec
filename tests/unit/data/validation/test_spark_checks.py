from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from course_utils.data.validation.near import SMALL_BUCKET, near_pairs
from course_utils.data.validation.row_checks import ROW_CHECKS
from course_utils.data.validation.signature import sign_rows
from course_utils.data.validation.spark_checks import validate_spark
from course_utils.data.validation.spark_pairs import near_pairs_spark, signatures_spark
from course_utils.data.validation.validate import validate_rows
from course_utils.errors import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Row = dict[str, Any]
SCHEMA = (
    "split string, number bigint, place string, id string, db_id string, question string, query string, "
    "answerable boolean, empty boolean"
)
NOT_ON_SPARK = {"contradiction", "label-balance", "diversity", "length"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture(scope="module")
def dataframe(spark: "SparkSession", placed: list[Row]) -> "DataFrame":
    return spark.createDataFrame(placed, SCHEMA).repartition(3)


@pytest.mark.parametrize("threshold", [0.8, 0.6])
def test_pairs_are_those_of_one_machine(dataframe: "DataFrame", placed: list[Row], threshold: float) -> None:
    expected = near_pairs(sign_rows(placed), threshold)
    per_row = Counter(pair.earlier.number for pair in expected)
    assert max(per_row.values()) > SMALL_BUCKET  # the rows that are all alike are a large bucket
    assert near_pairs_spark(signatures_spark(dataframe), threshold) == expected


def test_findings_are_those_of_one_machine(
    dataframe: "DataFrame", splits: dict[str, list[Row]], databases: dict[str, Path]
) -> None:
    expected = [f for f in validate_rows(splits, databases).findings if f.check not in NOT_ON_SPARK]
    found = validate_spark(dataframe, databases)
    assert {finding.check for finding in expected} >= {
        "schema",
        "syntax",
        "exact-duplicate",
        "near-duplicate",
        "leak-exact",
        "leak-near",
        "leak-skeleton",
    }
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_checks_that_are_not_wanted_still_keep_broken_rows_from_being_compared(
    dataframe: "DataFrame", databases: dict[str, Path]
) -> None:
    everything, chosen = validate_spark(dataframe, databases), validate_spark(dataframe, databases, ["encoding"])
    assert [finding for finding in everything if finding.check not in ROW_CHECKS] == chosen


def test_what_is_no_similarity_is_refused(dataframe: "DataFrame") -> None:
    with pytest.raises(ConfigurationError, match="threshold"):
        near_pairs_spark(signatures_spark(dataframe), 80)
