import re

import pytest

from course_utils.data.bases.facts import BASES, Base
from course_utils.data.tokens.templates import FAMILIES
from course_utils.models.shapes import SHAPES, read_shape
from course_utils.profiles import PROFILES

SAME_MODEL = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "unsloth/Qwen3-0.6B": "Qwen/Qwen3-0.6B",
    "unsloth/Qwen3-4B-Instruct-2507": "Qwen/Qwen3-4B-Instruct-2507",
    "unsloth/Meta-Llama-3.1-8B-Instruct": "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen3-8B": "Qwen/Qwen3-8B",
}
"""The profiles' models, and those whose weights they are."""


def spread(size: str) -> tuple[float, float]:
    """The numbers that a card's rounded size can stand for."""
    number, unit = re.fullmatch(r"([\d.]+)([MB])", size).groups()
    scale = {"M": 1e6, "B": 1e9}[unit]
    # Whole billions are names more than measures: "7B" is 7.25.
    step = 10 ** -len(number.partition(".")[2]) if "." in number or unit == "M" else 1
    margin = max(0.5 * step, 0.01 * float(number))
    return (float(number) - margin) * scale, (float(number) + margin) * scale


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_the_dimensions_give_the_size_that_the_card_names(base: Base) -> None:
    """Nine numbers and the size were read apart; one wrong digit among them would show here."""
    assert base.shape.n_parameters == base.n_parameters
    low, high = spread(base.size)
    assert low <= base.n_parameters <= high


@pytest.mark.parametrize("hub_id", SHAPES)
def test_the_profiles_models_have_the_same_dimensions_in_both_rooms(hub_id: str) -> None:
    assert BASES[SAME_MODEL[hub_id]].shape == SHAPES[hub_id]


def test_every_profile_s_hub_model_is_in_the_table() -> None:
    assert {profile.base_model for profile in PROFILES.values() if profile.needs_hub} <= set(SAME_MODEL)


def test_there_is_a_model_for_every_family_and_no_unknown_family() -> None:
    assert {base.template for base in BASES.values()} == set(FAMILIES)


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_facts_are_of_a_possible_model(base: Base) -> None:
    assert base.n_heads % base.n_kv_heads == 0
    assert base.context >= 8192
    assert base.gated == base.licence.startswith(("Llama", "Gemma")), "both vendors ask for consent on the Hub"
    assert base.card == f"https://huggingface.co/{base.hub_id}"


def test_dimensions_of_a_real_config_fit_the_names(tmp_path: object) -> None:
    """``transformers`` builds the architecture from them and counts its parameters."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen3Config

    base = BASES["Qwen/Qwen3-0.6B"]
    config = Qwen3Config(
        hidden_size=base.hidden_size,
        num_hidden_layers=base.n_layers,
        intermediate_size=base.intermediate_size,
        num_attention_heads=base.n_heads,
        num_key_value_heads=base.n_kv_heads,
        head_dim=base.head_size,
        vocab_size=base.vocab_size,
        tie_word_embeddings=base.tied_embeddings,
    )
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert sum(weight.numel() for weight in model.parameters()) == base.n_parameters
    config.save_pretrained(tmp_path)
    assert read_shape(tmp_path) == base.shape
