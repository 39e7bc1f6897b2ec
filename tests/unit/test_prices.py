"""Every price has a date and a source, tokens are counted without a tokenizer, and sums agree with those by hand."""

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.prices import TOKENS_OF_MESSAGE, Serving, break_even_per_hour, count_tokens, known_services


@pytest.mark.parametrize(
    ("text", "n_tokens"),
    [
        ("SELECT COUNT(*) FROM singer", 5),
        ("Which items cost over 1234?", 9),
        ("flight_id -> airport", 5),
        ("internationalisation", 3),
        ("有多少歌手？", 6),
        ("", 0),
    ],
)
def test_tokens_are_counted_in_pieces(text: str, n_tokens: int) -> None:
    assert count_tokens([{"content": text}]) == n_tokens + TOKENS_OF_MESSAGE


@pytest.mark.parametrize("name", known_services())
def test_every_price_has_a_date_and_a_source(name: str) -> None:
    service = known_services()[name]
    assert date(2026, 1, 1) < service["as_of"] < date.today()
    assert service["source"].startswith("https://")
    assert service["rules"].startswith("https://")
    assert 0 < service["usd_per_million_tokens"] < 100
    for serving in service["serving"]:
        assert date(2026, 1, 1) < serving["as_of"] < date.today()
        assert serving["source"].startswith("https://")
        by_token = {"usd_per_million_prompt_tokens", "usd_per_million_reply_tokens"} <= serving.keys()
        assert by_token != ("usd_per_hour" in serving)


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
    if load < 1e9:
        above = max(1.0, 1.01 * load)
        assert own.usd_per_1000_right(above) <= service.usd_per_1000_right(above) * (1 + 1e-9)
    else:
        assert own.usd_per_1000_right(1e6) >= service.usd_per_1000_right(1e6) * (1 - 1e-4)
