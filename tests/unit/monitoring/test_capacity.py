"""The simulated queues agree with what queueing theory knows in closed form, and prices with sums by hand."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.monitoring.capacity import Serving, break_even_per_hour, simulate_latencies

N = 20_000


def poisson(rate: float, mean_s: float, seed: int = 1) -> tuple[list[float], list[tuple[float, float]]]:
    """Arrivals and exponential service times."""
    rng = Random(seed)
    arrivals = np.cumsum([rng.expovariate(rate) for _ in range(N)]).tolist()
    return arrivals, shared(*(rng.expovariate(1 / mean_s) for _ in range(N)))


def shared(*seconds: float) -> list[tuple[float, float]]:
    """Work that holds nobody up."""
    return [(each, 0.0) for each in seconds]


def test_one_at_once_is_the_queue_m_m_1() -> None:
    arrivals, work = poisson(0.7, 1.0)
    latencies = simulate_latencies(arrivals, work, [1.0])
    assert np.mean(latencies) == pytest.approx(1 / (1 - 0.7), rel=0.08)
    assert np.quantile(latencies, 0.95) == pytest.approx(-np.log(0.05) / (1 - 0.7), rel=0.08)


def test_slots_that_do_not_slow_each_other_are_the_queue_m_m_2() -> None:
    arrivals, work = poisson(1.4, 1.0)
    latencies = simulate_latencies(arrivals, work, [1.0, 2.0])
    assert np.mean(latencies) == pytest.approx(1 / (1 - 0.7**2), rel=0.08)  # Erlang's C with two servers


def test_a_shared_processor_does_not_care_how_long_requests_are() -> None:
    """M/G/1 with processor sharing: the mean depends on the mean service time alone."""
    arrivals, _ = poisson(0.6, 1.0)
    for seconds in ([1.0] * N, Random(2).choices((0.1, 3.7), (3, 1), k=N)):
        latencies = simulate_latencies(arrivals, shared(*seconds), [1.0] * 200)
        assert np.mean(latencies) == pytest.approx(np.mean(seconds) / (1 - 0.6 * np.mean(seconds)), rel=0.08)


def test_replicas_take_turns_and_nothing_is_lost() -> None:
    assert simulate_latencies([0.0, 0.0, 0.0], shared(1.0, 2.0, 3.0), [1.0]) == pytest.approx([1.0, 3.0, 6.0])
    assert simulate_latencies([0.0, 0.0, 0.0], shared(1.0, 2.0, 3.0), [1.0], 2) == pytest.approx([1.0, 2.0, 4.0])
    assert simulate_latencies([0.0, 10.0], shared(1.0, 1.0), [1.0, 1.5], 2) == pytest.approx([1.0, 1.0])
    assert simulate_latencies([], [], [1.0]) == []


def test_times_may_be_unixs_and_tie() -> None:
    rng = Random(0)
    arrivals = sorted(2 * [round(rng.uniform(0, 5), 2) for _ in range(20)])
    latencies = simulate_latencies(arrivals, shared(*[0.1] * 40), [1.0, 1.5])
    later = simulate_latencies([1.7e9 + arrival for arrival in arrivals], shared(*[0.1] * 40), [1.0, 1.5])
    assert later == pytest.approx(latencies, abs=1e-5)
    assert 1.4 + (7.3 - 1.4) > 7.3
    assert simulate_latencies([0.0, 1.4, 7.3, 7.3], shared(*[0.1] * 4), [1.0, 2.0]) == pytest.approx([0.1] * 4)


def test_a_simulated_year_ends_and_waits_as_a_minute_does() -> None:
    for seed in range(20):
        rng = Random(seed)
        arrivals = sorted(rng.uniform(0, 5) for _ in range(20))
        work = [(0.0, 0.1), *((rng.uniform(0.05, 0.5), rng.choice((0.0, 0.1))) for _ in arrivals)]
        year, minute = (simulate_latencies([0.0, *(s + at for at in arrivals)], work, [1.0, 1.5]) for s in (3e7, 30.0))
        assert year == pytest.approx(minute, abs=1e-4)
        long = [[1e7 * seconds for seconds in each] for each in work[1:]]
        assert all(map(math.isfinite, simulate_latencies(arrivals, long, [1.0, 1.5]))), "much work is a late clock, too"


def test_a_replica_that_stands_still_does_so_for_all() -> None:
    """Two at once are each answered at three quarters of the pace, which does not shorten a second without any."""
    assert simulate_latencies([0.0, 0.0], [(1.0, 1.0), (1.0, 0.0)], [1.0, 1.5]) == pytest.approx([7 / 3, 7 / 3])
    assert simulate_latencies([0.0, 1.5], [(1.0, 0.0), (1.0, 2.0)], [1.0, 1.5]) == pytest.approx([1.0, 3.0])
    assert simulate_latencies([0.0, 0.5], [(1.0, 0.0), (1.0, 2.0)], [1.0]) == pytest.approx([3.0, 3.5])
    assert simulate_latencies([0.0, 0.0], [(1.0, 1.0), (1.0, 0.0)], [1.0], 2) == pytest.approx([2.0, 1.0])
    assert simulate_latencies([0.0], [(0.0, 1.0)], [1.0]) == pytest.approx([1.0])


def test_halts_come_before_all_work() -> None:
    """M/G/1 with preemptive priority: what an arrival finds and brings, over the share of time without halts."""
    arrivals, work = poisson(0.5, 0.8)
    held = [(each, 0.4) for each, _ in work]
    seconds = np.sum(held, axis=1)
    found = 0.5 * np.mean(seconds**2) / 2 / (1 - 0.5 * seconds.mean())  # Pollaczek and Khinchine
    latencies = simulate_latencies(arrivals, held, [1.0])
    assert np.mean(latencies) == pytest.approx((found + seconds.mean()) / (1 - 0.5 * 0.4), rel=0.08)


# What a right answer costs

prices = st.floats(0.001, 10.0)
accuracies = st.floats(0.05, 1.0)
servings = st.builds(Serving, st.just("any"), usd_per_hour=prices, usd_per_question=prices, accuracy=accuracies)


def test_a_right_answer_costs_more_the_fewer_are_right_and_the_idler_the_machine() -> None:
    half_right = Serving("own", usd_per_hour=0.10, accuracy=0.5)
    assert half_right.usd_per_1000_right(1000) == pytest.approx(0.20)
    assert half_right.usd_per_1000_right(10) == pytest.approx(20.0)
    assert Serving("api", usd_per_question=0.001, accuracy=0.8).usd_per_1000_right(7) == pytest.approx(1.25)


def test_break_even_of_a_machine_and_an_api() -> None:
    own, api = Serving("own", usd_per_hour=0.10, accuracy=0.5), Serving("api", usd_per_question=0.001)
    assert break_even_per_hour(own, api) == pytest.approx(200.0)
    assert break_even_per_hour(api, own) == math.inf, "the API is the cheaper one below, not above"
    assert break_even_per_hour(own, Serving("dearer machine", usd_per_hour=4.0)) == 0.0
    assert break_even_per_hour(Serving("dearer machine", usd_per_hour=4.0), own) == math.inf


@given(servings, servings)
def test_above_break_even_the_first_is_cheaper(own: Serving, service: Serving) -> None:
    load = break_even_per_hour(own, service)
    assert load >= 0
    if load < 1e9:
        above = max(1.0, 1.01 * load)
        assert own.usd_per_1000_right(above) <= service.usd_per_1000_right(above) * (1 + 1e-9)
    else:
        assert own.usd_per_1000_right(1e6) >= service.usd_per_1000_right(1e6) * (1 - 1e-4)
