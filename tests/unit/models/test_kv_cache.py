"""The cache against Transformers' own, of which it holds the same keys and values."""

import pytest
import torch
from transformers.cache_utils import DynamicLayer

from course_utils.models import kv_cache


def test_it_holds_what_the_plain_cache_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kv_cache, "ROOM", 3)  # so that it has to make room anew
    plain, roomy = DynamicLayer(), kv_cache.RoomyLayer()

    def add(n_rows: int, n_tokens: int) -> None:
        states = torch.rand(2, n_rows, 2, n_tokens, 4)
        for wanted, found in zip(plain.update(*states), roomy.update(*states), strict=True):
            torch.testing.assert_close(found, wanted)

    add(2, 5)
    for rows in ([0, 0, 1, 1, 1], [0, 4, 2, 3], [3, 1], [1, 0], [0]):
        for layer in (plain, roomy):
            layer.batch_select_indices(torch.tensor(rows))
        torch.testing.assert_close(roomy.keys, plain.keys)
        assert roomy.get_seq_length() == plain.get_seq_length()
        add(len(rows), 2)
