"""What a thousand questions cost: on a machine paid by the hour, and at an API paid by the token.

Prices are arguments, never constants: they change monthly and differ by region.
"""

SECONDS_PER_HOUR = 3600
QUESTIONS = 1000
TOKENS_PER_PRICE = 1_000_000


def machine_cost_usd(seconds_per_question: float, usd_per_hour: float, utilisation: float = 1.0) -> float:
    """Price of 1,000 questions on a machine paid by the hour.

    ``1000 * seconds_per_question * usd_per_hour / 3600 / utilisation``

    Args:
        seconds_per_question: Wall-clock seconds of a full machine divided by the questions it answered
            in them, so questions answered side by side share the seconds.
        usd_per_hour: Price of the machine.
        utilisation: Share of the paid time in which there are questions to answer, in (0, 1].

    Raises:
        ValueError: ``utilisation`` is outside (0, 1].
    """
    if not 0 < utilisation <= 1:
        raise ValueError(f"utilisation={utilisation} must be above 0 and at most 1")
    return QUESTIONS * seconds_per_question * usd_per_hour / SECONDS_PER_HOUR / utilisation


def api_cost_usd(
    prompt_tokens: float, completion_tokens: float, usd_per_million_prompt: float, usd_per_million_completion: float
) -> float:
    """Price of 1,000 questions at an API paid by the token.

    Args:
        prompt_tokens: Of one question, on average.
        completion_tokens: Of one answer, on average.
        usd_per_million_prompt: Price of a million tokens read.
        usd_per_million_completion: Price of a million tokens written.
    """
    one = prompt_tokens * usd_per_million_prompt + completion_tokens * usd_per_million_completion
    return QUESTIONS * one / TOKENS_PER_PRICE


def break_even_per_hour(usd_per_hour: float, api_usd_per_1000: float) -> float:
    """Questions an hour above which the machine is cheaper than the API; infinite if the API is free.

    The machine must also be fast enough for them: compare with ``3600 / seconds_per_question``.
    """
    return QUESTIONS * usd_per_hour / api_usd_per_1000 if api_usd_per_1000 else float("inf")
