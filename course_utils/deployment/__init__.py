"""Notebook 5 and ``course serve``: merge the adapter, convert the model, and serve it behind a gateway."""

from course_utils.deployment.convert import convert_adapter, convert_to_gguf, convert_to_onnx, merge_adapter
from course_utils.deployment.ollama import write_modelfile
from course_utils.deployment.parity import equal_replies, plot_frontier
from course_utils.deployment.query_checks import check_and_run, sql_grammar
from course_utils.deployment.stack import context_length, start_gateway, start_model_server, start_stack

__all__ = ["check_and_run", "context_length", "convert_adapter", "convert_to_gguf", "convert_to_onnx"]
__all__ += ["equal_replies", "merge_adapter", "plot_frontier", "sql_grammar", "start_gateway"]
__all__ += ["start_model_server", "start_stack", "write_modelfile"]
