"""Check a dataset: what is wrong, where, how bad it is and what to do."""

from course_utils.data.finding import CHECKS, SEVERITIES, Finding, Severity
from course_utils.data.validation.examples import EXAMPLE_CHECKS, validate_examples
from course_utils.data.validation.repair import Repair, repair_dataset
from course_utils.data.validation.report import Rejected, ValidationReport
from course_utils.data.validation.row_checks import ROW_CHECKS, RowChecks, check_rows
from course_utils.data.validation.settings import Settings
from course_utils.data.validation.spark_checks import validate_spark
from course_utils.data.validation.validate import GATE, validate_dataset, validate_rows

__all__ = [
    "CHECKS",
    "EXAMPLE_CHECKS",
    "GATE",
    "ROW_CHECKS",
    "SEVERITIES",
    "Finding",
    "Rejected",
    "Repair",
    "RowChecks",
    "Settings",
    "Severity",
    "ValidationReport",
    "check_rows",
    "repair_dataset",
    "validate_dataset",
    "validate_examples",
    "validate_rows",
    "validate_spark",
]
