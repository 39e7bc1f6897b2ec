"""The adapter: where it sits, how large it is, that it starts at the base model; and which backends there are.

A machine without a GPU can check the Unsloth path only by reading Unsloth's source.
"""

import ast
import importlib.util
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from course_utils.errors import ConfigurationError
from course_utils.profiles import get_profile
from course_utils.training.backends import count_parameters, load_trainable, lora_config

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


CONFIG = LlamaConfig(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    tie_word_embeddings=False,
)


def test_size_follows_the_formula_and_the_head_stays_frozen() -> None:
    from peft import get_peft_model

    profile = get_profile("smoke")
    count = count_parameters(get_peft_model(LlamaForCausalLM(CONFIG), lora_config(profile)))
    shapes = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 48), (32, 48), (48, 32)]
    assert count.trainable == 2 * sum(profile.lora_rank * (a + b) for a, b in shapes)
    assert 0 < count.share < 1


def test_training_starts_at_the_base_model() -> None:
    from peft import get_peft_model

    model, ids = LlamaForCausalLM(CONFIG).eval(), torch.arange(10)[None]
    before = model(ids).logits.detach().clone()
    after = get_peft_model(model, lora_config(get_profile("smoke"))).eval()(ids).logits
    torch.testing.assert_close(before, after)


def test_several_gpus_are_refused_with_what_is_missing() -> None:
    with pytest.raises(ConfigurationError, match=r"several GPUs yet.*accelerate launch.*use gpu_24gb"):
        load_trainable(get_profile("multi_gpu"), "Qwen/none")
