from collections import Counter
from random import Random

import pytest

from tools.dataset.quotas import LEVEL_SHARES, apportion, level, quotas
from tools.dataset.shapes import SHAPES


@pytest.mark.parametrize("seed", range(20))
def test_each_part_is_its_share_rounded_up_or_down(seed: int) -> None:
    weights = {"a": 5.0, "b": 1.0, "c": 0.3, "d": 2.2}
    parts = apportion(weights, 37, Random(seed))
    assert sum(parts.values()) == 37
    for key, weight in weights.items():
        assert abs(parts[key] - 37 * weight / 8.5) < 1


def test_quotas_keep_to_the_shares_of_difficulty() -> None:
    counts: Counter[str] = Counter()
    for seed in range(10):
        wanted = quotas(SHAPES, 400, Random(seed))
        assert sum(wanted.values()) == 400
        for shape, n in wanted.items():
            counts[level(shape)] += n
    assert all(counts[name] / 4000 == pytest.approx(share, abs=0.01) for name, share in LEVEL_SHARES.items())


def test_a_difficulty_without_shapes_leaves_its_share_to_the_others() -> None:
    easy = [shape for shape in SHAPES if level(shape) == "easy"]
    assert sum(quotas(easy, 50, Random(1)).values()) == 50


def test_plain_shapes_can_be_favoured() -> None:
    count_all = next(shape for shape in SHAPES if shape.name == "count_all")
    share = {favour: quotas(SHAPES, 10_000, Random(1), favour)[count_all] for favour in (0.5, 2.0)}
    assert share[0.5] < share[2.0]
