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
"""Alarm below this p-value: a test raises it on at most one window in a hundred without drift, five tests on five."""
MIN_SHIFTED = 8
"""Questions about new databases that make a shift."""
MIN_ROWS = 16
"""Questions of a chosen window at least, where the dataset has so many."""
GREETING = "Hello, I am new to this system and would be grateful if somebody could quickly tell me: "
THRESHOLD = 50.0
"""Excess in standard deviations, summed over questions, that raises the alarm. A lower one finds a drift sooner and
rings more often without cause: at this one, about one in fifty stable streams of 1,000 questions does, by any of four
signals and a reference of 120. By one of 16, a rate of 1 in 20 alone rings in one of seven. Chosen on other streams
than those on which that is tested."""
TOLERATED = 0.25
"""Standard deviations that each question may differ without adding to the sum: half of the smallest shift to find."""
LARGEST = 10.0
"""Standard deviations that one question may count, so that a single odd one raises no alarm. At five, an attack that
is one question in ten hides behind what is tolerated."""
N_FURTHEST = 2
"""More questions like the one furthest from the mean, counted in a signal's deviation. Where few questions carry a
signal, as few hold an unknown word, the deviation of a hundred hangs on the two or three that came among them."""
WEIGHT = 3
"""Questions that each one of the reference counts for in the detector's mean. The mean follows the traffic, for that of
a hundred questions has an error of its own, but slowly, or it would follow a drift before the alarm."""
_WORD = re.compile(rf"[{UNSPACED_LETTERS}]|[^\s\ufe00-\ufe0f\u20e3{UNSPACED_LETTERS}]+")  # nor what makes emoji


def read_words(question: str) -> list[str]:
    """Words of a question without case, or letters where no spaces part words; numbers are new in every question."""
    letters = (each if unicodedata.category(each)[0] in "LM" else " " for each in normalise(question))
    return _WORD.findall("".join(letters))  # a vowel of Hindi is a mark (M) and no letter


def unknown_word_share(question: str, vocabulary: frozenset[str]) -> float:
    """Share of a question's words that training never saw, in [0, 1]; lower is more familiar."""
    words = read_words(question)
    return sum(word not in vocabulary for word in words) / len(words) if words else 0.0


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


def rename_busiest_column(source: Path, target: Path, queries: Sequence[str]) -> str:
    """Copy a database and give the column that most queries name another name, in every table; returns the old one.

    Names are the same in any case, as for SQLite. Tables that SQLite cannot change keep it.

    Raises:
        DataError: The source is no database.
        OSError: A file cannot be read or written.
    """
    tables = read_schema(copy_database(source, target)).tables
    columns = sorted({column.name for table in tables for column in table.columns})
    patterns = {each: re.compile(rf"(?<!\w){re.escape(each)}(?!\w)", re.IGNORECASE) for each in columns}
    name = max(columns, key=lambda each: sum(bool(patterns[each].search(query)) for query in queries))
    with closing(sqlite3.connect(target)) as database:
        for table in (table for table in tables if name.lower() in {column.name.lower() for column in table.columns}):
            with suppress(sqlite3.Error):
                database.execute(f"ALTER TABLE {quote(table.name)} RENAME COLUMN {quote(name)} TO renamed")
    return name


def mmd_test(reference: "np.ndarray[Any, Any]", live: "np.ndarray[Any, Any]") -> tuple[float, float]:
    """Squared maximum mean discrepancy of two windows of embeddings, and its p-value by permutation.

    $MMD^2 = mean k(x, x') - 2 mean k(x, y) + mean k(y, y')$ with $k = exp(-d^2 / median(d^2))$ of the distance d; 0 and
    up, higher is further apart (Gretton et al. 2012, https://jmlr.org/papers/v13/gretton12a.html). The p-value is the
    share of 501 divisions of all questions into two windows, this and 500 random ones, that lie at least as far apart.
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
    """Watch a signal by the Page-Hinkley test, up and down, and give the index of each question that raises an alarm.

    The test adds up how far values lie from a mean that begins at the reference's, and rings when the sum has grown by
    ``threshold`` (Page 1954; ``river``). After an alarm it starts afresh from the reference, so that it rings as long
    as the traffic is unlike it, and then no more. A live value that is no number is passed over.

    Raises:
        DataError: The reference is empty, or not all of it is finite.
    """
    import numpy as np

    if not len(reference):
        raise DataError("there is no reference; measure the signal on questions from the time of training")
    if not np.isfinite(reference).all():
        raise DataError("the reference holds what is no number; leave out questions on which the signal has none")
    mean = float(np.mean(reference))
    apart = np.square(np.asarray(reference) - mean)
    variance = (apart.sum() + N_FURTHEST * apart.max()) / (len(apart) + N_FURTHEST)
    varies = not np.allclose(reference, mean, rtol=1e-9, atol=0.0)  # whatever its unit, but for rounding
    spread = float(np.sqrt(variance)) if varies else 1 / len(apart)
    scores = np.clip((np.asarray(live) - mean) / spread, -LARGEST, LARGEST).tolist()
    detector = _begin_test(WEIGHT * len(reference), threshold)
    for index, score in enumerate(scores):
        if isnan(score):  # the detector's sum would be none for good
            continue
        detector.update(score)
        if detector.drift_detected:
            detector = _begin_test(WEIGHT * len(reference), threshold)
            yield index


def _begin_test(n_known: int, threshold: float) -> Any:
    """A test whose mean is the reference's, here 0, as of ``n_known`` questions."""
    from river.drift import PageHinkley

    detector: Any = PageHinkley(min_instances=1, delta=TOLERATED, threshold=threshold, alpha=1.0)
    for _ in range(n_known):
        detector.update(0.0)
    return detector
