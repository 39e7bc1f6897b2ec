"""A recorded pass gives the loss and the gradients of a plain one, whatever the length."""

import pytest
import torch

from benchmarks.memory import random_row
from course_utils.files import PROJECT
from course_utils.models import load_model
from course_utils.prompts import EncodedExample
from course_utils.training.cuda_graphs import LENGTH_STEP, GraphedPass
from course_utils.training.shared_prompts import collate_shared, join_rows, label_loss

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")]


def test_graphs_compute_what_plain_passes_do() -> None:
    model = load_model(PROJECT / "data" / "tiny_base").float().train()
    graphs = GraphedPass(model)
    for seed, n_tokens in ((0, 40), (1, 200), (2, 90), (3, 30)):  # the third length is of one that came before
        rows = [EncodedExample(*random_row(10 * seed + n, n_tokens, 1000)) for n in range(4)]
        batch = {name: part.cuda() for name, part in collate_shared([join_rows(rows)], LENGTH_STEP).items()}
        loss = graphs.run(batch)
        found = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
        model.zero_grad()
        plain = label_loss(model, batch)
        plain.backward()
        assert float(loss) == pytest.approx(float(plain), rel=1e-5)
        for gradient, parameter in zip(found, model.parameters(), strict=True):
            torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-5)
