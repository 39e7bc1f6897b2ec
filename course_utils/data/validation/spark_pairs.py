"""Near-duplicates on Spark: the same keys and the same exact comparison, with the rows brought together by a join.

Where one machine sorts each band's keys, Spark groups by them. Which rows of a bucket are compared is the rule of
``bucket_pairs``, so that the pairs are the same.
"""

from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from course_utils.data.scale.spark import Row, map_rows_spark, rows_of
from course_utils.data.validation.minhash import band_keys, choose_bands, jaccard
from course_utils.data.validation.near import N_LEADERS, SMALL_BUCKET, THRESHOLD, NearPair, block_of
from course_utils.data.validation.signature import SPLIT_ORDER, Signature, sign_rows

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import Column, DataFrame

SIGNATURE = (
    "split string, number bigint, place string, db_id string, question string, query string, skeleton string, "
    "answerable boolean"
)
_NAMES = [field.name for field in fields(Signature)]


def signatures_spark(dataframe: "DataFrame") -> "DataFrame":
    """A row's signature each.

    Args:
        dataframe: Rows with ``split``, ``number``, ``place``, ``db_id``, ``question`` and ``query``, and ``answerable``
            if there are such rows.
    """
    return map_rows_spark(dataframe, _signature_rows, SIGNATURE)


def _signature_rows(rows: list[Row]) -> list[Row]:
    return [asdict(signature) for signature in sign_rows(rows)]


def signature_of(row: Row) -> Signature:
    """A signature from its row."""
    return Signature(**{name: row[name] for name in _NAMES})


def near_pairs_spark(signatures: "DataFrame", threshold: float = THRESHOLD) -> list[NearPair]:
    """What ``near_pairs`` finds in the same rows, in the same order.

    Raises:
        ConfigurationError: The threshold is no similarity.
    """
    from pyspark.sql import functions as f

    choose_bands(threshold)  # raises here rather than in an executor
    rows = _distinct(signatures)
    keyed = _keyed(rows, threshold)
    sides = [
        rows.select(f.struct("split_order", "split", "number").alias(side), f.struct(*_NAMES).alias(f"{side}_row"))
        for side in ("later", "earlier")
    ]
    pairs = _bucket_pairs(keyed).distinct().join(sides[0], "later").join(sides[1], "earlier")
    alike = pairs.where(
        (f.col("later_row.db_id") == f.col("earlier_row.db_id"))
        & (f.col("later_row.query") == f.col("earlier_row.query"))
        & (f.col("later_row.question") != f.col("earlier_row.question"))
    ).select("later_row", "earlier_row")
    found = [
        NearPair(signature_of(later.asDict()), signature_of(earlier.asDict()), value)
        for later, earlier in alike.toLocalIterator()
        if (value := jaccard(later["question"], earlier["question"])) >= threshold
    ]
    return sorted(found, key=lambda pair: (pair.later.order, pair.earlier.order))


def split_order(split: "Column") -> "Column":
    """The first part of ``Signature.order``."""
    from pyspark.sql import functions as f

    known = f.lit(len(SPLIT_ORDER))
    for place, name in enumerate(SPLIT_ORDER):
        known = f.when(split == name, f.lit(place)).otherwise(known)
    return known


def _distinct(signatures: "DataFrame") -> "DataFrame":
    """``distinct_rows`` on Spark."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    same = Window.partitionBy("split", "db_id", "question", "query").orderBy("number")
    ranked = signatures.where(f.col("question") != "").withColumn("rank", f.row_number().over(same))
    return ranked.where("rank = 1").drop("rank").withColumn("split_order", split_order(f.col("split")))


def _keyed(rows: "DataFrame", threshold: float) -> "DataFrame":
    """A row each of (band, key, id), where the id sorts as ``Signature.order`` does."""
    from pyspark.sql import functions as f

    def add_keys(batches: Iterator["pd.DataFrame"]) -> Iterator["pd.DataFrame"]:
        for batch in batches:
            row_signatures = [signature_of(row) for row in rows_of(batch)]
            texts, blocks = [row.question for row in row_signatures], [block_of(row) for row in row_signatures]
            keys = band_keys(texts, blocks, threshold).tolist()
            yield batch[["split_order", "split", "number"]].assign(keys=keys)

    schema = "split_order int, split string, number bigint, keys array<bigint>"
    mapped = rows.mapInPandas(add_keys, schema)
    return mapped.select(
        f.struct("split_order", "split", "number").alias("id"), f.posexplode("keys").alias("band", "key")
    )


def _bucket_pairs(keyed: "DataFrame") -> "DataFrame":
    """``bucket_pairs`` on Spark: ids as ``later`` and ``earlier``."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    bucket = Window.partitionBy("band", "key")
    ordered = bucket.orderBy("id")
    ranked = (
        keyed.withColumn("size", f.count("*").over(bucket))
        .where("size > 1")
        .withColumn("rank", f.row_number().over(ordered))
        .withColumn("predecessor", f.lag("id").over(ordered))
    )
    small, large = ranked.where(f.col("size") <= SMALL_BUCKET), ranked.where(f.col("size") > SMALL_BUCKET)
    chained = large.where(f.col("rank") > N_LEADERS + 1).select(
        f.col("id").alias("later"), f.col("predecessor").alias("earlier")
    )
    return _joined(small, small).union(_joined(large, large.where(f.col("rank") <= N_LEADERS))).union(chained)


def _joined(later: "DataFrame", earlier: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f

    first = earlier.select("band", "key", f.col("rank").alias("first_rank"), f.col("id").alias("earlier"))
    pairs = later.join(first, ["band", "key"]).where(f.col("first_rank") < f.col("rank"))
    return pairs.select(f.col("id").alias("later"), "earlier")
