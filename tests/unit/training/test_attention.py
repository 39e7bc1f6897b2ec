"""Plain products in chunks give the loss and the gradients of the model's own attention."""

import pytest
import torch

from course_utils.files import PROJECT
from course_utils.models import load_model
from course_utils.prompts import EncodedExample
from course_utils.training import attention
from course_utils.training.attention import CHUNK, use_chunks
from course_utils.training.shared_prompts import collate_shared, join_rows, label_loss


def test_chunks_attend_as_the_models_own_kernel() -> None:
    schema, replies = [*range(100, 200)], [[*range(number, number + 20)] for number in range(20)]
    joined = join_rows([EncodedExample(schema + reply, [0] * 110 + [1] * 10) for reply in replies])
    batch = collate_shared([joined], length_step=CHUNK)
    assert len(joined["input_ids"]) > CHUNK, "the queries of several chunks"
    losses, gradients = [], []
    for chunked in (False, True):
        model = load_model(PROJECT / "data" / "tiny_base").requires_grad_()
        if chunked:
            use_chunks(model)
        loss = label_loss(model, batch)
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(model.get_input_embeddings().weight.grad)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert torch.allclose(*gradients, atol=1e-6)


def test_a_chunk_reads_the_keys_that_its_rows_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "CHUNK", 200)
    rows = [EncodedExample([*range(50), *[number] * 100], [0] * 100 + [1] * 50) for number in range(60, 66)]
    mask = collate_shared([join_rows(rows)])["attention_mask"]
    prefix, *own = [
        [(span.start, span.stop) for span in spans] for spans, _ in attention._seen_by_chunks(mask, torch.float32, 1)
    ]
    assert prefix == [(0, 200)]
    assert own == [[(0, 50), (150, 400)], [(0, 50), (350, 600)], [(0, 50), (550, 650)]]
