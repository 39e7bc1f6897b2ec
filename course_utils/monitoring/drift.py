"""Does live traffic still look like the traffic that the model was measured on?

A signal turns each question into a number, and a statistical test compares the numbers of two windows of traffic.
Model quality is not measured here: drift says where to look.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from course_utils.artifacts import Row
from course_utils.errors import DataError

ALPHA = 0.01
"""Alarm below this p-value: at most one window in a hundred without drift raises it."""
N_DRAWS = 200
"""Windows that are drawn to measure how often the alarm rings."""
MIN_SHIFTED = 8
"""Questions about new databases that make a shift."""
MIN_ROWS = 16
"""Questions of a chosen window at least, where the dataset has so many."""
GREETING = "Hello, I am new to this system and would be grateful if somebody could quickly tell me: "
_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u9fff"  # Thai, Lao, Khmer, Japanese, Chinese: no spaces between words
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+")


def read_words(question: str) -> list[str]:
    """Lower-case words of a question, or letters where no spaces part words; numbers are new in every question."""
    return _WORD.findall(question.lower())


def build_vocabulary(questions: Iterable[str]) -> frozenset[str]:
    """Every word of the questions: what training has seen."""
    return frozenset(word for question in questions for word in read_words(question))


def unknown_word_share(question: str, vocabulary: frozenset[str]) -> float:
    """Share of a question's words that training never saw, in [0, 1]; lower is more familiar."""
    words = read_words(question)
    return sum(word not in vocabulary for word in words) / len(words) if words else 0.0


def raises_alarm(reference: Sequence[float], live: Sequence[float]) -> bool:
    """Whether SciPy's two-sample Kolmogorov-Smirnov test tells two windows apart, one number per question.

    Values that occur often in both windows make the test cautious: it then alarms more rarely than ``ALPHA``. So do
    small windows: two of four questions that share no value have p = 0.03, so that they never alarm.

    Raises:
        DataError: A window is empty.
    """
    from scipy.stats import ks_2samp

    if not reference or not live:
        raise DataError(f"{len(reference)} reference and {len(live)} live questions; wait for some")
    return bool(ks_2samp(reference, live).pvalue < ALPHA)


def detection_rate(reference: Sequence[float], live: Sequence[float], *, window: int) -> float:
    """Share of windows drawn from ``live`` that raise the alarm; higher is better where there is drift.

    Raises:
        DataError: The window is larger than ``live``.
    """
    if window > len(live):
        raise DataError(f"a window of {window} cannot be drawn from {len(live)} live questions; make it smaller")
    rng = Random(0)
    return sum(raises_alarm(reference, rng.sample(live, window)) for _ in range(N_DRAWS)) / N_DRAWS


def false_alarm_rate(values: Sequence[float], *, window: int) -> float:
    """Share of alarms when reference and window are drawn at random from the *same* traffic.

    Lower is better; a valid test keeps it at or below ``ALPHA``.

    Raises:
        DataError: The values are too few for a window and a reference.
    """
    rng, shuffled, alarms = Random(0), list(values), 0
    for _ in range(N_DRAWS):
        rng.shuffle(shuffled)
        alarms += raises_alarm(shuffled[window:], shuffled[:window])
    return alarms / N_DRAWS


@dataclass(frozen=True)
class Windows:
    """Four sets of questions; only ``training`` was learned from."""

    training: list[Row]
    """Whose words are known."""
    reference: list[Row]
    """What normal looks like: held out from ``training``, about databases that training knows."""
    familiar: list[Row]
    """Live traffic like the reference."""
    shifted: list[Row]
    """Live traffic unlike it."""
    shift: str
    """What is different, in words."""


def choose_windows(train: list[Row], validation: list[Row], test: list[Row]) -> Windows:
    """Choose the four windows from three splits.

    The shift is questions about databases that training never saw. Other datasets are laid out otherwise:

    - no such questions in the test split: the shift is users who greet before they ask;
    - only such questions in it, or no validation split: reference and familiar window share what there is;
    - too few rows altogether: some training rows count as held out.
    """
    reference = [row for row in validation if row["seen"]]
    familiar = [row for row in test if row["seen"]]
    shifted, shift = [row for row in test if not row["seen"]], "questions about databases that training never saw"
    training = train
    if min(len(reference), len(familiar)) < MIN_ROWS:
        pool = reference + familiar
        if len(pool) < 2 * MIN_ROWS:
            every = 5 if len(train) >= 10 * MIN_ROWS else 2
            pool += train[::every]
            training = [row for index, row in enumerate(train) if index % every]
        reference, familiar = pool[::2], pool[1::2]
    if len(shifted) < MIN_SHIFTED:
        shifted, shift = [{**row, "question": GREETING + row["question"]} for row in familiar], "users who greet first"
    return Windows(training, reference, familiar, shifted, shift)
