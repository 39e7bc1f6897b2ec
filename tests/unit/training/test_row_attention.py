"""Attention by rows gives what a dense mask gives, and its gradients."""

import pytest
import torch

from course_utils.artifacts import PROJECT
from course_utils.models import load_model, load_tokenizer
from course_utils.models.load import Choice
from course_utils.profiles import get_profile
from course_utils.tasks import text_to_sql
from course_utils.training import backends, row_attention
from course_utils.training.examples import tokenize_rows
from course_utils.training.row_attention import collate_rows, use_row_attention
from course_utils.training.shared_prompts import join_rows

TINY_BASE = PROJECT / "data" / "tiny_base"
ROWS = [
    {"id": str(n), "db_id": "shop", "question": f"Is it {'really ' * n}{n}?", "query": f"SELECT {n} FROM item"}
    for n in range(5)
]


def test_losses_and_gradients_are_those_of_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_attention, "NARROW", 1)
    schemas = {"shop": "table item: item_id integer, name text"}
    examples = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(schemas), 512).examples
    batch, model = collate_rows([vars(join_rows(examples))]), load_model(TINY_BASE)
    weights = [model.model.layers[0].self_attn.k_proj.weight, model.model.layers[0].self_attn.q_proj.weight]

    def loss_and_gradients() -> tuple[float, torch.Tensor]:
        model.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        return loss.item(), torch.cat([torch.as_tensor(weight.grad).clone() for weight in weights])

    masked = loss_and_gradients()  # SDPA takes the mask and no notice of the places
    assert use_row_attention(model)
    batch["attention_mask"] = torch.zeros_like(batch["attention_mask"])  # which is not looked at any more
    by_rows = loss_and_gradients()
    assert by_rows[0] == pytest.approx(masked[0], rel=1e-5)
    torch.testing.assert_close(by_rows[1], masked[1], rtol=1e-3, atol=1e-6)
    alone = {"input_ids": batch["input_ids"][:, :9]}
    assert torch.isfinite(model(**alone).logits).all(), "a prompt without places goes by SDPA"


def test_narrow_models_keep_the_mask() -> None:
    model = load_model(TINY_BASE)
    assert not use_row_attention(model)
    assert model.config._attn_implementation == "sdpa"


def test_frozen_matrices_alone_are_halved_where_products_are_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "choose_product_dtype", lambda width: Choice("bfloat16", "told so"))
    model, _ = backends.load_trainable(get_profile("smoke"), TINY_BASE)
    halved = {name for name, weight in model.named_parameters() if weight.dtype == torch.bfloat16}
    assert {name.split(".")[-3] for name in halved} == set(backends.LINEAR_LAYERS), (
        "not the head, which is the embedding"
    )
    assert all(weight.dtype == torch.float32 for weight in model.parameters() if weight.requires_grad)
