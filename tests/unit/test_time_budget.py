from collections.abc import Callable

import pytest

from course_utils.time_budget import n_affordable


def machine(seconds_each: float, tried: list[int]) -> Callable[[int], float]:
    def work(n: int) -> float:
        tried.append(n)
        return n * seconds_each

    return work


@pytest.mark.parametrize(
    ("seconds_each", "n"),
    [(0.01, 60), (2.0, 28), (7.5, 6), (30.0, 0), (100.0, 0)],  # of 60 units in 60 s, less a trial of two
)
def test_what_fits_beside_the_trial_is_done(seconds_each: float, n: int) -> None:
    tried: list[int] = []
    assert n_affordable(machine(seconds_each, tried), 60, 60.0, n_trial=2) == n
    assert tried == [2]


@pytest.mark.parametrize(("n_wanted", "budget_s"), [(60, None), (2, 0.1), (0, 5.0)])
def test_without_a_limit_or_with_little_to_do_nothing_is_tried(n_wanted: int, budget_s: float | None) -> None:
    tried: list[int] = []
    assert n_affordable(machine(1.0, tried), n_wanted, budget_s, n_trial=2) == n_wanted
    assert not tried
