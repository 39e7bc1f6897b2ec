"""The data room: build the course's own dataset, check any dataset, prepare what training and evaluation read."""

from course_utils.data.formats.spider import read_dataset
from course_utils.data.hardness import hardness
from course_utils.data.plots import plot_lengths, plot_rows
from course_utils.data.prepare import Prepared, prepare_dataset
from course_utils.data.tokens.view import LengthReport, TokenView, measure_lengths, token_view
from course_utils.data.validation.finding import CHECKS, Finding
from course_utils.data.validation.report import Rejected, ValidationReport
from course_utils.data.validation.validate import GATE, check_dataset, validate_dataset, validate_rows

__all__ = [
    "CHECKS",
    "GATE",
    "Finding",
    "LengthReport",
    "Prepared",
    "Rejected",
    "TokenView",
    "ValidationReport",
    "check_dataset",
    "hardness",
    "measure_lengths",
    "plot_lengths",
    "plot_rows",
    "prepare_dataset",
    "read_dataset",
    "token_view",
    "validate_dataset",
    "validate_rows",
]
