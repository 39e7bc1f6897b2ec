"""Read and write datasets in the layouts and files that others use."""

from course_utils.data.formats.hugging_face import from_datasets, load_hub, to_dataset, to_dataset_dict
from course_utils.data.formats.record import Record, Row, normalise, shown
from course_utils.data.formats.registry import FORMATS, Format, detect_format, iter_rows, read_rows, write_rows
from course_utils.data.formats.spider import read_dataset
from course_utils.data.formats.spider_folder import write_spider

__all__ = [
    "FORMATS",
    "Format",
    "Record",
    "Row",
    "detect_format",
    "from_datasets",
    "iter_rows",
    "load_hub",
    "normalise",
    "read_dataset",
    "read_rows",
    "shown",
    "to_dataset",
    "to_dataset_dict",
    "write_rows",
    "write_spider",
]
