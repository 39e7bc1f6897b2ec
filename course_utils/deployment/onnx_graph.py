"""A model as a graph for ONNX Runtime, which runs inside programs for Windows, browsers and phones."""

import logging
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from course_utils.artifacts import writing
from course_utils.errors import require
from course_utils.models.hub import explain_failure


def convert_to_onnx(folder: Path, output: Path, precision: Literal["fp32", "int4"]) -> Path:
    """Write a model folder as an ONNX graph for CPUs, with its tokenizer and the settings to generate by.

    Raises:
        MissingExtraError: A package is not installed.
        ModelError: ONNX Runtime's builder does not know the model, or ``output`` cannot be written.
    """
    require("serve", "onnx_ir", "onnxruntime_genai")
    logging.root.addHandler(handler := logging.NullHandler())  # else the import shows what every library logs
    from onnxruntime_genai.models import builder

    logging.root.removeHandler(handler)
    failure = explain_failure(str(folder), "cannot be converted to ONNX", "serve it with llama.cpp or vLLM instead")
    with failure, writing(output) as unfinished, TemporaryDirectory() as cache, redirect_stdout(StringIO()):
        details = builder.get_hf_details("", str(folder), cache, {})
        builder.create_model("", str(folder), str(unfinished), precision, "cpu", cache, hf_details=details)
    return output
