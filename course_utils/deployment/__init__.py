"""Notebook 5: merge the adapter, convert the model, serve it and put a gateway before it.

The commands: ``python -m course_utils.deployment.serve`` (the whole stack for a finished course),
``python -m course_utils.deployment.model_server`` and ``python -m course_utils.deployment.gateway``.
"""

from course_utils.deployment.convert import GgufDescription, convert_to_gguf, describe_gguf
from course_utils.deployment.merge import merge_adapter
from course_utils.deployment.ollama import write_modelfile
from course_utils.deployment.parity import Parity, ask_greedily, compare_engines
from course_utils.deployment.stack import (
    Stack,
    running_gateway,
    running_model_server,
    running_stack,
    serve_stack,
)

__all__ = [
    "GgufDescription",
    "Parity",
    "Stack",
    "ask_greedily",
    "compare_engines",
    "convert_to_gguf",
    "describe_gguf",
    "merge_adapter",
    "running_gateway",
    "running_model_server",
    "running_stack",
    "serve_stack",
    "write_modelfile",
]
