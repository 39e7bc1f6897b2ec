"""Notebook 5: merge the adapter, convert the model, serve it and put a gateway before it.

The commands: ``python -m course_utils.deployment.serve`` (the whole stack for a finished course),
``python -m course_utils.deployment.model_server`` and ``python -m course_utils.deployment.gateway``.
"""

from course_utils.deployment.convert import GgufDescription, convert_to_gguf, describe_gguf
from course_utils.deployment.merge import merge_adapter
from course_utils.deployment.ollama import write_modelfile
from course_utils.deployment.parity import Parity, answer_in_transformers, answer_over_http
from course_utils.deployment.query_checks import CheckedQuery, check_and_run
from course_utils.deployment.stack import (
    Stack,
    context_length,
    running_gateway,
    running_model_server,
    running_stack,
    serve_stack,
)

__all__ = [
    "CheckedQuery",
    "GgufDescription",
    "Parity",
    "Stack",
    "answer_in_transformers",
    "answer_over_http",
    "check_and_run",
    "context_length",
    "convert_to_gguf",
    "describe_gguf",
    "merge_adapter",
    "running_gateway",
    "running_model_server",
    "running_stack",
    "serve_stack",
    "write_modelfile",
]
