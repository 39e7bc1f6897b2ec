"""The Unsloth path, as far as a machine without a GPU can check it: by reading Unsloth's source."""

import ast
import importlib.util
from pathlib import Path

import pytest

UNSLOTH = importlib.util.find_spec("unsloth")


def _parameters(method: str) -> list[str]:
    assert UNSLOTH is not None
    assert UNSLOTH.origin is not None
    tree = ast.parse((Path(UNSLOTH.origin).parent / "models" / "loader.py").read_text("utf-8"))
    model = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "FastLanguageModel")
    function = next(node for node in model.body if isinstance(node, ast.FunctionDef) and node.name == method)
    return [argument.arg for argument in function.args.args]


@pytest.mark.skipif(UNSLOTH is None, reason='unsloth is not installed: pip install "course-utils[gpu]"')
def test_unsloth_takes_the_arguments_that_we_give() -> None:
    parameters = _parameters("from_pretrained")
    assert parameters.index("model_name") == 0
    assert parameters.index("max_seq_length") == 1
    assert "load_in_4bit" in parameters
