import numpy as np
import pytest
from matplotlib import pyplot
from scipy.integrate import quad

from course_utils.evaluation.sequential import plot_evidence, sequential_evidence

RNG = np.random.default_rng(0)


def test_evidence_is_the_mean_likelihood_ratio_over_all_shares() -> None:
    first, second = RNG.random((2, 40)) < 0.6
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    wanted, _ = quad(lambda share: share**gained * (1 - share) ** lost / 0.5 ** (gained + lost), 0, 1)
    assert sequential_evidence(first, second)[-1] == pytest.approx(wanted, rel=1e-6)


def test_evidence_is_savvis() -> None:
    multinomial = pytest.importorskip("savvi.multinomial", reason="savvi, which brings cvxpy, is not installed")
    first, second = RNG.random((2, 60)) < 0.6
    test = multinomial.Multinomial(0.05, np.array([0.5, 0.5]), k=2)  # a Dirichlet prior with parameters (1, 1)
    for before, after in zip(first, second, strict=True):
        if before != after:
            test.update(np.array([int(after), int(before)]))
    assert sequential_evidence(first, second)[-1] == pytest.approx(float(test.odds))


def test_looking_after_every_row_seldom_raises_a_false_alarm() -> None:
    first, second = RNG.random((2, 1_000, 500)) < 0.7
    assert (sequential_evidence(first, second) >= 20).any(axis=-1).mean() <= 0.05


def test_a_clear_difference_is_found_early_and_said_so() -> None:
    first, second = np.zeros(100, bool), np.ones(100, bool)
    assert (sequential_evidence(first, second) >= 20).argmax() == 7  # 2**8 / 9 > 20
    assert "stops after 8 rows" in plot_evidence(first, second).figure.get_suptitle()
    assert "open after 100 rows" in plot_evidence(first, first).figure.get_suptitle()
    pyplot.close("all")
