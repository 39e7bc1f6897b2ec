import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from course_utils.deployment import merge_adapter
from course_utils.errors import ModelError
from course_utils.models import load_model, load_tokenizer

LAYER = "model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter whose update is not zero, as an untrained one's is."""
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    folder = tmp_path_factory.mktemp("adapter")
    get_peft_model(load_model(base), config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def merged(base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return merge_adapter(base, adapter, tmp_path_factory.mktemp("merged"))


def test_adds_the_scaled_product(base: Path, adapter: Path, merged: Path) -> None:
    update = load_file(adapter / "adapter_model.safetensors")
    a, b = (update[f"base_model.model.{LAYER}.lora_{part}.weight"] for part in "AB")
    wanted = load_file(base / "model.safetensors")[f"{LAYER}.weight"].float() + 8 / 4 * (b @ a)
    after = load_file(merged / "model.safetensors")[f"{LAYER}.weight"]
    assert after.dtype in (torch.float32, torch.float16, torch.bfloat16)
    torch.testing.assert_close(after.float(), wanted, rtol=1e-5, atol=1e-5)
    assert json.loads((merged / "config.json").read_text("utf-8")).get("quantization_config") is None


def test_answers_like_the_adapter(base: Path, adapter: Path, merged: Path) -> None:
    ids = torch.arange(5, 40)[None]
    with torch.inference_mode():
        with_adapter = load_model(base, adapter=adapter)(input_ids=ids).logits
        alone = load_model(base)(input_ids=ids).logits
        after = load_model(merged)(input_ids=ids).logits
    torch.testing.assert_close(after, with_adapter, rtol=1e-3, atol=1e-3)
    assert (after - alone).abs().max() > 0.1


def test_tokenizer_goes_along(base: Path, merged: Path) -> None:
    before, after = load_tokenizer(base), load_tokenizer(merged)
    assert after.chat_template == before.chat_template
    assert after("SELECT 12 FROM singer")["input_ids"] == before("SELECT 12 FROM singer")["input_ids"]


def test_a_folder_without_an_adapter(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="03_training"):
        merge_adapter(base, tmp_path, tmp_path / "merged")
