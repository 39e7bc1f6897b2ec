"""Read and write datasets in the layouts and files that others use."""

from course_utils.data.formats.dataset import read_dataset
from course_utils.data.formats.files import read_rows, write_rows
from course_utils.data.formats.record import Record, normalise, shown

__all__ = ["Record", "normalise", "read_dataset", "read_rows", "shown", "write_rows"]
