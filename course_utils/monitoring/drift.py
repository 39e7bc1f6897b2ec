"""Does live traffic still look like the traffic that the model was measured on?

A signal turns each question, or the shape of its answer, into a number; tests compare the numbers of two windows of
traffic, and a detector watches them question by question. Model quality is not measured here: drift says where to look.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.errors import DataError
from course_utils.files import Row
from course_utils.sql import copy_database, quote, read_schema
from course_utils.tasks import UNSPACED_LETTERS, normalise

if TYPE_CHECKING:
    import numpy as np

ALPHA = 0.01
"""p-value below which a test raises an alarm: without drift, on at most 1 % of windows; one of five tests, on 5 %."""
MIN_SHIFTED = 8
"""Minimum number of questions about new databases that count as a shift."""
MIN_ROWS = 16
"""Minimum number of questions in a window, if the dataset has that many."""
GREETING = "Hello, I am new to this system and would be grateful if somebody could quickly tell me: "
THRESHOLD = 50.0
"""Excess in standard deviations, summed over questions, that raises the alarm. A lower one finds a drift sooner, but
raises more false alarms. At 50, one stable stream of 1,000 questions in fifty has one, by any of four signals with a
reference of 120; with a reference of 16, one in seven has one by a rate of 1 in 20 alone. Chosen on other streams than
those of the test."""
TOLERATED = 0.25
"""Standard deviations by which a question may differ and add nothing to the sum: half of the smallest shift to find."""
LARGEST = 10.0
"""Limit on one question's difference, in standard deviations, so that a single odd question raises no alarm. With 5,
an attack in one question of ten would stay within ``TOLERATED``."""
N_FURTHEST = 2
"""Copies of the reference's question furthest from the mean that are added for the standard deviation. If few questions
carry a signal, such as an unknown word, it would depend on the two or three that are among a hundred by chance."""
WEIGHT = 3
"""Times that each reference question counts in the detector's mean. The mean follows the live traffic, because the mean
of a hundred questions has an error of its own; but slowly, or it would follow a drift before the alarm."""
_WORD = re.compile(rf"[{UNSPACED_LETTERS}]|[^\s\ufe00-\ufe0f\u20e3{UNSPACED_LETTERS}]+")  # nor marks that make emoji


def read_words(question: str) -> list[str]:
    """A question's words without case, or its letters in scripts without spaces; no numbers, which differ in most."""
    letters = (each if unicodedata.category(each)[0] in "LM" else " " for each in normalise(question))
    return _WORD.findall("".join(letters))  # L: letters; M: marks, such as the vowels of Hindi


def unknown_word_share(question: str, vocabulary: frozenset[str]) -> float:
    """Share of a question's words that ``vocabulary`` lacks, in [0, 1], 0 without words; lower is more familiar."""
    words = read_words(question)
    return sum(word not in vocabulary for word in words) / len(words) if words else 0.0


@dataclass(frozen=True)
class Windows:
    """Four sets of questions; the model was trained on ``training`` alone."""

    training: list[Row]
    """Questions whose words are known."""
    reference: list[Row]
    """Normal questions: held out from ``training``, about databases that training knows."""
    familiar: list[Row]
    """Live traffic like the reference."""
    shifted: list[Row]
    """Live traffic unlike it."""
    shift: str
    """How ``shifted`` differs, in words."""


def choose_windows(train: list[Row], validation: list[Row], test: list[Row]) -> Windows:
    """Choose the four windows from three splits.

    The shift is questions about databases that training never saw. Some datasets need another choice:

    - the test split has too few such questions: the shift is users who greet before they ask;
    - it has hardly any others, or there is no validation split: reference and familiar window share the others;
    - those are too few for two windows: some training rows count as held out.
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


def rename_busiest_column(source: Path, target: Path, queries: Sequence[str]) -> str:
    """Copy a database, rename the column that most queries name to ``renamed`` in every table; return its old name.

    Case does not matter. A table's name counts where no other is named. Tables that SQLite cannot alter keep the name.

    Raises:
        DataError: The source is not a database.
        OSError: A file cannot be read or written.
    """
    tables = read_schema(copy_database(source, target)).tables
    tabled = {table.name.lower() for table in tables}  # a query with such a name may mean the table
    columns = sorted({column.name for table in tables for column in table.columns})
    patterns = {each: re.compile(rf"(?<!\w){re.escape(each)}(?!\w)", re.IGNORECASE) for each in columns}
    n_named = {each: sum(bool(patterns[each].search(query)) for query in queries) for each in columns}
    name = max(columns, key=lambda each: (n_named[each] > 0 and each.lower() not in tabled, n_named[each]))
    with closing(sqlite3.connect(target)) as database:
        for table in (table for table in tables if name.lower() in {column.name.lower() for column in table.columns}):
            with suppress(sqlite3.Error):
                database.execute(f"ALTER TABLE {quote(table.name)} RENAME COLUMN {quote(name)} TO renamed")
    return name


def mmd_test(reference: "np.ndarray[Any, Any]", live: "np.ndarray[Any, Any]") -> tuple[float, float]:
    """Squared maximum mean discrepancy of two windows of embeddings (questions, dimensions), and its p-value.

    $MMD^2 = mean k(x, x') - 2 mean k(x, y) + mean k(y, y')$ with $k = exp(-d^2 / median(d^2))$ of the distance d; 0 and
    up, higher is further apart (Gretton et al. 2012, https://jmlr.org/papers/v13/gretton12a.html). The p-value is the
    share of 501 divisions of all questions into two windows, this one and 500 random ones, that are at least as far
    apart (permutation test).
    """
    import numpy as np
    from scipy.spatial.distance import cdist

    both = np.concatenate([reference, live])
    squares = cdist(both, both, "sqeuclidean")
    kernel = np.exp(-squares / max(float(np.median(squares)), 1e-12))
    observed = np.repeat([1 / len(reference), -1 / len(live)], [len(reference), len(live)])
    rng = np.random.default_rng(0)
    weights = np.stack([observed, *(rng.permutation(observed) for _ in range(500))])
    distances = ((weights @ kernel) * weights).sum(axis=1)
    return float(distances[0]), float((distances >= distances[0] - 1e-12).mean())


def find_alarms(reference: Sequence[float], live: Sequence[float], *, threshold: float = THRESHOLD) -> Iterator[int]:
    """Watch a signal by the two-sided Page-Hinkley test; yield the index in ``live`` of each value that gives an alarm.

    The test sums how far values lie from a mean that begins at the reference's, and raises an alarm when the sum has
    grown by ``threshold`` (Page 1954; ``river``). It then starts afresh from the reference, so that alarms recur while
    the traffic differs from it, and end with the difference. NaN in ``live`` is skipped.

    Raises:
        DataError: The reference is empty or has values that are not finite.
    """
    import numpy as np

    if not len(reference):
        raise DataError("there is no reference; measure the signal on questions from the time of training")
    if not np.isfinite(reference).all():
        raise DataError("the reference holds NaN or infinity; leave out the questions on which the signal has no value")
    mean = float(np.mean(reference))
    apart = np.square(np.asarray(reference) - mean)
    variance = (apart.sum() + N_FURTHEST * apart.max()) / (len(apart) + N_FURTHEST)
    varies = not np.allclose(reference, mean, rtol=1e-9, atol=0.0)  # relative, because units differ; more than rounding
    spread = float(np.sqrt(variance)) if varies else 1 / len(apart)
    scores = np.clip((np.asarray(live) - mean) / spread, -LARGEST, LARGEST).tolist()
    detector = _begin_test(WEIGHT * len(reference), threshold)
    for index, score in enumerate(scores):
        if isnan(score):  # or the detector's sum would stay NaN
            continue
        detector.update(score)
        if detector.drift_detected:
            detector = _begin_test(WEIGHT * len(reference), threshold)
            yield index


def _begin_test(n_known: int, threshold: float) -> Any:
    """A Page-Hinkley test whose mean is 0, the reference's, with the weight of ``n_known`` questions."""
    from river.drift import PageHinkley

    detector: Any = PageHinkley(min_instances=1, delta=TOLERATED, threshold=threshold, alpha=1.0)
    for _ in range(n_known):
        detector.update(0.0)
    return detector
