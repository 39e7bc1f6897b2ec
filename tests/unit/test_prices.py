"""Every price has a date and a source, and tokens are counted without a tokenizer."""

from datetime import date

import pytest

from course_utils.prices import TOKENS_OF_MESSAGE, count_tokens, known_services


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
