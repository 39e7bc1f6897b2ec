"""The drift signal against the textbook's statistic, exact p-values and its own promise on false alarms."""

from math import comb
from random import Random

import numpy as np
import pytest

from course_utils.errors import DataError
from course_utils.monitoring.drift import (
    build_vocabulary,
    detect_drift,
    detection_rate,
    false_alarm_rate,
    read_words,
    unknown_word_share,
    watch_drift,
)


def test_statistic_is_the_largest_gap_between_the_cumulative_distributions() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=40), rng.normal(0.5, size=30)
    points = np.concatenate([first, second])
    gap = max(abs((first <= point).mean() - (second <= point).mean()) for point in points)
    assert detect_drift("x", list(first), list(second)).statistic == pytest.approx(gap)


def test_p_value_of_fully_separated_windows_is_exact() -> None:
    # Of all comb(20, 10) orders of two windows of ten, two separate them: each wholly below the other.
    result = detect_drift("x", [float(i) for i in range(10)], [float(i) for i in range(10, 20)])
    assert result.statistic == 1.0
    assert result.p_value == pytest.approx(2 / comb(20, 10))
    assert result.drifted


def test_equal_windows_do_not_drift() -> None:
    result = detect_drift("x", [0.0, 1.0] * 10, [0.0, 1.0] * 10)
    assert (result.statistic, result.p_value, result.drifted) == (0.0, 1.0, False)


@pytest.mark.parametrize("distribution", ["continuous", "many ties"])
def test_false_alarms_stay_within_alpha(distribution: str) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=300) if distribution == "continuous" else rng.integers(0, 4, size=300)
    alpha, n_resamples = 0.05, 400
    rate = false_alarm_rate([float(v) for v in values], window=60, alpha=alpha, n_resamples=n_resamples)
    assert rate <= alpha + 3 * (alpha * (1 - alpha) / n_resamples) ** 0.5


def test_detection_grows_with_the_window() -> None:
    rng = Random(2)
    reference = [rng.gauss(0, 1) for _ in range(200)]
    shifted = [rng.gauss(0.8, 1) for _ in range(200)]
    rates = [detection_rate(reference, shifted, window=window) for window in (10, 40, 120)]
    assert rates == sorted(rates)
    assert rates[0] < 0.5 < 0.99 < rates[-1]


def test_watching_alarms_where_the_traffic_turns() -> None:
    rng = Random(3)
    reference, familiar = ([rng.gauss(0, 1) for _ in range(n)] for n in (200, 90))
    live = familiar + [rng.gauss(2, 1) for _ in range(65)]
    assert [result.drifted for result in watch_drift("x", reference, live, window=30)] == [False] * 3 + [True] * 2


def test_words_and_unknown_share() -> None:
    assert read_words("List the Café's 3 best_sellers of 2020!") == [
        "list",
        "the",
        "café",
        "s",
        "best",
        "sellers",
        "of",
    ]
    vocabulary = build_vocabulary(["How many singers are there?"])
    assert unknown_word_share("How many pilots are there?", vocabulary) == pytest.approx(1 / 5)
    assert unknown_word_share("42?", vocabulary) == 0.0


def test_too_small_a_window_is_refused() -> None:
    with pytest.raises(DataError, match=r"length: 30 reference and 7 live questions; wait"):
        detect_drift("length", [1.0] * 30, [1.0] * 7)
    with pytest.raises(DataError, match="window of 50"):
        detection_rate([1.0] * 30, [1.0] * 20, window=50)
