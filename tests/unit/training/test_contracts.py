"""Every argument that we pass to TRL, PEFT, Transformers and Unsloth by name is one that the installed version has.

Unsloth cannot be imported without a GPU, so its signatures are read from its source.
"""

import ast
import importlib.util
import inspect
import warnings
from pathlib import Path

import pytest

from course_utils.files import PROJECT
from course_utils.profiles import PROFILES, Profile
from course_utils.training.arguments import training_arguments
from course_utils.training.trainer import CourseTrainer

PACKAGE = PROJECT / "course_utils"
SOURCES = [*sorted((PACKAGE / "training").glob("*.py")), PACKAGE / "models" / "load.py"]
UNSLOTH = importlib.util.find_spec("unsloth")


def keywords(function: str) -> set[str]:
    """The names of the arguments that our code passes to ``function``, as in ``LoraConfig`` or ``a.get_peft_model``."""
    calls = [
        node
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function
    ]
    assert calls, f"nothing calls {function} any more; drop it here"
    return {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("trl", "SFTConfig"),
        ("trl", "DPOConfig"),
        ("trl", "GRPOConfig"),
        ("trl", "GRPOTrainer"),
        ("peft", "LoraConfig"),
        ("peft", "IA3Config"),
        ("peft", "get_peft_model"),
        ("transformers", "BitsAndBytesConfig"),
    ],
)
def test_the_installed_version_takes_what_we_pass(module: str, name: str) -> None:
    taken = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    by_name = {key for key, parameter in taken.items() if parameter.kind is not parameter.VAR_KEYWORD}
    assert keywords(name) <= by_name


@pytest.mark.parametrize("name", ["SFTConfig", "DPOConfig", "GRPOConfig"])
def test_every_trainer_is_kept_to_one_gpu(name: str) -> None:
    (source,) = (text for path in SOURCES if f"{name}(" in (text := path.read_text("utf-8")))
    function = next(
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and f"{name}(" in ast.unparse(node)
    )
    assert "keep_to_one_gpu(arguments)" in ast.unparse(function)


def test_the_trainer_takes_what_we_pass() -> None:
    assert keywords("CourseTrainer") <= set(inspect.signature(CourseTrainer).parameters)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_no_setting_of_a_profile_is_refused_or_on_its_way_out(profile: Profile, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        warnings.simplefilter("error", FutureWarning)
        training_arguments(profile, 100, tmp_path)


def _unsloth_signature(file: str, name: str, method: str) -> list[str]:
    assert UNSLOTH is not None
    assert UNSLOTH.origin is not None
    tree = ast.parse((Path(UNSLOTH.origin).parent / "models" / file).read_text("utf-8"))
    model = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    function = next(node for node in model.body if isinstance(node, ast.FunctionDef) and node.name == method)
    return [argument.arg for argument in function.args.args]


@pytest.mark.skipif(UNSLOTH is None, reason="unsloth is not installed")
@pytest.mark.parametrize(
    ("file", "name", "method"),
    [
        ("loader.py", "FastLanguageModel", "from_pretrained"),
        ("llama.py", "FastLlamaModel", "get_peft_model"),  # which FastLanguageModel inherits
    ],
)
def test_unsloth_takes_what_we_pass(file: str, name: str, method: str) -> None:
    taken = _unsloth_signature(file, name, method)
    assert keywords(f"FastLanguageModel.{method}") <= set(taken)
    assert method != "from_pretrained" or taken[:2] == ["model_name", "max_seq_length"]
