"""The tokenizer and the training loop, on a recipe of a few steps, and the model in the repository."""

import json
import math
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from safetensors.torch import load_file

from course_utils.files import PROJECT
from tools.tiny_base.documents import Document, documents
from tools.tiny_base.pretrain import Recipe, new_model, pretrain
from tools.tiny_base.rows import IGNORED, encode
from tools.tiny_base.tokenizer import END_OF_TEXT, VOCABULARY, as_text, lower_case_twins, train_tokenizer

TINY_BASE = PROJECT / "data" / "tiny_base"
SMALL = Recipe(
    tokenizer_documents=300,
    n_tokens=10240,
    step_tokens=1024,
    short_block=512,
    long_block=1024,
    hidden=64,
    intermediate=64,
    layers=2,
)


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return train_tokenizer(str(document.text) for document in islice(documents(0), 300))


def test_tokenizer_loses_nothing(tokenizer: object) -> None:
    text = "SELECT name FROM café WHERE age >= 1234 AND city = 'São Paulo' -- 日本\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_digits_stand_alone(tokenizer: object) -> None:
    assert [tokenizer.decode([i]) for i in tokenizer("2026")["input_ids"]] == list("2026")


@pytest.mark.parametrize("name", ["stadium", "bushel", "trovel misker", "salary"])
def test_a_name_splits_alike_in_every_case(tokenizer: object, name: str) -> None:
    lower, capital, upper = (tokenizer.tokenize(text) for text in (name, name.title(), name.upper()))
    assert [token.lower() for token in capital] == [token.lower() for token in upper]
    assert [token.lower() for token in upper] == [token.lower() for token in lower]
    assert len(lower) < len(name)


def test_the_humps_of_a_camel_begin_tokens(tokenizer: object) -> None:
    humps = [token for hump in ("river", "Bank", "Name") for token in tokenizer.tokenize(hump)]
    assert tokenizer.tokenize("riverBankName") == humps


def test_capitals_begin_as_their_twins(tokenizer: object) -> None:
    weight = new_model(SMALL, tokenizer).get_input_embeddings().weight
    twins = lower_case_twins(tokenizer)
    ids = tokenizer.get_vocab()
    assert twins[ids["NAME"]] == ids["name"]
    assert not set(twins) & set(tokenizer.all_special_ids)
    assert weight[ids["NAME"]] @ weight[ids["name"]] > 0.3 * weight[ids["name"]] @ weight[ids["name"]]


def test_two_heads_copy_from_the_start(tokenizer: object) -> None:
    import torch

    model = new_model(replace(Recipe(), layers=2), tokenizer)
    model.set_attn_implementation("eager")
    names = torch.tensor([tokenizer(" plage trovel misker bushel stadium corner quarter")["input_ids"]])
    once = names.shape[1]
    with torch.no_grad():
        first, second = model(torch.cat([names, names], 1), output_attentions=True).attentions
    assert first[0, 0].diagonal(-1).mean() > 0.9, "the first head looks one place back"
    followers = second[0, 0].diagonal(1 - once)[1:]  # in the second half, what stood behind the same token
    others = (1 - followers) / torch.arange(once, 2 * once)
    assert followers.mean() > 3 * others.mean()


def test_only_what_follows_from_the_text_is_learned(tokenizer: object) -> None:
    document = Document("table zwb: qvx text\n\nQ: all qvx\nSQL: SELECT qvx FROM zwb;\n", ("SELECT qvx FROM zwb;\n",))
    encoded = encode(tokenizer, document)
    assert tokenizer.decode([label for label in encoded.labels if label != IGNORED]).strip() == "SELECT qvx FROM zwb;"
    assert tokenizer.decode(encoded.ids) == as_text(tokenizer, document)


def test_a_reply_ends_its_turn(tokenizer: object) -> None:
    chat = [{"role": "user", "content": "how many?"}, {"role": "assistant", "content": "count them."}]
    encoded = encode(tokenizer, Document(chat, ("count them.",)))
    assert [label for label in encoded.labels if label != IGNORED][-1] == tokenizer.eos_token_id


def test_padding_is_not_the_end(tokenizer: object) -> None:
    assert tokenizer.pad_token_id not in (tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TEXT))


def test_documents_end_with_the_end_of_text(tokenizer: object) -> None:
    for document in islice(documents(4), 20):
        assert as_text(tokenizer, document).endswith(END_OF_TEXT)


def test_pretraining_lowers_the_loss_and_loads_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setattr("tools.tiny_base.pretrain.WARMUP_STEPS", 1)
    pretrain(SMALL, tmp_path / "model")
    record = json.loads((tmp_path / "model" / "pretraining.json").read_text())
    assert record["recipe"]["n_tokens"] == SMALL.n_tokens
    assert record["history"][-1]["step"] == SMALL.n_steps
    assert record["history"][-1]["loss"] < 0.97 * math.log(VOCABULARY), "guessing is what the steps begin with"
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert model.config.eos_token_id == AutoTokenizer.from_pretrained(tmp_path / "model").eos_token_id


def test_pretraining_ends_in_time(tmp_path: Path) -> None:
    pretrain(replace(SMALL, n_tokens=10**9, minutes=0.02), tmp_path / "model")
    assert json.loads((tmp_path / "model" / "pretraining.json").read_text())["seconds"] < 30


def test_long_blocks_come_last() -> None:
    blocks = [SMALL.block(step / SMALL.n_steps) for step in range(SMALL.n_steps)]
    assert blocks == sorted(blocks)
    assert set(blocks) == {SMALL.short_block, SMALL.long_block}


def test_the_shipped_model_is_what_its_card_says() -> None:
    card, weights = (TINY_BASE / "README.md").read_text("utf-8"), TINY_BASE / "model.safetensors"
    tensors = load_file(weights).values()
    assert {str(tensor.dtype) for tensor in tensors} == {"torch.float16"}
    config, record = (json.loads((TINY_BASE / name).read_text()) for name in ("config.json", "pretraining.json"))
    recipe = record["recipe"]
    assert f"{sum(tensor.numel() for tensor in tensors) / 1e6:.1f} million parameters" in card
    assert f"{weights.stat().st_size / 1e6:.1f} MB" in card
    assert f"{config['vocab_size']:,} byte-level BPE tokens" in card
    assert f"{record['history'][-1]['step'] * recipe['step_tokens'] / 1e6:.1f} million generated tokens" in card
    assert f"takes {record['seconds'] // 60} minutes on two CPU cores" in card
    assert (
        f"{recipe['layers']} layers, width {recipe['hidden']}, feed-forward {recipe['intermediate']}, "
        f"{recipe['heads']} heads ({recipe['key_value_heads']} for keys and values)" in card
    )
    assert f"rows of {recipe['short_block']} tokens, at the end of {recipe['long_block']:,}" in card
