"""Prices per right answer agree with sums done by hand, and break-even is where two prices meet."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.monitoring.cost import Serving, break_even_per_hour, price_services, read_energy_j
from course_utils.prices import known_services

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


def test_a_model_that_is_never_right_is_cheaper_at_no_load() -> None:
    never_right, api = Serving("own", usd_per_hour=0.10, accuracy=0.0), Serving("api", usd_per_question=0.001)
    assert never_right.usd_per_1000_right(1e6) == break_even_per_hour(never_right, api) == math.inf
    assert break_even_per_hour(api, never_right) == 0.0


@given(servings, servings)
def test_above_break_even_the_first_is_cheaper(own: Serving, service: Serving) -> None:
    load = break_even_per_hour(own, service)
    if load < 1e9:
        above = max(1.0, 1.01 * load)
        assert own.usd_per_1000_right(above) <= service.usd_per_1000_right(above) * (1 + 1e-9)
    else:
        assert own.usd_per_1000_right(1e6) >= service.usd_per_1000_right(1e6) * (1 - 1e-4)


def test_services_are_priced_as_their_table_says() -> None:
    offers = {offer.name: offer for offer in price_services((300.0, 40.0), training_tokens=2e6)}
    assert len(offers) == sum(len(service["serving"]) for service in known_services().values())
    untuned = offers["OpenAI, GPT-5.6 Luna, as it is"]
    assert untuned.usd_per_question == pytest.approx((300 * 0.20 + 40 * 1.20) / 1e6)
    assert untuned.training_usd == 0
    assert offers["OpenAI, GPT-4o mini, tuned"].training_usd == pytest.approx(6.0)
    assert (offers["Together, one H100, tuned"].usd_per_hour, untuned.usd_per_hour) == (3.99, 0.0)


def test_energy_is_the_sum_of_the_processors_and_not_of_their_parts(tmp_path: Path) -> None:
    assert read_energy_j(tmp_path) is None
    for name, joules in {"intel-rapl:0": 3, "intel-rapl:1": 4, "intel-rapl:0:0": 99}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{joules * 10**6}\n")
    assert read_energy_j(tmp_path) == 7.0
