"""The data room: build the course's own dataset, check any dataset, prepare what training and evaluation read."""

from course_utils.data.formats.spider import read_dataset
from course_utils.data.hardness import hardness
from course_utils.data.plots import plot_lengths, plot_rows
from course_utils.data.prepare import Prepared, prepare_dataset
from course_utils.data.tokens.view import LengthReport, TokenView, measure_lengths, token_view
from course_utils.data.validation.checks import Fault, Report, check_dataset

__all__ = [
    "Fault",
    "LengthReport",
    "Prepared",
    "Report",
    "TokenView",
    "check_dataset",
    "hardness",
    "measure_lengths",
    "plot_lengths",
    "plot_rows",
    "prepare_dataset",
    "read_dataset",
    "token_view",
]
