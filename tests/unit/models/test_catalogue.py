"""Sizes of models, against Transformers, PEFT and the counts that their cards publish."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from safetensors import safe_open
from transformers import Gemma2Config, Gemma3Config, Gemma3TextConfig, LlamaConfig, PretrainedConfig, Qwen3Config

from course_utils.errors import ModelError
from course_utils.files import PROJECT
from course_utils.models.catalogue import LLAMA_2_7B, KnownModel, find_shape, known_models, read_shape
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
    Gemma2Config(**SIZES, head_dim=32),
    Gemma3TextConfig(**SIZES, head_dim=32),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["llama-tied", "llama", "qwen3", "gemma2", "gemma3"])
def test_parameters_and_adapter_are_what_the_libraries_count(config: PretrainedConfig, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config.save_pretrained(tmp_path)
    shape = read_shape(tmp_path)
    model = AutoModelForCausalLM.from_config(config)
    assert shape.n_parameters == sum(parameter.numel() for parameter in model.parameters())
    adapted = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear"))
    assert shape.n_adapter_parameters(8) == adapted.get_nb_trainable_parameters()[0]


def test_a_model_that_also_sees_has_the_shape_of_what_writes(tmp_path: Path) -> None:
    Gemma3Config(text_config=SIZES).save_pretrained(tmp_path / "sees")
    Gemma3TextConfig(**SIZES).save_pretrained(tmp_path / "reads")
    assert read_shape(tmp_path / "sees") == read_shape(tmp_path / "reads")


PUBLISHED = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "HuggingFaceTB/SmolLM2-360M-Instruct": 361_821_120,
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": 1_711_376_384,
    "Qwen/Qwen3-0.6B": 596_049_920,
    "Qwen/Qwen3-1.7B": 1_720_574_976,
    "Qwen/Qwen3-4B-Instruct-2507": 4_022_468_096,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-3.2-3B-Instruct": 3_212_749_824,
    "meta-llama/Llama-3.1-8B-Instruct": 8_030_261_248,
    "google/gemma-3-270m-it": 268_098_176,
    "google/gemma-3-1b-it": 999_885_952,
    "google/gemma-3-4b-it": 3_880_263_168,  # without what reads pictures
    "microsoft/Phi-4-mini-instruct": 3_836_021_760,
    "mistralai/Mistral-7B-Instruct-v0.3": 7_248_023_552,
}
"""Of the weights on the Hub, each tensor counted once."""


def test_the_dimensions_give_the_published_numbers_of_parameters() -> None:
    assert {hub_id: known.shape.n_parameters for hub_id, known in known_models().items()} == PUBLISHED
    assert LLAMA_2_7B.n_parameters == 6_738_415_616


def test_a_folder_of_gemma_that_leaves_defaults_out_has_the_catalogues_shape(tmp_path: Path) -> None:
    facts = {"model_type": "gemma3_text", "hidden_size": 640, "num_hidden_layers": 18, "intermediate_size": 2048}
    facts |= {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 262_144}
    (tmp_path / "config.json").write_text(json.dumps(facts))
    assert read_shape(tmp_path).n_parameters == PUBLISHED["google/gemma-3-270m-it"]


@pytest.mark.parametrize("known", known_models().values(), ids=known_models())
def test_facts_are_of_a_possible_model(known: KnownModel) -> None:
    number, unit = float(known.size[:-1]), {"M": 1e6, "B": 1e9}[known.size[-1]]
    assert known.shape.n_parameters == pytest.approx(number * unit, rel=0.04), "7B is 7.25"
    assert known.shape.n_heads % known.shape.n_kv_heads == 0
    assert known.context >= 8192
    assert known.gated == known.licence.startswith(("Llama", "Gemma")), "both vendors ask for consent on the Hub"


def test_every_profiles_base_model_is_known() -> None:
    assert all(find_shape(profile.base_model) for profile in PROFILES.values())
    assert find_shape("unsloth/Qwen3-0.6B") == known_models()["Qwen/Qwen3-0.6B"].shape
    assert find_shape("somebody/else") is None


def test_the_tiny_base_has_the_parameters_of_its_file() -> None:
    with safe_open(PROJECT / "data" / "tiny_base" / "model.safetensors", "pt") as file:
        stored = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    n_stored = sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in stored)
    shape = find_shape("data/tiny_base")
    assert shape is not None
    assert shape.n_parameters == n_stored


COUNTS = ("num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps(dict.fromkeys(("hidden_size", *COUNTS), "8")), "cannot be read"),
        (json.dumps({"hidden_size": 8} | dict.fromkeys(COUNTS, 0)), "cannot be read"),
        (json.dumps({"hidden_size": 8}), "'num_attention_heads' is missing"),
        (json.dumps(dict.fromkeys(("hidden_size", *COUNTS), 8) | {"intermediate_size": [8, 16]}), "all layers; choose"),
        (json.dumps(dict.fromkeys(("hidden_size", *COUNTS), 8) | {"intermediate_size": None}), "all layers; choose"),
        (json.dumps({"hidden_size": 8} | dict.fromkeys(COUNTS, 8) | {"num_local_experts": 8}), "mixture of experts"),
        (json.dumps({"num_experts_per_tok": 2, "num_experts": 64}), "mixture of experts"),
    ],
)
def test_a_config_that_does_not_say_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        read_shape(tmp_path)


def test_a_wheel_holds_the_files_that_the_package_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hatchling.build import build_wheel

    monkeypatch.chdir(PROJECT)
    with ZipFile(tmp_path / build_wheel(str(tmp_path))) as wheel:
        names = set(wheel.namelist())
    package = PROJECT / "course_utils"
    read = [path for path in package.rglob("*") if path.suffix in (".toml", ".jinja")]
    assert len(read) >= 7
    assert {path.relative_to(PROJECT).as_posix() for path in read} <= names
