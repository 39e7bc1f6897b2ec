"""Does live traffic still look like the traffic that the model was measured on?

A signal turns each question, or the shape of its answer, into a number; SciPy's tests and `detectors` compare the
numbers of two windows of traffic. Model quality is not measured here: drift says where to look.
"""

import math
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from course_utils.artifacts import Row
from course_utils.sql import copy_database, quote, read_schema, shape_of

ALPHA = 0.01
"""Alarm below this p-value: at most one window in a hundred without drift raises it."""
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


def count_shapes(queries: Iterable[str]) -> Counter[str]:
    """The shapes of the queries: what training has seen."""
    return Counter(map(shape_of, queries))


def surprise(shape: str, known: Counter[str]) -> float:
    """How rare the shape of an answered query is among those that training had, 0 and up; higher is rarer.

    Shannon's information, $-log_2$ of the shape's share (1948); one is added to each count for shapes never seen.
    """
    return math.log2((known.total() + 1) / (known[shape] + 1))


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

    Tables that SQLite cannot change keep it.

    Raises:
        DataError: The source is no database.
        OSError: A file cannot be read or written.
    """
    tables = read_schema(copy_database(source, target)).tables
    columns = sorted({column.name for table in tables for column in table.columns})
    name = max(columns, key=lambda each: sum(bool(re.search(rf"\b{re.escape(each)}\b", query)) for query in queries))
    with closing(sqlite3.connect(target)) as database:
        for table in (table for table in tables if name in {column.name for column in table.columns}):
            with suppress(sqlite3.Error):
                database.execute(f"ALTER TABLE {quote(table.name)} RENAME COLUMN {quote(name)} TO renamed")
    return name
