"""Read and write datasets in the layouts and files that others use."""

from course_utils.data.formats.record import Record, to_record
from course_utils.data.formats.row_files import read_dataset, read_rows, read_sample, write_rows

__all__ = ["Record", "read_dataset", "read_rows", "read_sample", "to_record", "write_rows"]
