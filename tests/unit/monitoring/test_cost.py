"""The price arithmetic against figures worked out by hand."""

import pytest

from course_utils.monitoring.cost import api_cost_usd, break_even_per_hour, machine_cost_usd


def test_a_machine_that_answers_one_question_a_second() -> None:
    # 1,000 seconds are 1000/3600 h; at 0.36 USD an hour that is 0.10 USD.
    assert machine_cost_usd(1.0, 0.36) == pytest.approx(0.10)


def test_an_idle_machine_costs_its_idle_hours_too() -> None:
    assert machine_cost_usd(1.0, 0.36, utilisation=0.1) == pytest.approx(1.00)


def test_api_price_counts_both_directions() -> None:
    # 1,000 * 300 tokens read = 0.3 M at 0.50, 1,000 * 20 written = 0.02 M at 2.00.
    assert api_cost_usd(300, 20, 0.50, 2.00) == pytest.approx(0.15 + 0.04)


def test_at_the_break_even_both_cost_the_same() -> None:
    api = api_cost_usd(300, 20, 0.50, 2.00)
    questions = break_even_per_hour(0.36, api)
    assert machine_cost_usd(3600 / questions, 0.36) == pytest.approx(api)


def test_a_free_api_is_never_beaten() -> None:
    assert break_even_per_hour(1.0, 0.0) == float("inf")


@pytest.mark.parametrize("utilisation", [0.0, -0.1, 1.1])
def test_utilisation_is_a_share(utilisation: float) -> None:
    with pytest.raises(ValueError, match="utilisation"):
        machine_cost_usd(1.0, 1.0, utilisation)
