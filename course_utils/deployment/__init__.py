"""Notebook 5: merge the adapter, convert the model, serve it and put a gateway before it."""

from course_utils.deployment.stack import (
    Stack,
    running_gateway,
    running_model_server,
    running_stack,
    serve_stack,
)

__all__ = [
    "Stack",
    "running_gateway",
    "running_model_server",
    "running_stack",
    "serve_stack",
]
