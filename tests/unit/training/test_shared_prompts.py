"""One copy of the schema for several rows gives the losses of the rows alone."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma3Config,
    Lfm2Config,
    LlamaConfig,
    MixtralConfig,
    PretrainedConfig,
    Qwen3Config,
)

from course_utils.files import PROJECT
from course_utils.models import load_model, load_tokenizer
from course_utils.prompts import EncodedExample
from course_utils.tasks import text_to_sql
from course_utils.training.examples import tokenize_rows
from course_utils.training.shared_prompts import (
    IGNORED,
    can_share,
    collate_shared,
    join_rows,
    label_loss,
    share_prompts,
)

TINY_BASE = PROJECT / "data" / "tiny_base"
SCHEMAS = {"shop": "table item: item_id integer, name text", "zoo": "table cage: cage_id integer, size integer"}
ROWS = [
    {"id": f"{db_id}{n}", "db_id": db_id, "question": f"Is it {'really ' * n}{n}?", "query": f"SELECT {n} FROM {db_id}"}
    for db_id in SCHEMAS
    for n in range(7)
]


@pytest.fixture(scope="module")
def examples() -> list[EncodedExample]:
    return tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512).examples


def test_losses_are_those_of_the_rows_alone(examples: list[EncodedExample]) -> None:
    model = load_model(TINY_BASE)
    for rows in (examples[:5], examples[7:9]):
        shared = collate_shared([join_rows(rows)])
        wanted = shared.pop("labels")[0]
        with torch.inference_mode():
            logits = model(**shared).logits[0]
            alone = sum(loss_alone(model, row) for row in rows)
        assert float(cross_entropy(logits[:-1], wanted[1:], reduction="sum")) == pytest.approx(alone, rel=1e-4)


def test_the_loss_at_labels_alone_is_the_models(examples: list[EncodedExample]) -> None:
    model, batch = load_model(TINY_BASE), collate_shared([join_rows(examples[:5])])
    with torch.inference_mode():
        whole = float(model(**batch).loss)
        assert float(label_loss(model, batch)) == pytest.approx(whole, rel=1e-5)
        assert float(label_loss(model, batch, torch.tensor(1))) == pytest.approx(
            whole * int((batch["labels"] != IGNORED).sum()), rel=1e-5
        )
        batch["labels"][:] = IGNORED  # of rows that fill up an epoch, in several processes
        assert float(label_loss(model, batch)) == 0


@pytest.mark.parametrize(
    ("config", "can"),
    [
        (LlamaConfig(), True),
        (Qwen3Config(sliding_window=64, use_sliding_window=True, max_window_layers=1), False),
        (Lfm2Config(num_hidden_layers=2, layer_types=["conv", "full_attention"]), False),
        (Gemma3Config(text_config={"sliding_window": 512}), True),
    ],
    ids=["attention", "a short window", "convolution", "a window, in a part of the settings"],
)
def test_rows_share_where_attention_alone_lets_tokens_meet(config: PretrainedConfig, can: bool) -> None:
    model = SimpleNamespace(config=config, _supports_sdpa=True)
    assert can_share(model, 384) == can
    model._is_stateful = True
    assert not can_share(model, 384)


@pytest.mark.parametrize(
    "config",
    [
        BloomConfig(hidden_size=32, n_layer=1, n_head=4),
        MixtralConfig(
            hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2
        ),
    ],
    ids=["ALiBi", "experts"],
)
def test_rows_stay_apart_where_a_model_takes_masks_of_two_dimensions(config: PretrainedConfig) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool, device="meta")
    with pytest.raises((ValueError, RuntimeError)):
        model(torch.ones(1, 4, dtype=torch.long, device="meta"), attention_mask=mask, output_router_logits=True)
    assert not can_share(model, 384)


def test_padding_changes_no_loss(examples: list[EncodedExample]) -> None:
    model, joined = load_model(TINY_BASE), join_rows(examples[:3])
    plain, padded = collate_shared([joined]), collate_shared([joined], length_step=64)
    assert padded["input_ids"].shape[1] % 64 == 0 < padded["input_ids"].shape[1] - plain["input_ids"].shape[1]
    with torch.inference_mode():
        assert float(label_loss(model, padded)) == pytest.approx(float(label_loss(model, plain)), rel=1e-5)


def loss_alone(model: torch.nn.Module, row: EncodedExample) -> float:
    """The summed loss of one row, computed without sharing anything."""
    labels = [token if learned else IGNORED for token, learned in zip(row.input_ids, row.completion_mask, strict=True)]
    logits = model(torch.tensor([row.input_ids])).logits[0]
    return float(cross_entropy(logits[:-1], torch.tensor(labels[1:]), reduction="sum"))


def test_every_row_is_there_once_and_only_with_rows_of_its_schema(examples: list[EncodedExample]) -> None:
    dataset = share_prompts(examples, size=3)
    assert [max(rows) for rows in dataset["row_ids"]] == [3, 2, 2] * 2
    learned = Counter(token for labels in dataset["labels"] for token in labels if token != IGNORED)
    assert learned == Counter(
        token for row in examples for token, label in zip(row.input_ids, row.completion_mask, strict=True) if label
    )
    assert sum(map(len, dataset["input_ids"])) < sum(len(row.input_ids) for row in examples)


tokens = st.lists(st.integers(0, 3), min_size=2, max_size=6)


@given(st.lists(st.tuples(tokens, tokens), min_size=1, max_size=4))
def test_each_row_can_be_read_back(pairs: list[tuple[list[int], list[int]]]) -> None:
    rows = [EncodedExample(prompt + reply, [0] * len(prompt) + [1] * len(reply)) for prompt, reply in pairs]
    batch = join_rows(rows)
    shared = [token for token, row in zip(batch["input_ids"], batch["row_ids"], strict=True) if row == 0]
    for number, row in enumerate(rows, 1):
        places = [place for place, owner in enumerate(batch["row_ids"]) if owner == number]
        assert shared + [batch["input_ids"][place] for place in places] == row.input_ids
        assert [batch["position_ids"][place] for place in places] == list(range(len(shared), len(row.input_ids)))
        assert [int(batch["labels"][place] != IGNORED) for place in places] == row.completion_mask[len(shared) :]
        assert batch["labels"][places[0]] == IGNORED, "the row before would be taught to begin this one"
