"""The tokenizer and the training loop, on a recipe of a few steps, and the model in the repository."""

import json
from itertools import islice
from pathlib import Path

import pytest
from safetensors.torch import load_file

from course_utils.artifacts import PROJECT
from tools.tiny_base.documents import documents
from tools.tiny_base.pretrain import Recipe, pretrain
from tools.tiny_base.tokenizer import END_OF_TEXT, as_text, train_tokenizer

TINY_BASE = PROJECT / "data" / "tiny_base"
SMALL = Recipe(n_tokens=8192, step_tokens=1024, short_block=128, long_block=256, hidden=64, intermediate=64, layers=1)


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return train_tokenizer(str(document) for document in islice(documents(0), 300))


def test_tokenizer_loses_nothing(tokenizer: object) -> None:
    text = "SELECT name FROM café WHERE age >= 1234 AND city = 'São Paulo' -- 日本\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_digits_stand_alone(tokenizer: object) -> None:
    assert [tokenizer.decode([i]) for i in tokenizer("2026")["input_ids"]] == list("2026")


def test_padding_is_not_the_end(tokenizer: object) -> None:
    assert tokenizer.pad_token_id not in (tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TEXT))


def test_documents_end_with_the_end_of_text(tokenizer: object) -> None:
    for document in islice(documents(4), 20):
        assert as_text(tokenizer, document).endswith(END_OF_TEXT)


def test_pretraining_lowers_the_loss_and_loads_again(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    pretrain(SMALL, tmp_path / "model")
    record = json.loads((tmp_path / "model" / "pretraining.json").read_text())
    assert record["recipe"]["n_tokens"] == SMALL.n_tokens
    assert record["history"][-1]["step"] == SMALL.n_steps
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert model.config.eos_token_id == AutoTokenizer.from_pretrained(tmp_path / "model").eos_token_id


def test_long_blocks_come_last() -> None:
    blocks = [SMALL.block(step) for step in range(SMALL.n_steps)]
    assert blocks == sorted(blocks)
    assert set(blocks) == {SMALL.short_block, SMALL.long_block}


def test_the_shipped_model_is_what_its_card_says() -> None:
    tensors = load_file(TINY_BASE / "model.safetensors").values()
    assert 2_000_000 <= sum(tensor.numel() for tensor in tensors) <= 5_000_000
    assert {str(tensor.dtype) for tensor in tensors} == {"torch.float16"}
    assert (TINY_BASE / "model.safetensors").stat().st_size < 12 * 2**20
    assert json.loads((TINY_BASE / "pretraining.json").read_text())["seconds"] < 90 * 60
