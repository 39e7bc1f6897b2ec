"""Which model to start from: what the model cards say, and what one measures on one's own data."""

from course_utils.data.bases.compare import BaseTable, compare_bases
from course_utils.data.bases.facts import BASES, Base
from course_utils.data.bases.measure import BaseMeasurement, measure_base

__all__ = ["BASES", "Base", "BaseMeasurement", "BaseTable", "compare_bases", "measure_base"]
