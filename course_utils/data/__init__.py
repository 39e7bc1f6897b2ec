"""The data stage: read, check and prepare any dataset, anonymise it, and show its rows as a model reads them."""

from course_utils.data.corrupt import mutants
from course_utils.data.dataset_plots import plot_gains, plot_query_parts, plot_rows
from course_utils.data.formats import read_dataset, read_rows, write_rows
from course_utils.data.inject import inject_defects
from course_utils.data.prepare import prepare_dataset
from course_utils.data.privacy.anonymise import Pseudonyms, anonymise_rows, recheck
from course_utils.data.tokens.display import render_templates, token_view
from course_utils.data.tokens.findings import template_findings
from course_utils.data.validation.validate import ValidationOptions, validate_dataset, validate_rows

__all__ = ["Pseudonyms", "ValidationOptions", "anonymise_rows", "inject_defects", "mutants", "plot_gains"]
__all__ += ["plot_query_parts", "plot_rows", "prepare_dataset", "read_dataset", "read_rows", "recheck"]
__all__ += ["render_templates", "template_findings", "token_view", "validate_dataset", "validate_rows"]
__all__ += ["write_rows"]
