"""Map a pure function over many rows, on several processes of one machine or on a Spark cluster; knows no checks."""

from course_utils.data.scale.parallel import map_rows
from course_utils.data.scale.spark import has_java, local_spark, map_rows_spark

__all__ = ["has_java", "local_spark", "map_rows", "map_rows_spark"]
