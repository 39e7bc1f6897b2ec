"""Sizes of models, against Transformers, PEFT and the counts that their cards publish."""

import json
from pathlib import Path

import pytest
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from transformers import AutoModelForCausalLM, LlamaConfig, PretrainedConfig, Qwen3Config

from course_utils.artifacts import PROJECT
from course_utils.errors import ModelError
from course_utils.models.shapes import LLAMA_2_7B, SHAPES, find_shape, read_shape
from course_utils.profiles import PROFILES

SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
}
CONFIGS = [
    LlamaConfig(**SIZES, tie_word_embeddings=True),
    LlamaConfig(**SIZES, tie_word_embeddings=False),
    Qwen3Config(**SIZES, head_dim=32, tie_word_embeddings=True),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["llama-tied", "llama", "qwen3"])
def test_parameters_and_adapter_are_what_the_libraries_count(config: PretrainedConfig, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path)
    shape = read_shape(tmp_path)
    model = AutoModelForCausalLM.from_config(config)
    assert shape.n_parameters == sum(parameter.numel() for parameter in model.parameters())
    adapted = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear"))
    assert shape.n_adapter_parameters(8) == adapted.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 134_515_008),
        ("unsloth/Qwen3-0.6B", 596_049_920),
        ("unsloth/Qwen3-4B-Instruct-2507", 4_022_468_096),
        ("unsloth/Meta-Llama-3.1-8B-Instruct", 8_030_261_248),
        ("Qwen/Qwen3-8B", 8_190_735_360),
    ],
)
def test_the_table_gives_the_published_numbers_of_parameters(model: str, published: int) -> None:
    assert SHAPES[model].n_parameters == published


def test_llama_2_7b_has_its_published_number_of_parameters() -> None:
    assert LLAMA_2_7B.n_parameters == 6_738_415_616


def test_every_profiles_base_model_is_known() -> None:
    assert all(find_shape(profile.base_model) for profile in PROFILES.values())


def test_the_tiny_base_has_the_parameters_of_its_file() -> None:
    with safe_open(PROJECT / "data" / "tiny_base" / "model.safetensors", "pt") as file:
        stored = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    n_stored = sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in stored)
    shape = find_shape("data/tiny_base")
    assert shape is not None
    assert shape.n_parameters == n_stored


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        (json.dumps({"hidden_size": 8}), "'num_attention_heads' is missing"),
    ],
)
def test_a_config_that_does_not_say_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        read_shape(tmp_path)
